"""The database that `db` and `api-keys` work on directly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from keystroke.client.workspace import Workspace, find_project_directory
from keystroke.settings import Settings

if TYPE_CHECKING:
    from keystroke.store import Database


def database_settings() -> Settings:
    """The configuration; where it names no database, that of this project's `keystroke dev`, if it has one."""
    directory = find_project_directory(Path.cwd())
    settings = Settings.load(directory=directory)
    if not settings.database_url and directory is not None and Workspace(directory).database_file.exists():
        settings = replace(settings, database_url=Workspace(directory).database_url)
    return settings.require("database_url")


@contextmanager
def open_database(settings: Settings, *, any_schema: bool = False) -> Iterator[Database]:
    """The database, closed at the end; SchemaOutdated where it has another schema, unless any will do."""
    from keystroke.store import Database
    from keystroke.store.migrate import check_revision

    database = Database.from_settings(settings)
    try:
        if not any_schema:
            check_revision(database)
        yield database
    finally:
        database.close()
