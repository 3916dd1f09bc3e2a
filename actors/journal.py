"""Journal: writes what happened to the store, behind the calls and never in their way.

Whoever writes never waits: one pending change for each row, replaced as it changes. What gathers for `GATHER_S` goes
into one transaction, so hundreds of calls a second are two transactions, and a short call is one row written once. A
store that fails is tried again, for ever: it costs memory for what is pending and nothing more. What was written is
written in the end, also when the server stops; a process that is killed loses what it has not gathered long enough.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Final

import attrs
import structlog
import trio

from ..store.errors import RecordRefused, StoreError
from ..store.records import BindingGone, BindingRecord, CallRecord, Change, Heartbeat, RecordingRecord
from ..store.repository import Repository
from .actor import Actor
from .mailbox import Mailbox

GATHER_S: Final = 0.5
"""From the first pending change to its transaction."""
BATCH: Final = 1000
"""Changes in one transaction: a few ms of a worker thread, so that others get their turn at the interpreter."""
RETRY_S: Final = 1.0
LONGEST_RETRY_S: Final = 30.0
"""A store that fails is asked again after the one, then twice as long, up to the other."""
BEAT_S: Final = 10.0
"""While there are calls, the store is told at least as often that they are alive: if the process is killed, that is
where they have ended."""
LAST_WRITES_S: Final = 5.0
"""What the store gets for the last records when the server stops."""

log = structlog.get_logger(__name__)


@attrs.frozen
class Written:
    """To itself: something is pending."""


@attrs.define(eq=False)
class Pending:
    """What outlives a restart of the task."""

    changes: dict[str, Change] = attrs.field(factory=dict)
    """By row, the ones changed first at the front. SIDs and the ids of bindings have nothing in common."""
    due: float = math.inf
    """When they are to be written, in trio seconds."""
    failures: int = 0
    """Of the store, in a row."""
    alive: set[str] = attrs.field(factory=set)
    """SIDs of the calls that have no end yet."""
    beat_due: float = math.inf
    """When the store is told that they are alive, should nothing else be written before."""

    def take(self, most: int) -> dict[str, Change]:
        """The next batch of at most so many, which is not pending any more."""
        keys = list(islice(self.changes, most))
        return {key: self.changes.pop(key) for key in keys}

    def put_back(self, batch: Mapping[str, Change]) -> None:
        """It was not written; what changed meanwhile is newer."""
        self.changes = {**batch, **self.changes}


@attrs.define(eq=False)
class Journal(Actor[Written]):
    repository: Repository
    now_utc: Callable[[], datetime.datetime]
    pending: Pending = attrs.field(factory=Pending)

    # --- for everybody ---------------------------------------------------------------------------------------

    def write_call(self, record: CallRecord) -> None:
        if record.ended_at is None:
            self.pending.alive.add(record.sid)
        else:
            self.pending.alive.discard(record.sid)
        self._write(record.sid, record)

    def write_recording(self, record: RecordingRecord) -> None:
        self._write(record.sid, record)

    def write_binding(self, change: BindingRecord | BindingGone) -> None:
        self._write(change.id, change)

    def _write(self, key: str, change: Change) -> None:
        changes = self.pending.changes
        if not changes:
            self.mailbox.ref.offer(Written())
        changes[key] = change

    # --- the task --------------------------------------------------------------------------------------------

    async def started(self) -> None:
        if self.pending.changes:  # what a crash left
            self._gather()

    async def handle(self, message: Written) -> None:
        self._gather()

    def _gather(self) -> None:
        if self.pending.due == math.inf:
            self.pending.due = trio.current_time() + GATHER_S

    def wake_at(self) -> float:
        return min(self.pending.due, self.pending.beat_due)

    async def wake(self, now: float) -> None:
        pending = self.pending
        pending.due = pending.beat_due = math.inf
        try:
            await self._flush()
        except Exception as error:
            # Whatever it is that the store has: calls can do without it, and it may pass.
            wait_s = min(RETRY_S * 2 ** min(pending.failures, 10), LONGEST_RETRY_S)
            pending.failures += 1
            pending.due = trio.current_time() + wait_s
            _say_failed(error, len(pending.changes), wait_s)
        else:
            if pending.failures:
                log.info("store writes again", failures=pending.failures)
            pending.failures = 0
            if pending.alive:
                pending.beat_due = trio.current_time() + BEAT_S

    async def _flush(self) -> None:
        """Write what is pending now; a change stays pending until the store has it. Raises what the store raises."""
        pending = self.pending
        signs = (Heartbeat(self.now_utc()),) if pending.alive else ()
        left = len(pending.changes)
        if signs and not left:
            await self.repository.write(signs)
        while left > 0:
            # Not what comes meanwhile: that gathers until its own time, however busy we are.
            batch = pending.take(min(left, BATCH))
            left -= BATCH
            try:
                await self._write_batch(batch, signs)
            except BaseException:
                pending.put_back(batch)
                raise

    async def _write_batch(self, batch: dict[str, Change], signs: Sequence[Heartbeat]) -> None:
        """Write a batch, of which what is written is taken out. Records that can never be written are dropped."""
        try:
            await self.repository.write([*batch.values(), *signs])
        except RecordRefused:
            for key, change in list(batch.items()):
                try:
                    await self.repository.write([change])
                except RecordRefused as error:
                    log.error("record dropped: the store refuses it", record=key, error=str(error))
                del batch[key]

    async def close(self) -> None:
        """The last writes, when everything else has ended. The log is told of records that are lost."""
        pending = self.pending
        with trio.move_on_after(LAST_WRITES_S, shield=True):
            while pending.changes:
                try:
                    await self._flush()
                except Exception as error:
                    _say_failed(error, len(pending.changes), RETRY_S)
                    await trio.sleep(RETRY_S)
        if pending.changes:
            log.error("records lost", records=len(pending.changes))


def _say_failed(error: Exception, pending: int, next_try_in_s: float) -> None:
    log.error(
        "store does not write; nothing is lost yet",
        pending=pending,
        next_try_in_s=next_try_in_s,
        error=str(error),
        exc_info=None if isinstance(error, StoreError) else error,
    )


def journal_mailbox() -> Mailbox[Written]:
    return Mailbox("journal", 1)
