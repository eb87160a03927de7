"""A fresh, migrated database for each test: PostgreSQL copies a template, SQLite copies a file."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from keystroke import ids
from keystroke.settings import Settings
from keystroke.store import Database
from keystroke.store.migrate import upgrade
from support.servers import PostgreSQL

_TEMPLATE: Final = "migrated"
_SETTINGS: Final = Settings(
    secret_key=("the secret key of the tests",),
    project="demo",
    organization="default",
    sqlite_synchronous="NORMAL",
)


@pytest.fixture(scope="session")
def migrated_postgresql(postgresql_server: PostgreSQL) -> PostgreSQL:
    """A server that holds the migrated template database."""
    postgresql_server.execute(f"create database {_TEMPLATE}")
    _migrate(postgresql_server.url(_TEMPLATE))
    return postgresql_server


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "keystroke.db"
    _migrate(f"sqlite:///{path}")
    if Path(f"{path}-wal").exists():
        raise AssertionError(
            "the write-ahead log outlived its last connection; a copy of the file would miss it"
        )
    return path


@pytest.fixture
def sqlite_settings(migrated_sqlite: Path, tmp_path: Path) -> Settings:
    """Settings whose database is an empty, migrated SQLite file."""
    path = tmp_path / "keystroke.db"
    shutil.copyfile(migrated_sqlite, path)
    return _with_database(f"sqlite:///{path}")


@pytest.fixture
def postgresql_settings(migrated_postgresql: PostgreSQL) -> Iterator[Settings]:
    """Settings whose database is an empty, migrated one on PostgreSQL; dropped at the end with all its connections."""
    name = ids.new("test")
    # As files, since nobody writes to the template: the other way writes each page to the log, too.
    migrated_postgresql.execute(f"create database {name} template {_TEMPLATE} strategy file_copy")
    yield _with_database(migrated_postgresql.url(name))
    migrated_postgresql.execute(f"drop database {name} with (force)")


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest) -> Settings:
    """Settings with an empty, migrated database and no broker: each test runs once on either backend."""
    found: Settings = request.getfixturevalue(f"{request.param}_settings")
    return found


@pytest.fixture
def fleet_settings(settings: Settings, broker_url: str) -> Settings:
    """The same with an empty broker."""
    return replace(settings, broker_url=broker_url)


@pytest.fixture
def empty_sqlite_settings(tmp_path: Path) -> Settings:
    """Settings whose SQLite file is still to be made."""
    return _with_database(f"sqlite:///{tmp_path / 'empty.db'}")


@pytest.fixture
def empty_postgresql_settings(postgresql_server: PostgreSQL) -> Iterator[Settings]:
    """Settings whose database on PostgreSQL has no tables."""
    name = ids.new("test")
    postgresql_server.execute(f"create database {name}")
    yield _with_database(postgresql_server.url(name))
    postgresql_server.execute(f"drop database {name} with (force)")


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database that has not been migrated yet, once on either backend."""
    yield from _opened(request.getfixturevalue(f"empty_{request.param}_settings"))


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """The database of `settings`."""
    yield from _opened(settings)


@pytest.fixture
def sqlite_database(sqlite_settings: Settings) -> Iterator[Database]:
    """The database of `sqlite_settings`, for what does not depend on the backend."""
    yield from _opened(sqlite_settings)


@pytest.fixture
def postgresql_database(postgresql_settings: Settings) -> Iterator[Database]:
    """The database of `postgresql_settings`, for what only PostgreSQL can do."""
    yield from _opened(postgresql_settings)


def _with_database(url: str) -> Settings:
    return replace(_SETTINGS, database_url=url)


def _opened(settings: Settings) -> Iterator[Database]:
    with closing(Database.from_settings(settings)) as database:
        yield database


def _migrate(url: str) -> None:
    with closing(Database.from_settings(_with_database(url))) as database:
        upgrade(database)
