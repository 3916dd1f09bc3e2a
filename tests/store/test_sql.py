"""The database behind the repository: transactions, threads, other processes, faults."""

from __future__ import annotations

import contextlib
import datetime
import os
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from sqlalchemy import event, text
from trio.testing import wait_all_tasks_blocked

from offhook.store.errors import RecordRefused, StoreUnavailable
from offhook.store.records import BindingGone, CallRecord
from offhook.store.schema import heartbeat, metadata
from offhook.store.sql import BINDINGS, CALLS, RECORDINGS, SqlRepository, open_sqlite

NOON = datetime.datetime(2026, 1, 2, 12, tzinfo=datetime.UTC)
WRITER = [sys.executable, str(Path(__file__).with_name("writer.py"))]
ROOT = Path(__file__).parents[2]


def call(number: int, **fields: Any) -> CallRecord:
    record = CallRecord(
        sid=f"CA{number:04}", account_sid="AC1", direction="inbound", from_="a", to="b", status="", started_at=NOON
    )
    return attrs.evolve(record, **fields)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "offhook.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqlRepository]:
    async with open_sqlite(path) as repository:
        yield repository


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another process is writing, as far as the database can tell."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
    finally:
        connection.close()


def on_connections(store: SqlRepository, pragma: str) -> None:
    """Set something on every connection that is taken from now on."""

    def set_it(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute(pragma).close()

    event.listen(store.engine, "checkout", set_it)


async def sids(store: SqlRepository) -> list[str]:
    return sorted(record.sid for record in await store.calls("AC1", limit=10_000))


# --- rows and transactions -----------------------------------------------------------------------------------------


def test_fields_of_records_and_columns_of_tables_are_the_same() -> None:
    assert {rows.table.name for rows in (CALLS, RECORDINGS, BINDINGS)} | {heartbeat.name} == set(metadata.tables)
    for rows in (CALLS, RECORDINGS, BINDINGS):
        assert set(rows.names) == set(rows.table.c.keys())


async def test_who_waits_while_another_writes_shares_a_transaction(path: Path, store: SqlRepository) -> None:
    commits: list[object] = []
    event.listen(store.engine, "commit", commits.append)
    async with trio.open_nursery() as nursery:
        with locked(path):
            for number in range(50):
                nursery.start_soon(store.write, [call(number)])
            await wait_all_tasks_blocked()
    assert len(commits) <= 2  # perhaps the first that came alone, and all others together
    assert len(await sids(store)) == 50


async def test_who_gives_up_before_its_turn_has_written_nothing(path: Path, store: SqlRepository) -> None:
    async with trio.open_nursery() as nursery:
        with locked(path):
            nursery.start_soon(store.write, [call(1)])
            await wait_all_tasks_blocked()
            with trio.move_on_after(0):
                await store.write([call(2)])
            nursery.start_soon(store.write, [call(3)])
            await wait_all_tasks_blocked()
    assert await sids(store) == ["CA0001", "CA0003"]


async def test_what_was_begun_is_finished_though_all_are_cancelled(path: Path, store: SqlRepository) -> None:
    async with trio.open_nursery() as nursery:
        with locked(path):
            nursery.start_soon(store.write, [call(1)])
            await wait_all_tasks_blocked()
            nursery.start_soon(store.write, [call(2)])
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
    assert await sids(store) == ["CA0001"]


async def test_changes_are_written_all_or_none(store: SqlRepository) -> None:
    naive = call(2, started_at=datetime.datetime(2026, 1, 2))
    with pytest.raises(RecordRefused, match="time zone"):
        await store.write([call(1), naive, call(3)])
    assert await sids(store) == []


@pytest.mark.parametrize(
    "bad", [{"started_at": datetime.datetime(2026, 1, 2)}, {"duration_s": 2**70}, {"status": None}]
)
async def test_a_refused_record_hinders_nobody_else(path: Path, store: SqlRepository, bad: dict[str, Any]) -> None:
    refused: list[RecordRefused] = []

    async def write_bad() -> None:
        try:
            await store.write([call(9, **bad)])
        except RecordRefused as error:
            refused.append(error)

    async with trio.open_nursery() as nursery:
        with locked(path):
            nursery.start_soon(store.write, [call(1)])
            await wait_all_tasks_blocked()
            nursery.start_soon(write_bad)
            nursery.start_soon(store.write, [call(2)])
            await wait_all_tasks_blocked()
    assert len(refused) == 1
    assert await sids(store) == ["CA0001", "CA0002"]


async def test_no_statement_runs_on_the_event_loop(store: SqlRepository) -> None:
    threads: Counter[bool] = Counter()

    def note(*_: object) -> None:
        threads[threading.current_thread() is threading.main_thread()] += 1

    event.listen(store.engine, "before_cursor_execute", note)
    await store.write([call(1), BindingGone("x")])
    await store.call("CA0001")
    await store.bindings()
    await store.fail_unfinished_calls(NOON)
    await store.remove_recording("RE1")
    assert threads[True] == 0
    assert threads[False] >= 6


async def test_unfinished_calls_are_found_by_their_index(store: SqlRepository) -> None:
    with store.engine.connect() as connection:
        plan = connection.execute(text("EXPLAIN QUERY PLAN UPDATE calls SET status = 'x' WHERE ended_at IS NULL")).all()
    assert "ix_calls_unfinished" in str(plan)


# --- faults --------------------------------------------------------------------------------------------------------


async def test_a_lock_that_is_held_too_long_is_an_error_that_may_pass(path: Path, store: SqlRepository) -> None:
    on_connections(store, "PRAGMA busy_timeout = 20")
    with locked(path), pytest.raises(StoreUnavailable, match="locked"):
        await store.write([call(1)])
    await store.write([call(1)])
    assert await sids(store) == ["CA0001"]


async def test_readers_need_not_wait_for_a_writer(path: Path, store: SqlRepository) -> None:
    await store.write([call(1)])
    with locked(path):
        assert await store.call("CA0001") == call(1)


async def test_a_full_disk_is_an_error_that_may_pass_and_leaves_nothing_half_written(store: SqlRepository) -> None:
    await store.write([call(1)])
    on_connections(store, "PRAGMA max_page_count = 20")
    many = [call(number, sip_call_id="x" * 500) for number in range(2, 1000)]
    with pytest.raises(StoreUnavailable, match="full"):
        await store.write(many)
    assert await sids(store) == ["CA0001"]
    on_connections(store, "PRAGMA max_page_count = 1000000")
    await store.write(many)
    assert len(await sids(store)) == 999


async def test_an_error_of_a_reader_may_pass_too(store: SqlRepository) -> None:
    with store.engine.begin() as connection:
        connection.execute(text("ALTER TABLE bindings RENAME TO away"))
    with pytest.raises(StoreUnavailable, match="no such table"):
        await store.bindings()


# --- the file, and other processes ---------------------------------------------------------------------------------


async def test_the_file_is_its_owners_alone_and_has_a_log_beside_it(path: Path) -> None:
    async with open_sqlite(path) as store:
        await store.write([call(1)])
        assert sorted(each.name for each in path.parent.iterdir()) == ["offhook.db", "offhook.db-shm", "offhook.db-wal"]
        assert {each.stat().st_mode & 0o777 for each in path.parent.iterdir()} == {0o600}
        with store.engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1
    assert [each.name for each in path.parent.iterdir()] == ["offhook.db"]


async def test_rows_outlive_the_repository(path: Path) -> None:
    async with open_sqlite(path) as store:
        await store.write([call(1)])
    async with open_sqlite(path) as store:
        assert await store.call("CA0001") == call(1)


async def test_strange_names_of_files_are_names_of_files(tmp_path: Path) -> None:
    path = tmp_path / "a b?mode=memory#%41'\"é.db"
    async with open_sqlite(path) as store:
        await store.write([call(1)])
    assert path.stat().st_size > 0


async def test_two_processes_write_at_the_same_time(path: Path) -> None:
    async with trio.open_nursery() as nursery, open_sqlite(path) as store:
        process = partial(trio.run_process, [*WRITER, str(path), "CB", "150"], env=environment())
        nursery.start_soon(partial(process, capture_stdout=True))
        for number in range(150):
            await store.write([call(number)])
            await trio.sleep(0.005)
    async with open_sqlite(path) as store:
        assert len(await sids(store)) == 300


async def test_what_a_killed_process_was_told_is_written_is_there(path: Path) -> None:
    command = [*WRITER, str(path), "CB", "1000000"]
    writer = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE, env=environment())
    assert writer.stdout is not None
    said = b""
    async for chunk in writer.stdout:
        said += chunk
        if said.count(b"\n") > 200:
            writer.kill()
    await writer.wait()
    told = set(said.decode().split("\n")[:-1])
    async with open_sqlite(path) as store:
        with store.engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
            found = set(connection.execute(text("SELECT sid FROM calls")).scalars())
    assert told <= found
    assert len(found) <= len(told) + 1  # the one it was not told of any more


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}
