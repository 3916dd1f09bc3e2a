"""What a store can do. `memory.py` keeps rows in dicts; an embedding program may bring its own."""

from __future__ import annotations

from typing import Protocol

from .records import CallRecord, RecordingRecord


class Repository(Protocol):
    """Rows by SID. Writing the same SID again replaces the row; nothing here waits for a call."""

    async def put_call(self, record: CallRecord) -> None: ...

    async def call(self, sid: str) -> CallRecord | None: ...

    async def calls(self, account_sid: str, *, limit: int = 50, offset: int = 0) -> list[CallRecord]:
        """Newest first."""
        ...

    async def put_recording(self, record: RecordingRecord) -> None: ...

    async def recording(self, sid: str) -> RecordingRecord | None: ...

    async def recordings(
        self, account_sid: str, *, call_sid: str | None = None, limit: int = 50, offset: int = 0
    ) -> list[RecordingRecord]:
        """Newest first; of one call, when `call_sid` is given."""
        ...

    async def remove_recording(self, sid: str) -> bool:
        """Whether there was such a row."""
        ...
