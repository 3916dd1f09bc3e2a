"""Repository in dicts: gone with the process. For tests, and for servers that keep no history."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from itertools import islice
from typing import TypeVar, assert_never

import attrs

from .records import BindingGone, BindingRecord, CallRecord, Change, Heartbeat, RecordingRecord, cut_off

R = TypeVar("R")


@attrs.define(eq=False)
class MemoryRepository:
    """Keeps at most `capacity` calls and recordings; the oldest go first, so a long-lived server does not grow."""

    capacity: int = 100_000
    _calls: dict[str, CallRecord] = attrs.field(factory=dict)
    _recordings: dict[str, RecordingRecord] = attrs.field(factory=dict)
    _bindings: dict[str, BindingRecord] = attrs.field(factory=dict)
    _alive_at: datetime.datetime | None = None

    async def write(self, changes: Sequence[Change]) -> None:
        for change in changes:
            match change:
                case CallRecord():
                    self._put(self._calls, change.sid, change)
                case RecordingRecord():
                    self._put(self._recordings, change.sid, change)
                case BindingRecord():
                    self._bindings[change.id] = change
                case BindingGone():
                    self._bindings.pop(change.id, None)
                case Heartbeat():
                    self._alive_at = change.at
                case _:
                    assert_never(change)

    def _put(self, rows: dict[str, R], sid: str, record: R) -> None:
        rows[sid] = record
        if len(rows) > self.capacity:
            del rows[next(iter(rows))]

    async def call(self, sid: str) -> CallRecord | None:
        return self._calls.get(sid)

    async def calls(self, account_sid: str, *, limit: int = 50, offset: int = 0) -> list[CallRecord]:
        mine = (record for record in reversed(self._calls.values()) if record.account_sid == account_sid)
        return list(islice(mine, offset, offset + limit))

    async def fail_unfinished_calls(self, now: datetime.datetime) -> int:
        unfinished = [record for record in self._calls.values() if record.ended_at is None]
        for record in unfinished:
            self._calls[record.sid] = cut_off(record, self._alive_at, now)
        return len(unfinished)

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

    async def bindings(self) -> list[BindingRecord]:
        return sorted(self._bindings.values(), key=lambda record: record.refreshed_at)
