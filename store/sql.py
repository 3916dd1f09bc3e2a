"""Repository in a database: SQLAlchemy Core in worker threads; many writes share one transaction.

Whoever finds nobody writing writes for all who wait by then, so a busy server makes few transactions, and each of them
is on disk before its writers go on. Nothing of it runs on the event loop.
"""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, Generic, TypeAlias, TypeVar

import attrs
import trio
from sqlalchemy import Connection, Delete, Engine, Insert, Select, Table, bindparam, delete, exc, select
from sqlalchemy.dialects import postgresql, sqlite

from .errors import RecordRefused, StoreError, StoreUnavailable
from .records import BindingGone, BindingRecord, CallRecord, Change, Heartbeat, RecordingRecord, cut_off
from .schema import bindings, calls, heartbeat, recordings
from .sqlite import dispose, open_engine

R = TypeVar("R", CallRecord, RecordingRecord, BindingRecord)

Offload: TypeAlias = Callable[..., Awaitable[Any]]
"""Runs a plain function with its arguments off the event loop: `trio.to_thread.run_sync`, or a test's stand-in."""

WRITING: Final = {"begin": "IMMEDIATE"}
"""Execution options of a transaction that writes: SQLite then waits for its turn instead of failing half way."""


@attrs.frozen
class RowsOf(Generic[R]):
    """How records of one class are rows of one table: the fields are the columns."""

    kind: type[R]
    table: Table
    names: tuple[str, ...]

    @classmethod
    def of(cls, kind: type[R], table: Table) -> RowsOf[R]:
        return cls(kind, table, tuple(field.name for field in attrs.fields(kind)))

    def values(self, records: Iterable[R]) -> list[dict[str, object]]:
        get = attrgetter(*self.names)
        return [dict(zip(self.names, get(record), strict=True)) for record in records]

    def select(self) -> Select[Any]:
        return select(*(self.table.c[name] for name in self.names))

    def record(self, row: Sequence[Any]) -> R:
        return self.kind(**dict(zip(self.names, row, strict=True)))


def upsert(table: Table, dialect: str) -> Insert:
    """Insert rows, or replace those with the same key."""
    key = list(table.primary_key)
    if dialect == "postgresql":
        into = postgresql.insert(table)
        return into.on_conflict_do_update(index_elements=key, set_=_others(table, into.excluded))
    rows = sqlite.insert(table)
    return rows.on_conflict_do_update(index_elements=key, set_=_others(table, rows.excluded))


def _others(table: Table, excluded: Any) -> Mapping[str, Any]:
    return {column.key: excluded[column.key] for column in table.c if not column.primary_key}


CALLS: Final = RowsOf.of(CallRecord, calls)
RECORDINGS: Final = RowsOf.of(RecordingRecord, recordings)
BINDINGS: Final = RowsOf.of(BindingRecord, bindings)


@attrs.define(eq=False)
class Ticket:
    """Somebody's changes, and what became of them."""

    changes: Sequence[Change]
    done: bool = False
    error: Exception | None = None


@attrs.define(eq=False)
class SqlRepository:
    """See `Repository`. Made by `open_sqlite`."""

    engine: Engine
    offload: Offload
    _waiting: list[Ticket] = attrs.field(factory=list, init=False)
    _turn: trio.Lock = attrs.field(factory=trio.Lock, init=False)
    """Held by whoever writes."""
    _writes: Writes = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._writes = Writes(self.engine)

    # --- writing ---------------------------------------------------------------------------------------------

    async def write(self, changes: Sequence[Change]) -> None:
        ticket = Ticket(changes)
        self._waiting.append(ticket)
        try:
            async with self._turn:
                if not ticket.done:
                    await self._write_waiting()
        finally:
            if ticket in self._waiting:  # cancelled before its turn: nothing of it was written, and nothing will be
                self._waiting.remove(ticket)
        if ticket.error is not None:
            raise ticket.error

    async def _write_waiting(self) -> None:
        """Write for everybody who waits."""
        tickets, self._waiting = self._waiting, []
        outcomes: list[StoreError | None] | list[Exception]
        try:
            outcomes = await self._finish(self._writes.carry_out, [ticket.changes for ticket in tickets])
        except Exception as fault:  # of ours: everybody is told
            outcomes = [fault] * len(tickets)
        for ticket, outcome in zip(tickets, outcomes, strict=True):
            ticket.done, ticket.error = True, outcome

    async def remove_recording(self, sid: str) -> bool:
        return bool(await self._change(self._writes.execute, delete(recordings).where(recordings.c.sid == sid)))

    async def fail_unfinished_calls(self, now: datetime.datetime) -> int:
        return await self._change(self._writes.fail_unfinished, now)

    async def _change(self, function: Callable[[Any], int], argument: object) -> int:
        """Write something alone; the rows that it found."""
        async with self._turn:
            found: int = await self._finish(function, argument)
        return found

    async def _finish(self, function: Callable[..., object], argument: object) -> Any:
        """What was begun is finished, whoever is cancelled meanwhile."""
        result: object = None
        with trio.CancelScope(shield=True):
            result = await self.offload(function, argument)
        return result

    # --- reading ---------------------------------------------------------------------------------------------

    async def call(self, sid: str) -> CallRecord | None:
        return await self._one(CALLS, CALLS.select().where(calls.c.sid == sid))

    async def calls(self, account_sid: str, *, limit: int = 50, offset: int = 0) -> list[CallRecord]:
        newest_first = (calls.c.started_at.desc(), calls.c.sid.desc())
        mine = CALLS.select().where(calls.c.account_sid == account_sid).order_by(*newest_first)
        return await self._all(CALLS, mine.limit(limit).offset(offset))

    async def recording(self, sid: str) -> RecordingRecord | None:
        return await self._one(RECORDINGS, RECORDINGS.select().where(recordings.c.sid == sid))

    async def recordings(
        self, account_sid: str, *, call_sid: str | None = None, limit: int = 50, offset: int = 0
    ) -> list[RecordingRecord]:
        newest_first = (recordings.c.created_at.desc(), recordings.c.sid.desc())
        mine = RECORDINGS.select().where(recordings.c.account_sid == account_sid).order_by(*newest_first)
        if call_sid is not None:
            mine = mine.where(recordings.c.call_sid == call_sid)
        return await self._all(RECORDINGS, mine.limit(limit).offset(offset))

    async def bindings(self) -> list[BindingRecord]:
        return await self._all(BINDINGS, BINDINGS.select().order_by(bindings.c.refreshed_at, bindings.c.id))

    async def _one(self, rows: RowsOf[R], statement: Select[Any]) -> R | None:
        found = await self._all(rows, statement)
        return found[0] if found else None

    async def _all(self, rows: RowsOf[R], statement: Select[Any]) -> list[R]:
        found: list[R] = await self.offload(self._read, rows, statement)
        return found

    def _read(self, rows: RowsOf[R], statement: Select[Any]) -> list[R]:
        with translated(), self.engine.connect() as connection:
            return [rows.record(row) for row in connection.execute(statement)]


class Writes:
    """The writing half, in worker threads; never in two at once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine.execution_options(**WRITING)
        name = engine.dialect.name
        self._puts: dict[type[Change], Insert] = {
            rows.kind: upsert(rows.table, name) for rows in (CALLS, RECORDINGS, BINDINGS)
        }
        self._beat: Insert = upsert(heartbeat, name)
        self._unbind: Delete = delete(bindings).where(bindings.c.id == bindparam("gone"))

    def carry_out(self, groups: list[Sequence[Change]]) -> list[StoreError | None]:
        """All groups in one transaction. A group that the database refuses is told so, and hinders no other."""
        try:
            with translated(), self._engine.begin() as connection:
                self._apply(connection, [change for group in groups for change in group])
        except RecordRefused as error:
            if len(groups) == 1:
                return [error]
            return [result for group in groups for result in self.carry_out([group])]
        except StoreUnavailable as error:
            return [error] * len(groups)
        return [None] * len(groups)

    def execute(self, statement: Any) -> int:
        with translated(), self._engine.begin() as connection:
            return connection.execute(statement).rowcount

    def fail_unfinished(self, now: datetime.datetime) -> int:
        with translated(), self._engine.begin() as connection:
            alive_at = connection.execute(select(heartbeat.c.at)).scalar()
            rows = connection.execute(CALLS.select().where(calls.c.ended_at.is_(None))).all()
            self._put(connection, CALLS, [cut_off(CALLS.record(row), alive_at, now) for row in rows])
        return len(rows)

    def _apply(self, connection: Connection, changes: Iterable[Change]) -> None:
        put_calls: dict[str, CallRecord] = {}
        put_recordings: dict[str, RecordingRecord] = {}
        put_bindings: dict[str, BindingRecord | BindingGone] = {}
        for change in changes:
            if isinstance(change, CallRecord):
                put_calls[change.sid] = change
            elif isinstance(change, RecordingRecord):
                put_recordings[change.sid] = change
            elif isinstance(change, Heartbeat):
                connection.execute(self._beat, {"id": 1, "at": change.at})
            else:
                put_bindings[change.id] = change
        self._put(connection, CALLS, put_calls.values())
        self._put(connection, RECORDINGS, put_recordings.values())
        bound = [change for change in put_bindings.values() if isinstance(change, BindingRecord)]
        self._put(connection, BINDINGS, bound)
        gone = [{"gone": change.id} for change in put_bindings.values() if isinstance(change, BindingGone)]
        if gone:
            connection.execute(self._unbind, gone)

    def _put(self, connection: Connection, rows: RowsOf[R], records: Iterable[R]) -> None:
        values = rows.values(records)
        if values:
            connection.execute(self._puts[rows.kind], values)


@contextmanager
def translated() -> Iterator[None]:
    """What databases and their drivers raise, as StoreErrors."""
    try:
        yield
    except (exc.DataError, exc.IntegrityError, exc.InterfaceError, exc.ProgrammingError) as error:
        raise RecordRefused(str(error.orig)) from error
    except exc.DBAPIError as error:
        raise StoreUnavailable(str(error.orig)) from error
    except exc.TimeoutError as error:  # no connection of the pool is free
        raise StoreUnavailable(str(error)) from error
    except (exc.StatementError, OverflowError, UnicodeError) as error:
        raise RecordRefused(str(error)) from error


@asynccontextmanager
async def open_sqlite(path: Path, offload: Offload = trio.to_thread.run_sync) -> AsyncIterator[SqlRepository]:
    """The repository in that file, which is made when missing, with the newest tables. Raises StoreUnusable."""
    engine: Engine = await offload(open_engine, path)
    try:
        yield SqlRepository(engine, offload)
    finally:
        with trio.CancelScope(shield=True):
            await offload(dispose, engine)
