"""Journal: writes what happened to the store, behind the calls and never in their way.

Whoever writes never waits: one pending record for each SID, replaced as it changes, so a slow store costs memory for
the calls that are alive and nothing more. What was written is written in the end, also when the server stops.
"""

from __future__ import annotations

from typing import Final

import attrs
import trio

from ..store.records import CallRecord, RecordingRecord
from ..store.repository import Repository
from .actor import Actor
from .mailbox import Mailbox

LAST_WRITES_S: Final = 5.0
"""What the store gets for the last records when the server stops."""


@attrs.frozen
class Written:
    """To itself: something is pending."""


@attrs.define(eq=False)
class Pending:
    """What outlives a restart of the task."""

    calls: dict[str, CallRecord] = attrs.field(factory=dict)
    recordings: dict[str, RecordingRecord] = attrs.field(factory=dict)


@attrs.define(eq=False)
class Journal(Actor[Written]):
    repository: Repository
    pending: Pending = attrs.field(factory=Pending)

    def write_call(self, record: CallRecord) -> None:
        self.pending.calls[record.sid] = record
        self.mailbox.ref.offer(Written())

    def write_recording(self, record: RecordingRecord) -> None:
        self.pending.recordings[record.sid] = record
        self.mailbox.ref.offer(Written())

    async def started(self) -> None:
        await self.flush()  # what a crash left pending

    async def handle(self, message: Written) -> None:
        await self.flush()

    async def flush(self) -> None:
        """Write everything that is pending. A record stays pending until the store has it."""
        pending = self.pending
        while pending.calls or pending.recordings:
            for sid, call in list(pending.calls.items()):
                await self.repository.put_call(call)
                if pending.calls.get(sid) is call:
                    del pending.calls[sid]
            for sid, recording in list(pending.recordings.items()):
                await self.repository.put_recording(recording)
                if pending.recordings.get(sid) is recording:
                    del pending.recordings[sid]

    async def close(self) -> None:
        """The last writes, while everything else is ending."""
        with trio.move_on_after(LAST_WRITES_S, shield=True):
            await self.flush()


def journal_mailbox() -> Mailbox[Written]:
    return Mailbox("journal", 1)
