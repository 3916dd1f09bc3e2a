"""The tables, for SQLite and PostgreSQL. Column keys are the field names of the records (`records.py`).

What is here is the newest revision; `migrations/` has the way to it from every older one, and a test compares the two.
"""

from __future__ import annotations

import datetime
import re
from typing import Final

from sqlalchemy import Column, DateTime, Dialect, Float, Index, Integer, MetaData, SmallInteger, Table, Text
from sqlalchemy.types import TypeDecorator

REVISION: Final = "v0002"
"""The newest migration. A database that has it is opened without loading Alembic."""

# What UTF-8 or PostgreSQL cannot hold: bytes of a message that are not UTF-8 (surrogates in our text), and NUL.
_UNSTORABLE = re.compile("[\0\ufffd\ud800-\udfff]")
_MARK = "\ufffd"
_MARKED = re.compile(f"{_MARK}([0-9a-f]{{4}})")


def storable(text: str) -> str:
    """`text` as a database takes it: U+FFFD and four hexadecimal digits stand for what it would not take."""
    if text.isascii() and "\0" not in text:
        return text
    return _UNSTORABLE.sub(lambda match: f"{_MARK}{ord(match[0]):04x}", text)


def stored(text: str) -> str:
    """What `storable` was given."""
    if text.isascii():
        return text
    return _MARKED.sub(lambda match: chr(int(match[1], 16)), text)


class WireText(TypeDecorator[str]):
    """Text that may have come from the network: any string comes back as it was written."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None or (value.isascii() and "\0" not in value):  # mostly; a call less for every field of a row
            return value
        return storable(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else stored(value)


class UtcTime(TypeDecorator[datetime.datetime]):
    """A point in time, to the microsecond: aware in our code, UTC in the database (SQLite keeps text without zone)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime.datetime | None, dialect: Dialect) -> datetime.datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} names no time zone")
        return value if value.tzinfo is datetime.UTC else value.astimezone(datetime.UTC)

    def process_result_value(self, value: datetime.datetime | None, dialect: Dialect) -> datetime.datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=datetime.UTC) if value.tzinfo is None else value.astimezone(datetime.UTC)


metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)

calls = Table(
    "calls",
    metadata,
    Column("sid", WireText, primary_key=True),
    Column("account_sid", WireText, nullable=False),
    Column("direction", WireText, nullable=False),
    # `from` and `to` are words of SQL.
    Column("from_address", WireText, key="from_", nullable=False),
    Column("to_address", WireText, key="to", nullable=False),
    Column("status", WireText, nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("answered_at", UtcTime),
    Column("ended_at", UtcTime),
    Column("duration_s", Integer, nullable=False),
    Column("parent_call_sid", WireText),
    Column("domain_sid", WireText),
    Column("sip_call_id", WireText),
    Column("sip_response_code", SmallInteger),
)
Index("ix_calls_account_sid_started_at", calls.c.account_sid, calls.c.started_at)
_unfinished = calls.c.ended_at.is_(None)
# Small: the calls that are alive, and after a crash those that were.
Index("ix_calls_unfinished", calls.c.sid, sqlite_where=_unfinished, postgresql_where=_unfinished)

recordings = Table(
    "recordings",
    metadata,
    Column("sid", WireText, primary_key=True),
    Column("account_sid", WireText, nullable=False),
    Column("call_sid", WireText, nullable=False, index=True),
    Column("status", WireText, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("source", WireText, nullable=False),
    Column("channels", SmallInteger, nullable=False),
    Column("duration_s", Integer),
)
Index("ix_recordings_account_sid_created_at", recordings.c.account_sid, recordings.c.created_at)

bindings = Table(
    "bindings",
    metadata,
    Column("id", WireText, primary_key=True),
    Column("aor", WireText, nullable=False),
    Column("contact", WireText, nullable=False),
    Column("q", Float, nullable=False),
    Column("refreshed_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("call_id", WireText, nullable=False),
    Column("cseq", Integer, nullable=False),
    Column("path", WireText, nullable=False),
    Column("instance", WireText),
    Column("reg_id", Integer),
    Column("agent", WireText),
    Column("transport", WireText),
    Column("local_host", WireText),
    Column("local_port", Integer),
    Column("remote_host", WireText),
    Column("remote_port", Integer),
)

# One row: when the process that writes here was last alive.
heartbeat = Table(
    "heartbeat",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcTime, nullable=False),
)
