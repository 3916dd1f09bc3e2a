"""What a store can do. `sql.py` keeps rows in a database, `memory.py` in dicts; embedding programs may bring more."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Protocol

from .records import BindingRecord, CallRecord, Change, RecordingRecord


class Repository(Protocol):
    """Rows by SID. Writing the same SID again replaces the row; nothing here waits for a call.

    Everything may raise StoreUnavailable, and writing RecordRefused (see errors.py).
    """

    async def write(self, changes: Sequence[Change]) -> None:
        """Carry out all changes or none. When this returns they outlive the process."""
        ...

    async def call(self, sid: str) -> CallRecord | None: ...

    async def calls(self, account_sid: str, *, limit: int = 50, offset: int = 0) -> list[CallRecord]:
        """Newest first."""
        ...

    async def fail_unfinished_calls(self, now: datetime.datetime) -> int:
        """Calls without an end become `failed`, ended at the last `Heartbeat` (`cut_off`); how many there were.

        For the start of a server.
        """
        ...

    async def recording(self, sid: str) -> RecordingRecord | None: ...

    async def recordings(
        self, account_sid: str, *, call_sid: str | None = None, limit: int = 50, offset: int = 0
    ) -> list[RecordingRecord]:
        """Newest first; of one call, when `call_sid` is given."""
        ...

    async def remove_recording(self, sid: str) -> bool:
        """Whether there was such a row."""
        ...

    async def bindings(self) -> list[BindingRecord]:
        """All that were written and have not gone, expired ones too; the one refreshed last at the end."""
        ...
