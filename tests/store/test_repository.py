"""What every repository does, in memory and in a database."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import pytest

from offhook.store.memory import MemoryRepository
from offhook.store.records import BindingGone, BindingRecord, CallRecord, Heartbeat, RecordingRecord, binding_id
from offhook.store.repository import Repository
from offhook.store.sql import open_sqlite

NOON = datetime.datetime(2026, 1, 2, 12, tzinfo=datetime.UTC)
SECOND = datetime.timedelta(seconds=1)


def call(number: int, account: str = "AC1", status: str = "ringing") -> CallRecord:
    return CallRecord(
        sid=f"CA{number}",
        account_sid=account,
        direction="inbound",
        from_="sip:ann@phone.test",
        to="sip:100@acme.test",
        status=status,
        started_at=NOON + number * SECOND,
    )


def recording(number: int, call_sid: str = "CA1") -> RecordingRecord:
    created_at = NOON + number * SECOND
    return RecordingRecord(
        sid=f"RE{number}", account_sid="AC1", call_sid=call_sid, status="completed", created_at=created_at
    )


def binding(number: int, aor: str = "sip:ann@acme.test") -> BindingRecord:
    return BindingRecord(
        id=binding_id(aor, str(number)),
        aor=aor,
        contact=f"<sip:ann@10.0.0.{number}>",
        q=0.5,
        refreshed_at=NOON + number * SECOND,
        expires_at=NOON + datetime.timedelta(hours=1),
        call_id="c1",
        cseq=2**31 - 1,
    )


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Repository]:
    if request.param == "memory":
        yield MemoryRepository()
    else:
        async with open_sqlite(tmp_path / "offhook.db") as repository:
            yield repository


async def test_the_last_row_of_a_sid_counts(store: Repository) -> None:
    await store.write([call(1)])
    await store.write([call(1, status="in-progress"), call(2), call(1, status="completed")])
    assert (await store.call("CA1")) == call(1, status="completed")
    assert await store.call("CA3") is None


async def test_every_field_comes_back(store: Repository) -> None:
    full_call = attrs.evolve(
        call(1),
        answered_at=NOON + datetime.timedelta(microseconds=1),
        ended_at=NOON + SECOND,
        duration_s=14_400,
        parent_call_sid="CA2",
        domain_sid="SD1",
        sip_call_id="a@b",
        sip_response_code=200,
    )
    full_recording = attrs.evolve(recording(1), source="DialVerb", channels=2, duration_s=3)
    full_binding = attrs.evolve(
        binding(1),
        path="<sip:a;lr>, <sip:b;lr>",
        instance="<urn:uuid:1>",
        reg_id=2,
        agent="Desk 9",
        transport="UDP",
        local_host="2001:db8::1",
        local_port=5060,
        remote_host="2001:db8::2",
        remote_port=40_000,
    )
    await store.write([full_call, full_recording, full_binding])
    assert await store.call("CA1") == full_call
    assert await store.recording("RE1") == full_recording
    assert await store.bindings() == [full_binding]


async def test_times_come_back_in_utc(store: Repository) -> None:
    here = datetime.timezone(datetime.timedelta(hours=2))
    await store.write([attrs.evolve(call(1), started_at=(NOON + SECOND).astimezone(here))])
    assert await store.call("CA1") == call(1)


@pytest.mark.parametrize(
    "text", ["", "Zoë ☎", "\udce9\udcff", "\ufffd", "\ufffddce9", "a\0b", "'; DROP TABLE calls; --"]
)
async def test_any_text_from_the_network_comes_back(store: Repository, text: str) -> None:
    record = attrs.evolve(call(1), from_=text, sip_call_id=text)
    await store.write([record])
    assert await store.call("CA1") == record
    assert await store.call(text) is None
    assert await store.calls(text) == []


async def test_calls_are_listed_newest_first_and_by_account(store: Repository) -> None:
    await store.write([call(number, account=f"AC{number % 2}") for number in range(5)])
    assert [row.sid for row in await store.calls("AC0")] == ["CA4", "CA2", "CA0"]
    assert [row.sid for row in await store.calls("AC0", limit=1, offset=1)] == ["CA2"]


async def test_recordings_are_found_by_call_and_can_be_removed(store: Repository) -> None:
    await store.write([recording(1), recording(2, call_sid="CA2"), recording(3)])
    assert [row.sid for row in await store.recordings("AC1", call_sid="CA2")] == ["RE2"]
    assert [row.sid for row in await store.recordings("AC1", limit=2)] == ["RE3", "RE2"]
    assert await store.remove_recording("RE2")
    assert not await store.remove_recording("RE2")
    assert await store.recording("RE2") is None
    assert await store.recording("RE1") == recording(1)


async def test_calls_without_an_end_fail_at_the_next_start(store: Repository) -> None:
    ended = attrs.evolve(call(1, status="completed"), ended_at=NOON)
    await store.write([ended, call(2), call(3, status="in-progress")])
    later = NOON + datetime.timedelta(hours=1)
    assert await store.fail_unfinished_calls(later) == 2
    assert await store.call("CA1") == ended
    assert await store.call("CA3") == attrs.evolve(call(3, status="failed"), ended_at=call(3).started_at)
    assert await store.fail_unfinished_calls(later) == 0


async def test_a_call_that_was_cut_off_lasted_until_the_last_sign_of_life(store: Repository) -> None:
    talking = attrs.evolve(call(1, status="in-progress"), started_at=NOON, answered_at=NOON + 5 * SECOND)
    ringing = attrs.evolve(call(2), started_at=NOON)
    newer = attrs.evolve(call(3, status="in-progress"), started_at=NOON, answered_at=NOON + 40 * SECOND)
    alive_at = NOON + 35.5 * SECOND
    await store.write([talking, ringing, Heartbeat(NOON), newer])
    await store.write([Heartbeat(alive_at)])
    assert await store.fail_unfinished_calls(NOON + datetime.timedelta(days=1)) == 3
    assert await store.call("CA1") == attrs.evolve(talking, status="failed", ended_at=alive_at, duration_s=31)
    assert await store.call("CA2") == attrs.evolve(ringing, status="failed", ended_at=alive_at, duration_s=0)
    # Its row is newer than the sign of life, as when the wall clock was set back.
    assert await store.call("CA3") == attrs.evolve(newer, status="failed", ended_at=newer.answered_at, duration_s=0)


async def test_no_call_was_cut_off_in_the_future(store: Repository) -> None:
    talking = attrs.evolve(call(1, status="in-progress"), started_at=NOON, answered_at=NOON)
    now = NOON + 60 * SECOND
    await store.write([talking, Heartbeat(NOON + datetime.timedelta(days=365))])
    await store.fail_unfinished_calls(now)
    assert await store.call("CA1") == attrs.evolve(talking, status="failed", ended_at=now, duration_s=60)


async def test_bindings_are_kept_until_they_go(store: Repository) -> None:
    await store.write([binding(3), binding(2), binding(1), binding(2, "sip:bob@acme.test")])
    refreshed = attrs.evolve(binding(1), refreshed_at=NOON + 9 * SECOND, cseq=7)
    await store.write([refreshed, BindingGone(binding(3).id)])
    assert sorted(row.aor for row in await store.bindings()) == ["sip:ann@acme.test"] * 2 + ["sip:bob@acme.test"]
    of_ann = [row for row in await store.bindings() if row.aor == "sip:ann@acme.test"]
    assert of_ann == [binding(2), refreshed]


async def test_of_a_binding_that_goes_and_comes_back_at_once_the_last_word_counts(store: Repository) -> None:
    await store.write([binding(1), BindingGone(binding(1).id), BindingGone(binding(2).id), binding(2)])
    assert await store.bindings() == [binding(2)]


async def test_nothing_to_write_is_no_work(store: Repository) -> None:
    await store.write([])
    assert await store.bindings() == []


async def test_the_memory_lets_the_oldest_rows_go() -> None:
    store = MemoryRepository(capacity=2)
    for number in range(4):
        await store.write([call(number), recording(number)])
    assert [row.sid for row in await store.calls("AC1")] == ["CA3", "CA2"]
    assert [row.sid for row in await store.recordings("AC1")] == ["RE3", "RE2"]


def test_the_ids_of_bindings_tell_users_and_keys_apart() -> None:
    ids = {binding_id(*pair) for pair in [("a", "bc"), ("ab", "c"), ("abc", ""), ("a", "b\udce9"), ("1 a", "bc")]}
    assert len(ids) == 5
    assert all(len(each) == 32 for each in ids)
