"""A database in this process's memory, for tests: migrated, empty, gone with its last use, by a clock that is set by hand."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

from sqlalchemy import StaticPool, create_engine, event

from keystroke.store.database import Database, Tx
from keystroke.store.migrate import upgrade
from keystroke.store.sql import Backend

#: The clock of a database: microseconds since 1970.
Clock = Callable[[], int]
_URL: Final = "sqlite://"


class _Memory(Database):
    """One connection, which all threads use in turns: an SQLite in memory is its connection's own."""

    def __init__(self, clock: Clock) -> None:
        # Not the database's own beginning: that makes a pool.
        arguments: dict[str, Any] = {"check_same_thread": False, "isolation_level": None}
        self._engine = create_engine(
            _URL, poolclass=StaticPool, isolation_level="AUTOCOMMIT", pool_reset_on_return=None,
            connect_args=arguments,
        )  # fmt: skip
        self.backend: Backend = "sqlite"
        self.url = _URL
        self._turn = threading.RLock()
        event.listen(self._engine, "connect", _with_clock(clock))

    @contextmanager
    def statement(self) -> Iterator[Tx]:
        """See Database."""
        with self._turn, super().statement() as tx:
            yield tx

    @contextmanager
    def _begun(self, begin: str) -> Iterator[Tx]:
        with self._turn, super()._begun(begin) as tx:
            yield tx

    def _driver(self) -> sqlite3.Connection:
        with self.connection() as connection:
            driver: sqlite3.Connection | None = connection.connection.driver_connection
        assert driver is not None
        return driver


class MemoryDatabase(_Memory):
    """A database of this version's schema without a row in it. `{now}` is what its clock says whenever it is asked."""

    def __init__(self, clock: Clock) -> None:
        """Copy the schema: in a millisecond, since it is made once in a process."""
        super().__init__(clock)
        _migrated()._driver().backup(self._driver())


@cache
def _migrated() -> _Memory:
    template = _Memory(lambda: 0)
    upgrade(template)
    return template


def _with_clock(clock: Clock) -> Any:
    def connected(connection: sqlite3.Connection, _record: Any) -> None:
        connection.create_function("keystroke_now", 0, clock)
        connection.execute("pragma foreign_keys = on")

    return connected
