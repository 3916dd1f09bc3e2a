"""Journal: what was written is written in the end, in few transactions, whatever the store does meanwhile."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock, wait_all_tasks_blocked

from offhook.actors.guard import open_nest
from offhook.actors.journal import BATCH, BEAT_S, GATHER_S, Journal, journal_mailbox
from offhook.store.errors import RecordRefused, StoreUnavailable
from offhook.store.memory import MemoryRepository
from offhook.store.records import BindingGone, CallRecord, Change, Heartbeat, RecordingRecord

AT = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def record(sid: str, status: str = "ringing") -> CallRecord:
    return CallRecord(
        sid=sid, account_sid="AC1", direction="inbound", from_="sip:a@b", to="sip:c@d", status=status, started_at=AT
    )


def clock() -> Callable[[], datetime.datetime]:
    """The wall clock that goes with virtual time; it is `AT` now."""
    began = trio.current_time()
    return lambda: AT + datetime.timedelta(seconds=trio.current_time() - began)


@attrs.define(eq=False)
class TestingStore(MemoryRepository):
    """A store that takes `takes_s` for each transaction, notes when it began, and raises what it is told to."""

    __test__ = False
    takes_s: float = 0.0
    errors: list[Exception] = attrs.field(factory=list)
    """For the next transactions, one after the other."""
    refused: frozenset[str] = frozenset()
    """SIDs that it never takes."""
    tries: list[float] = attrs.field(factory=list)
    written: list[list[str]] = attrs.field(factory=list)
    """SID and status of every transaction that was carried out; those with nothing but a sign of life are left out."""
    beats: list[float] = attrs.field(factory=list)
    """Signs of life, in seconds after `AT`."""

    async def write(self, changes: Sequence[Change]) -> None:
        self.beats += [(change.at - AT).total_seconds() for change in changes if isinstance(change, Heartbeat)]
        if all(isinstance(change, Heartbeat) for change in changes):
            return
        self.tries.append(trio.current_time())
        await trio.sleep(self.takes_s)
        if self.errors:
            raise self.errors.pop(0)
        calls = [change for change in changes if isinstance(change, CallRecord)]
        if any(call.sid in self.refused for call in calls):
            raise RecordRefused("not this one")
        await super().write(changes)
        self.written.append([f"{call.sid} {call.status}" for call in calls])


@asynccontextmanager
async def running(store: MemoryRepository) -> AsyncIterator[Journal]:
    journal = Journal(journal_mailbox(), store, clock())
    async with open_nest("nest") as nest:
        nest.start_made(journal.mailbox, lambda: Journal(journal.mailbox, store, journal.now_utc, journal.pending))
        yield journal


async def test_what_comes_within_half_a_second_is_one_transaction(autojump_clock: MockClock) -> None:
    store = TestingStore()
    async with running(store) as journal:
        began = trio.current_time()
        for number in range(200):
            for status in ("ringing", "in-progress", "completed"):
                journal.write_call(record(f"CA{number}", status))
            await trio.sleep(0.002)
        await trio.sleep(5)
    assert store.written == [[f"CA{number} completed" for number in range(200)]]
    assert store.tries == [pytest.approx(began + GATHER_S)]


async def test_a_busy_server_makes_two_transactions_a_second(autojump_clock: MockClock) -> None:
    store = TestingStore(takes_s=0.01)
    async with running(store) as journal:
        for number in range(5000):  # 500 a second
            journal.write_call(record(f"CA{number}"))
            await trio.sleep(0.002)
        await trio.sleep(1)
    assert 15 <= len(store.written) <= 21
    assert sum(map(len, store.written)) == 5000


async def test_very_many_changes_are_several_transactions(autojump_clock: MockClock) -> None:
    store = TestingStore()
    async with running(store) as journal:
        for number in range(2 * BATCH + 1):
            journal.write_call(record(f"CA{number}"))
        await trio.sleep(1)
    assert list(map(len, store.written)) == [BATCH, BATCH, 1]


async def test_changes_during_a_slow_transaction_gather_for_the_next(autojump_clock: MockClock) -> None:
    store = TestingStore(takes_s=3)
    async with running(store) as journal:
        journal.write_call(record("CA0"))
        await trio.sleep(1)
        for status in ("ringing", "in-progress", "completed"):
            journal.write_call(record("CA1", status))
        journal.write_call(record("CA0", "completed"))
        await trio.sleep(10)
    assert store.written == [["CA0 ringing"], ["CA1 completed", "CA0 completed"]]


async def test_all_kinds_of_rows_are_written(autojump_clock: MockClock) -> None:
    store = TestingStore()
    recording = RecordingRecord(sid="RE1", account_sid="AC1", call_sid="CA1", status="completed", created_at=AT)
    async with running(store) as journal:
        journal.write_call(record("CA1"))
        journal.write_recording(recording)
        journal.write_binding(BindingGone("b1"))
        await trio.sleep(1)
    assert (await store.call("CA1"), await store.recording("RE1")) == (record("CA1"), recording)
    assert len(store.tries) == 1


async def test_a_failing_store_is_tried_again_less_and_less_often_and_loses_nothing(autojump_clock: MockClock) -> None:
    failures = 8
    store = TestingStore(errors=[StoreUnavailable("database or disk is full") for _ in range(failures)])
    with capture_logs() as logs:
        async with running(store) as journal:
            journal.write_call(record("CA1"))
            await trio.sleep(2)
            journal.write_call(record("CA1", "completed"))
            journal.write_call(record("CA2"))
            await trio.sleep(200)
    assert store.written == [["CA1 completed", "CA2 ringing"]]
    gaps = [round(later - earlier, 6) for earlier, later in zip(store.tries, store.tries[1:], strict=False)]
    assert gaps == [1, 2, 4, 8, 16, 30, 30, 30]
    told = [line for line in logs if line["event"].startswith("store does not write")]
    assert [line["log_level"] for line in told] == ["error"] * failures
    assert told[3]["pending"] == 2
    assert told[3]["error"] == "database or disk is full"


async def test_a_foreign_store_may_raise_what_it_likes(autojump_clock: MockClock) -> None:
    store = TestingStore(errors=[OSError("no route") for _ in range(20)])
    with capture_logs():
        async with running(store) as journal:
            journal.write_call(record("CA1"))
            await trio.sleep(3600)
    assert store.written == [["CA1 ringing"]]


async def test_a_record_that_is_refused_goes_alone(autojump_clock: MockClock) -> None:
    store = TestingStore(refused=frozenset({"CA1"}))
    with capture_logs() as logs:
        async with running(store) as journal:
            for number in range(3):
                journal.write_call(record(f"CA{number}"))
            await trio.sleep(3600)
            assert not journal.pending.changes
    assert store.written == [["CA0 ringing"], ["CA2 ringing"]]
    assert [(line["event"], line["record"]) for line in logs] == [("record dropped: the store refuses it", "CA1")]


async def test_a_store_that_fails_between_refusals_is_asked_again_for_the_rest(autojump_clock: MockClock) -> None:
    store = TestingStore(refused=frozenset({"CA0"}))
    store.errors = [RecordRefused("one of them"), RecordRefused("CA0"), StoreUnavailable("full")]
    with capture_logs():
        async with running(store) as journal:
            for number in range(3):
                journal.write_call(record(f"CA{number}"))
            await trio.sleep(60)
    assert store.written == [["CA1 ringing", "CA2 ringing"]]


async def test_a_crash_of_the_task_loses_nothing(autojump_clock: MockClock) -> None:
    @attrs.define(eq=False)
    class CrashingJournal(Journal):
        async def wake(self, now: float) -> None:
            await super().wake(now)
            raise RuntimeError("a bug in our own code")

    store = TestingStore(errors=[StoreUnavailable("full")])
    journal = Journal(journal_mailbox(), store, clock())
    made = iter([CrashingJournal, Journal])
    with capture_logs():
        async with open_nest("nest") as nest:
            nest.start_made(
                journal.mailbox, lambda: next(made)(journal.mailbox, store, journal.now_utc, journal.pending)
            )
            journal.write_call(record("CA1"))
            await trio.sleep(5)
    assert store.written == [["CA1 ringing"]]


async def test_the_last_rows_are_written_when_the_server_ends(autojump_clock: MockClock) -> None:
    store = TestingStore(takes_s=1, errors=[StoreUnavailable("full")])
    with capture_logs():
        async with running(store) as journal:
            journal.write_call(record("CA1"))
            await wait_all_tasks_blocked()
        journal.write_call(record("CA2", "completed"))
        with trio.CancelScope() as scope:
            scope.cancel()
            await journal.close()
    assert store.written == [["CA1 ringing", "CA2 completed"]]


async def test_rows_that_are_lost_at_the_end_are_counted(autojump_clock: MockClock) -> None:
    store = TestingStore(errors=[StoreUnavailable("full") for _ in range(100)])
    journal = Journal(journal_mailbox(), store, clock())
    journal.write_call(record("CA1"))
    journal.write_call(record("CA2"))
    with capture_logs() as logs:
        await journal.close()
    assert logs[-1] == {"event": "records lost", "records": 2, "log_level": "error"}


async def test_while_there_are_calls_the_store_is_told_that_they_are_alive(autojump_clock: MockClock) -> None:
    store = TestingStore()
    async with running(store) as journal:
        await trio.sleep(60)
        assert store.beats == []
        journal.write_call(record("CA1"))
        await trio.sleep(25)
        journal.write_call(record("CA2"))
        await trio.sleep(12)
        for sid in ("CA1", "CA2"):
            journal.write_call(attrs.evolve(record(sid, "completed"), ended_at=AT))
        await trio.sleep(60)
    # With every transaction, else every ten seconds; after the last end no more.
    expected = [60 + GATHER_S, 60 + GATHER_S + BEAT_S, 60 + GATHER_S + 2 * BEAT_S]
    expected += [85 + GATHER_S, 85 + GATHER_S + BEAT_S]
    assert store.beats == pytest.approx(expected)


async def test_a_store_that_is_away_gets_the_newest_sign_of_life_when_it_is_back(autojump_clock: MockClock) -> None:
    store = TestingStore(errors=[StoreUnavailable("away")] * 3)
    with capture_logs():
        async with running(store) as journal:
            journal.write_call(record("CA1"))
            await trio.sleep(8)
    assert store.written == [["CA1 ringing"]]
    assert store.beats[-1] == pytest.approx(GATHER_S + 1 + 2 + 4)
