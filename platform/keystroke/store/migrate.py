"""Bringing a database to this version's schema, and checking that it is there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from keystroke.errors import SchemaOutdated
from keystroke.store.database import Database
from keystroke.store.partitions import ensure_partitions

#: Advisory lock under which one process at a time migrates ("keystrok" in ASCII).
_LOCK: Final = 0x6B657973


def upgrade(database: Database, revision: str = "head") -> None:
    """Migrate to the newest revision, or to an earlier one, under a lock: any number of processes may call it at once."""
    with database.connection() as connection, _locked(connection, database.backend):
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    with database.transaction() as tx:
        ensure_partitions(tx)


def check_revision(database: Database) -> None:
    """Raise SchemaOutdated unless the database is at this version's revision."""
    needed = ScriptDirectory.from_config(_config()).get_current_head()
    with database.statement() as tx:
        found = MigrationContext.configure(tx.connection).get_current_revision()
    if found != needed:
        raise SchemaOutdated(found=found or "nothing", needed=needed)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(resources.files("keystroke.store") / "migrations"))
    return config


@contextmanager
def _locked(connection: Connection, backend: str) -> Iterator[None]:
    """One transaction, so that a migration that breaks off leaves nothing behind. On PostgreSQL under an advisory lock."""
    connection.exec_driver_sql("begin immediate" if backend == "sqlite" else "begin")
    try:
        if backend == "postgresql":
            connection.exec_driver_sql(f"select pg_advisory_xact_lock({_LOCK})")
        yield
    except BaseException:
        connection.exec_driver_sql("rollback")
        raise
    connection.exec_driver_sql("commit")
