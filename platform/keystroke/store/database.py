"""The connection to the database: pooled, with transactions that are the same on SQLite and PostgreSQL."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, Self

import psycopg
from sqlalchemy import Connection, CursorResult, Engine, Row, create_engine, event, exc
from sqlalchemy.engine import make_url

from keystroke.errors import DatabaseUnavailable, InvalidSettings, QueryTooSlow
from keystroke.settings import Settings
from keystroke.store.sql import Backend, Guarded, HeldInsert, Sql

# A plan made without the values would be kept after some executions: an ILIKE went from 5 ms to 21 s by it.
_LIMIT: Final = Sql("""
select set_config('statement_timeout', :milliseconds, true), set_config('plan_cache_mode', 'force_custom_plan', true),
    set_config('enable_sort', :sort, true)
""")
Params = Mapping[str, Any]
_BUSY_SECONDS: Final = 30
_MICROS: Final = 1_000_000
#: What SQLite says when it cannot serve at the moment, whatever was asked.
_SQLITE_UNAVAILABLE: Final = ("locked", "unable to open", "disk", "readonly", "is full")
#: Class of the states in which a statement asks too much of PostgreSQL: an "operational" error that no waiting cures.
_LIMITS_OF_POSTGRESQL: Final = "54"


class Tx:
    """Statements inside one transaction (or, from `Database.statement`, one statement that commits by itself)."""

    def __init__(self, connection: Connection, backend: Backend) -> None:
        """Wrap an open connection."""
        self._connection = connection
        self.backend = backend

    def rows(self, sql: Sql, params: Params | None = None) -> Sequence[Row[Any]]:
        """All rows of a statement."""
        return self._execute(sql, params).fetchall()

    def row(self, sql: Sql, params: Params | None = None) -> Row[Any] | None:
        """The first row of a statement, or None."""
        return self._execute(sql, params).fetchone()

    def value(self, sql: Sql, params: Params | None = None) -> Any:
        """The first column of the first row, or None."""
        row = self.row(sql, params)
        return None if row is None else row[0]

    def run(self, sql: Sql, params: Params | None = None) -> int:
        """Execute a write; the number of rows that it touched."""
        return self._execute(sql, params).rowcount

    def guarded(self, statement: Guarded, params: Params) -> Row[Any] | None:
        """Execute a guarded update with its inserts; the updated row, or None when the guard did not hold."""
        if self.backend == "postgresql":
            return self.row(statement.combined, params)
        return next(iter(self.guarded_all(statement, params)), None)

    def guarded_all(self, statement: Guarded, params: Params) -> Sequence[Row[Any]]:
        """The same for an update of many rows; those that were updated."""
        if self.backend == "postgresql":
            return self.rows(statement.combined, params)
        rows = self.rows(statement.update, params)
        for insert in statement.inserts if rows else ():
            self.run(insert, {**params, "moved_ids": [row.id for row in rows]})
        return rows

    def run_held(self, statement: HeldInsert, params: Params) -> int:
        """Execute a write under its hold; the number of rows that it wrote, 0 when there was nothing to hold."""
        if self.backend == "postgresql":
            return self.run(statement.combined, params)
        return self.run(statement.insert, params) if self.row(statement.hold, params) else 0

    def run_many(self, sql: Sql, params: Sequence[Params]) -> int:
        """Execute a write once for each set of parameters; the number of rows that they touched together."""
        if not params:
            return 0
        return self._connection.exec_driver_sql(
            sql.for_backend(self.backend), [self._bound(each) for each in params]
        ).rowcount

    @property
    def connection(self) -> Connection:
        """The SQLAlchemy connection, for the migrations."""
        return self._connection

    @contextmanager
    def limited(self, seconds: float, *, in_order: bool = False) -> Iterator[None]:
        """Statements inside end after so many seconds with QueryTooSlow.

        With `in_order` they read along the index that gives their order, instead of everything that fits to sort it: right
        where the planner cannot know how much fits, as in a search for text.
        """
        driver: Any = self._connection.connection.driver_connection
        try:
            if self.backend == "postgresql":
                self.row(
                    _LIMIT, {"milliseconds": str(int(seconds * 1000)), "sort": "off" if in_order else "on"}
                )
            else:
                deadline = time.monotonic() + seconds
                driver.set_progress_handler(lambda: time.monotonic() > deadline, 20_000)
            yield
        except exc.OperationalError as error:
            if isinstance(error.orig, psycopg.errors.QueryCanceled) or "interrupted" in str(error.orig):
                raise QueryTooSlow(seconds=seconds) from error
            raise
        finally:
            if self.backend == "sqlite":
                driver.set_progress_handler(None, 0)

    def _execute(self, sql: Sql, params: Params | None) -> CursorResult[Any]:
        return self._connection.exec_driver_sql(sql.for_backend(self.backend), self._bound(params or {}))

    def _bound(self, params: Params) -> dict[str, Any]:
        if self.backend == "postgresql":
            return dict(params)
        return {
            name: json.dumps(value) if isinstance(value, list) else value for name, value in params.items()
        }


class Database:
    """A database and its pool of connections; safe to share between threads, not between processes."""

    def __init__(
        self, url: str, *, pool_size: int = 10, clock_offset: float = 0.0, sqlite_synchronous: str = "FULL"
    ) -> None:
        """Prepare the pool; nothing is connected yet. `clock_offset` (seconds) is for tests."""
        self._engine = _engine(url, pool_size)
        self.backend: Backend = "postgresql" if self._engine.dialect.name == "postgresql" else "sqlite"
        self.url = url
        offset = round(clock_offset * _MICROS)
        if self.backend == "sqlite":
            event.listen(self._engine, "connect", _sqlite_setup(sqlite_synchronous, offset))
        else:
            event.listen(self._engine, "connect", _postgresql_setup(offset))

    @classmethod
    def from_settings(cls, settings: Settings, *, pool_size: int = 10) -> Self:
        """The configured database; InvalidSettings where none is configured."""
        settings.require("database_url")
        return cls(
            settings.database_url,
            pool_size=pool_size,
            clock_offset=settings.clock_offset,
            sqlite_synchronous=settings.sqlite_synchronous,
        )

    @contextmanager
    def transaction(self) -> Iterator[Tx]:
        """One write transaction: committed at the end of the block, rolled back when it raises."""
        with self._begun("begin immediate" if self.backend == "sqlite" else "begin") as tx:
            yield tx

    @contextmanager
    def read(self) -> Iterator[Tx]:
        """One read transaction."""
        with self._begun("begin" if self.backend == "sqlite" else "begin read only") as tx:
            yield tx

    @contextmanager
    def single_read(self) -> Iterator[Tx]:
        """For a single statement that reads: saves the round trips of a transaction, and tells nobody of a change."""
        with _unavailable(), self._engine.connect() as connection:
            yield Tx(connection, self.backend)

    @contextmanager
    def statement(self) -> Iterator[Tx]:
        """For a single statement that is its own transaction: saves the round trips of begin and commit."""
        with _unavailable(), self._engine.connect() as connection:
            yield Tx(connection, self.backend)

    @contextmanager
    def held(self) -> Iterator[Tx]:
        """For a single `run_held`: a statement that is its own transaction, except on SQLite, where it is two."""
        with self.transaction() if self.backend == "sqlite" else self.statement() as tx:
            yield tx

    def forget_inherited_connections(self) -> None:
        """In a forked child: leave the parent's connections alone and open new ones."""
        self._engine.dispose(close=False)

    def close(self) -> None:
        """Close the pool's connections."""
        self._engine.dispose()

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection that begins and ends its transactions itself, for the migrations."""
        with _unavailable(), self._engine.connect() as connection:
            yield connection

    @property
    def engine(self) -> Engine:
        """The SQLAlchemy engine; its pool is what a forked child must leave alone."""
        return self._engine

    @contextmanager
    def _begun(self, begin: str) -> Iterator[Tx]:
        with _unavailable():
            connection = self._begin(begin)
            try:
                yield Tx(connection, self.backend)
                connection.exec_driver_sql("commit")
            except BaseException:
                _roll_back(connection)
                raise
            finally:
                connection.close()

    def _begin(self, begin: str) -> Connection:
        """A connection with a transaction; a pooled one that died while it was idle is replaced once."""
        for retry in (True, False):
            connection = self._engine.connect()
            try:
                connection.exec_driver_sql(begin)
                return connection
            except exc.DBAPIError as error:
                connection.close()
                if not (retry and error.connection_invalidated):
                    raise
        raise AssertionError("unreachable: the second try returns or raises")


def _engine(url: str, pool_size: int) -> Engine:
    try:
        parsed = make_url(url)
    except (exc.ArgumentError, ValueError) as error:
        raise InvalidSettings(problems=f"- KEYSTROKE_DATABASE_URL: {error}") from error
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() not in ("postgresql", "sqlite"):
        raise InvalidSettings(
            problems="- KEYSTROKE_DATABASE_URL: must begin with sqlite:/// or postgresql://"
        )
    arguments: dict[str, Any] = (
        {"timeout": _BUSY_SECONDS, "isolation_level": None}
        if parsed.get_backend_name() == "sqlite"
        else {"connect_timeout": 5, "application_name": "keystroke"}
    )
    return create_engine(
        parsed, pool_size=pool_size, max_overflow=pool_size, pool_timeout=10, isolation_level="AUTOCOMMIT",
        pool_reset_on_return=None, connect_args=arguments,
    )  # fmt: skip


def _sqlite_setup(synchronous: str, offset: int) -> Any:
    def connected(connection: sqlite3.Connection, _record: Any) -> None:
        connection.create_function("keystroke_now", 0, lambda: time.time_ns() // 1000 + offset)
        for pragma in ("journal_mode = wal", f"synchronous = {synchronous}", "foreign_keys = on"):
            connection.execute(f"pragma {pragma}")

    return connected


def _postgresql_setup(offset: int) -> Any:
    def connected(connection: psycopg.Connection[Any], _record: Any) -> None:
        connection.autocommit = True  # transactions are begun and ended by `_begun`, in so many words
        connection.execute("select set_config('keystroke.clock_offset', %s, false)", (str(offset),))

    return connected


def _roll_back(connection: Connection) -> None:
    """End a failed transaction; a connection that cannot even do that is thrown away."""
    try:
        connection.exec_driver_sql("rollback")
    except (exc.DBAPIError, exc.PendingRollbackError):
        connection.invalidate()


@contextmanager
def _unavailable() -> Iterator[None]:
    """Tell a database that does not answer from a mistake in a statement."""
    try:
        yield
    except exc.TimeoutError as error:
        raise DatabaseUnavailable(why="all connections of the pool are in use") from error
    except (exc.OperationalError, exc.InterfaceError) as error:
        reason = str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else repr(error.orig)
        sqlite = isinstance(error.orig, sqlite3.Error)
        if str(getattr(error.orig, "sqlstate", None)).startswith(_LIMITS_OF_POSTGRESQL):
            raise
        if sqlite and not any(word in reason for word in _SQLITE_UNAVAILABLE):
            raise
        raise DatabaseUnavailable(why=reason) from error
    except exc.DBAPIError as error:
        if not error.connection_invalidated:
            raise
        raise DatabaseUnavailable(why=str(error.orig).strip()) from error
