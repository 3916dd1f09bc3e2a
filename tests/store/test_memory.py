import datetime

from offhook.store.memory import MemoryRepository
from offhook.store.records import CallRecord, RecordingRecord

NOON = datetime.datetime(2026, 1, 2, 12, tzinfo=datetime.UTC)


def call(sid: str, account: str = "AC1", status: str = "ringing") -> CallRecord:
    return CallRecord(
        sid=sid, account_sid=account, direction="inbound", from_="a", to="b", status=status, started_at=NOON
    )


def recording(sid: str, call_sid: str = "CA1") -> RecordingRecord:
    return RecordingRecord(sid=sid, account_sid="AC1", call_sid=call_sid, status="completed", created_at=NOON)


async def test_the_last_row_of_a_sid_counts() -> None:
    store = MemoryRepository()
    await store.put_call(call("CA1"))
    await store.put_call(call("CA1", status="completed"))
    assert (await store.call("CA1")) == call("CA1", status="completed")
    assert await store.call("CA2") is None


async def test_calls_are_listed_newest_first_and_by_account() -> None:
    store = MemoryRepository()
    for number in range(5):
        await store.put_call(call(f"CA{number}", account=f"AC{number % 2}"))
    assert [row.sid for row in await store.calls("AC0")] == ["CA4", "CA2", "CA0"]
    assert [row.sid for row in await store.calls("AC0", limit=1, offset=1)] == ["CA2"]


async def test_the_oldest_rows_make_room() -> None:
    store = MemoryRepository(capacity=2)
    for number in range(4):
        await store.put_call(call(f"CA{number}"))
        await store.put_recording(recording(f"RE{number}"))
    assert [row.sid for row in await store.calls("AC1")] == ["CA3", "CA2"]
    assert [row.sid for row in await store.recordings("AC1")] == ["RE3", "RE2"]


async def test_recordings_are_found_by_call_and_can_be_removed() -> None:
    store = MemoryRepository()
    await store.put_recording(recording("RE1"))
    await store.put_recording(recording("RE2", call_sid="CA2"))
    assert [row.sid for row in await store.recordings("AC1", call_sid="CA2")] == ["RE2"]
    assert await store.remove_recording("RE2")
    assert not await store.remove_recording("RE2")
    assert await store.recording("RE2") is None
    assert await store.recording("RE1") == recording("RE1")
