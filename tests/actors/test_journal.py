"""Journal: what was written is written in the end, however slow the store is."""

from __future__ import annotations

import datetime

import attrs
import trio
from trio.testing import MockClock

from offhook.actors.guard import open_nest
from offhook.actors.journal import Journal, journal_mailbox
from offhook.store.memory import MemoryRepository
from offhook.store.records import CallRecord

AT = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def record(sid: str, status: str = "ringing") -> CallRecord:
    return CallRecord(
        sid=sid, account_sid="AC1", direction="inbound", from_="sip:a@b", to="sip:c@d", status=status, started_at=AT
    )


@attrs.define(eq=False)
class SlowRepository(MemoryRepository):
    """A store that takes a second for each row, and fails the first time it is asked."""

    fail_first: bool = False
    written: list[tuple[str, str]] = attrs.field(factory=list)

    async def put_call(self, record: CallRecord) -> None:
        await trio.sleep(1)
        if self.fail_first:
            self.fail_first = False
            raise OSError("the disk is full")
        self.written.append((record.sid, record.status))
        await super().put_call(record)


async def test_changes_that_come_faster_than_the_store_writes_are_one_row(autojump_clock: MockClock) -> None:
    store = SlowRepository()
    journal = Journal(journal_mailbox(), store)
    async with open_nest("nest") as nest:
        nest.start(journal)
        journal.write_call(record("CA0"))
        await trio.sleep(0.5)
        for status in ("ringing", "in-progress", "completed"):
            journal.write_call(record("CA1", status))
        await trio.sleep(10)
    assert store.written == [("CA0", "ringing"), ("CA1", "completed")]


async def test_a_failing_store_loses_nothing(autojump_clock: MockClock) -> None:
    store = SlowRepository(fail_first=True)
    journal = Journal(journal_mailbox(), store)
    async with open_nest("nest") as nest:
        nest.start_made(journal.mailbox, lambda: Journal(journal.mailbox, store, journal.pending))
        journal.write_call(record("CA1", "completed"))
        await trio.sleep(5)
    assert store.written == [("CA1", "completed")]


async def test_the_last_rows_are_written_when_the_server_ends(autojump_clock: MockClock) -> None:
    store = SlowRepository()
    journal = Journal(journal_mailbox(), store)
    journal.write_call(record("CA1", "completed"))
    await journal.close()
    assert store.written == [("CA1", "completed")]
