"""Bringing a database to the newest revision of the tables. Takes one open connection; runs in a worker thread."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text

from .schema import REVISION, metadata

MIGRATIONS: Final = Path(__file__).with_name("migrations")
VERSION_TABLE: Final = "alembic_version"


class UnknownRevision(Exception):
    """The database has tables of a revision that this version has never heard of, mostly a newer one's."""

    def __init__(self, found: str) -> None:
        super().__init__(f"its tables are of revision {found}, and this version knows those up to {REVISION}")


class ForeignTables(Exception):
    """The database has tables, and they are none of ours."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(f"it has tables of something else: {', '.join(names[:5])}")


def upgrade(connection: Connection, migrations: Path = MIGRATIONS) -> str | None:
    """Make the tables those of `schema.REVISION`, or change nothing; the revision they had, None for an empty database.

    The connection is in a transaction that keeps other writers out. Raises UnknownRevision or ForeignTables.
    """
    found = _revision_of(connection)
    if found == REVISION:
        return found
    # Dear to import, and needed once for each new version.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.attributes.update(connection=connection, metadata=metadata)
    if found is not None and found not in {
        each.revision for each in ScriptDirectory.from_config(config).walk_revisions()
    }:
        raise UnknownRevision(found)
    command.upgrade(config, "head")
    return found


def _revision_of(connection: Connection) -> str | None:
    """The revision of the tables; None when there are no tables at all."""
    names = inspect(connection).get_table_names()
    found: str | None = None
    if VERSION_TABLE in names:
        found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar_one_or_none()
    if found is None and set(names) - {VERSION_TABLE}:
        raise ForeignTables(sorted(names))
    return found
