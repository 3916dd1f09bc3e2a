"""A SQLite file as an engine: its settings, its first opening, and why it could not be opened. For worker threads."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, exc

from .errors import StoreUnusable
from .upgrade import ForeignTables, UnknownRevision, upgrade

BUSY_S: Final = 5.0
"""How long a transaction waits for another process that writes."""
SETTINGS: Final = (
    # One writer and many readers at the same time, of any number of processes.
    "PRAGMA journal_mode = WAL",
    # A killed process loses nothing that was committed. When the power fails the last transactions may be missing, but
    # the file is whole; each commit on its own disk flush would be dearer than all of them together now.
    "PRAGMA synchronous = NORMAL",
    "PRAGMA foreign_keys = ON",
)
RESTORE: Final = "restore a backup, or move it away to begin with an empty one"


def open_engine(path: Path) -> Engine:
    """The file with the newest tables, made when missing, readable by its owner alone. Raises StoreUnusable."""
    what = f"database {path}"
    engine: Engine | None = None
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        engine = make_engine(path)
        with engine.execution_options(begin="IMMEDIATE").begin() as connection:
            upgrade(connection)
    except BaseException as error:
        if engine is not None:
            engine.dispose()
        unusable = _explain(what, error)
        if unusable is None:
            raise
        raise unusable from error
    return engine


def make_engine(path: Path) -> Engine:
    """An engine whose transactions begin when they are begun; Python's driver would begin them by guess."""
    engine = create_engine(
        URL.create("sqlite", database=str(path)), connect_args={"timeout": BUSY_S, "check_same_thread": False}
    )
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def dispose(engine: Engine) -> None:
    """Close all connections. The last one moves what is in the log beside the file into the file."""
    engine.dispose()


def _set_up(connection: sqlite3.Connection, _: Any) -> None:
    connection.isolation_level = None
    for setting in SETTINGS:
        connection.execute(setting).close()


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(f"BEGIN {connection.get_execution_options().get('begin', 'DEFERRED')}")


def _explain(what: str, error: BaseException) -> StoreUnusable | None:
    """What an operator can do about it; None for a fault of ours."""
    match error:
        case UnknownRevision():
            remedy = "run the newer version that wrote it, or restore the backup made before the upgrade"
            return StoreUnusable(what, str(error), remedy)
        case ForeignTables():
            return StoreUnusable(what, str(error), "move it away, or set another server.data_dir")
        case OSError():
            return StoreUnusable(what, error.strerror or str(error), "check the permissions of server.data_dir")
        case exc.OperationalError():
            return _explain_operation(what, str(error.orig))
        case exc.DatabaseError():
            return StoreUnusable(what, f"it is damaged ({error.orig})", RESTORE)
    return None


def _explain_operation(what: str, reason: str) -> StoreUnusable:
    if "locked" in reason:
        return StoreUnusable(what, reason, f"another process has been writing to it for {BUSY_S:g} s: end that one")
    if "full" in reason:
        return StoreUnusable(what, reason, "make room on its file system")
    if "malformed" in reason or "corrupt" in reason:
        return StoreUnusable(what, f"it is damaged ({reason})", RESTORE)
    return StoreUnusable(what, reason, "check that its folder and files can be written, and their file system")
