"""Repository in dicts: gone with the process. For tests, and for servers that keep no history."""

from __future__ import annotations

from itertools import islice

import attrs

from .records import CallRecord, RecordingRecord


@attrs.define(eq=False)
class MemoryRepository:
    """Keeps at most `capacity` rows of each kind; the oldest go first, so a long-lived server does not grow."""

    capacity: int = 100_000
    _calls: dict[str, CallRecord] = attrs.field(factory=dict)
    _recordings: dict[str, RecordingRecord] = attrs.field(factory=dict)

    async def put_call(self, record: CallRecord) -> None:
        self._calls[record.sid] = record
        if len(self._calls) > self.capacity:
            del self._calls[next(iter(self._calls))]

    async def call(self, sid: str) -> CallRecord | None:
        return self._calls.get(sid)

    async def calls(self, account_sid: str, *, limit: int = 50, offset: int = 0) -> list[CallRecord]:
        mine = (record for record in reversed(self._calls.values()) if record.account_sid == account_sid)
        return list(islice(mine, offset, offset + limit))

    async def put_recording(self, record: RecordingRecord) -> None:
        self._recordings[record.sid] = record
        if len(self._recordings) > self.capacity:
            del self._recordings[next(iter(self._recordings))]

    async def recording(self, sid: str) -> RecordingRecord | None:
        return self._recordings.get(sid)

    async def recordings(
        self, account_sid: str, *, call_sid: str | None = None, limit: int = 50, offset: int = 0
    ) -> list[RecordingRecord]:
        mine = (
            record
            for record in reversed(self._recordings.values())
            if record.account_sid == account_sid and call_sid in (None, record.call_sid)
        )
        return list(islice(mine, offset, offset + limit))

    async def remove_recording(self, sid: str) -> bool:
        return self._recordings.pop(sid, None) is not None
