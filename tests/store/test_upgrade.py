"""From every revision of the tables to the newest, and databases that cannot be used."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, create_engine, inspect, make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.schema import CreateIndex, CreateTable

from offhook.store.errors import StoreUnusable
from offhook.store.schema import REVISION, metadata, storable, stored
from offhook.store.sqlite import make_engine, open_engine
from offhook.store.upgrade import MIGRATIONS, upgrade

BROKEN = """
from alembic import op
revision, down_revision, branch_labels, depends_on = "v0003", "v0002", None, None
def upgrade():
    op.execute("CREATE TABLE half (a)")
    op.execute("DROP TABLE calls")
    op.execute("CREATE TABLE half (a)")
"""


def tables_of(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "offhook.db"


def opened(path: Path) -> None:
    open_engine(path).dispose()


def test_migrations_from_nothing_make_the_tables_of_the_schema(path: Path) -> None:
    engine = open_engine(path)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == REVISION
    engine.dispose()


def test_there_is_one_newest_migration_and_the_schema_names_it() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [REVISION]


def test_migrations_can_be_taken_back_and_made_again(path: Path) -> None:
    engine = open_engine(path)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes.update(connection=connection, metadata=metadata)
        command.downgrade(config, "base")
        assert inspect(connection).get_table_names() == ["alembic_version"]
        assert upgrade(connection) is None
    assert tables_of(engine) == {*metadata.tables, "alembic_version"}
    engine.dispose()


def test_opening_again_changes_nothing(path: Path) -> None:
    opened(path)
    before = path.read_bytes()
    opened(path)
    assert path.read_bytes() == before


def test_a_migration_that_fails_changes_nothing(path: Path, tmp_path: Path) -> None:
    migrations = tmp_path / "migrations"
    shutil.copytree(MIGRATIONS, migrations, ignore=shutil.ignore_patterns("__pycache__"))
    (migrations / "versions" / "v0003_broken.py").write_text(BROKEN)
    engine = make_engine(path)
    with pytest.raises(OperationalError, match="already exists"), engine.begin() as connection:
        upgrade(connection, migrations)
    assert tables_of(engine) == set()
    engine.dispose()


def test_the_tables_are_sql_that_postgresql_understands() -> None:
    dialect = make_url("postgresql+psycopg://").get_dialect()()
    for table in metadata.sorted_tables:
        sql = str(CreateTable(table).compile(dialect=dialect))
        assert "DATETIME" not in sql
        assert "TIMESTAMP WITH TIME ZONE" in sql
    [unfinished] = [index for index in metadata.tables["calls"].indexes if index.name == "ix_calls_unfinished"]
    assert str(CreateIndex(unfinished).compile(dialect=dialect)).endswith("WHERE ended_at IS NULL")


@given(st.text(st.characters(codec=None, categories=None)))
def test_every_text_is_storable_and_comes_back(text: str) -> None:
    kept = storable(text)
    assert kept.encode().decode() == kept
    assert "\0" not in kept
    assert stored(kept) == text


# --- what cannot be used -------------------------------------------------------------------------------------------


def refusal(path: Path) -> str:
    with pytest.raises(StoreUnusable) as caught:
        opened(path)
    told = str(caught.value)
    assert told.startswith(f"database {path}: ")
    assert "\n" not in told
    return told


def test_a_newer_database_says_which_version_it_needs(path: Path) -> None:
    opened(path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'v9999'")
    connection.close()
    told = refusal(path)
    assert f"its tables are of revision v9999, and this version knows those up to {REVISION}" in told
    assert "run the newer version that wrote it, or restore the backup" in told


def test_a_file_that_is_no_database_is_called_damaged_and_left_alone(path: Path) -> None:
    path.write_bytes(b"something else entirely\n" * 100)
    assert "damaged (file is not a database); restore a backup, or move it away" in refusal(path)
    assert path.read_bytes().startswith(b"something else")


def test_a_torn_database_is_called_damaged(path: Path) -> None:
    opened(path)
    data = bytearray(path.read_bytes())
    data[100:4096] = bytes(3996)
    path.write_bytes(data)
    assert "damaged (database disk image is malformed)" in refusal(path)


def test_the_database_of_another_program_is_left_alone(path: Path) -> None:
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE customers (name)")
    assert "tables of something else: customers; move it away" in refusal(path)
    assert tables_of(engine) == {"customers"}
    engine.dispose()


def test_a_folder_in_its_place_is_told(path: Path) -> None:
    path.mkdir()
    assert "Is a directory; check the permissions" in refusal(path)


def test_a_missing_folder_is_told(path: Path) -> None:
    assert "No such file or directory" in refusal(path.parent / "missing" / "offhook.db")
