"""Two transactions that meet: the first holds its lock while a second party, in a thread, runs into it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import pytest

from keystroke.store import Database
from keystroke.store.sql import Sql
from support.waiting import wait_until

T = TypeVar("T")
_BLOCKED = Sql(
    "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
)


@pytest.fixture
def second() -> Iterator[ThreadPoolExecutor]:
    """The second party."""
    with ThreadPoolExecutor(1) as executor:
        yield executor


def blocked(database: Database, second: ThreadPoolExecutor, call: Callable[[], T]) -> Future[T]:
    """Let the second party run into the lock.

    On PostgreSQL the server itself says that it waits; SQLite lets one writer in at a time, whatever it writes.
    """
    future = second.submit(call)
    if database.backend == "postgresql":
        wait_until(lambda: _anybody_waits(database) or future.done(), timeout=10)
        assert not future.done(), "the second party went through while the first held the lock"
    return future


def _anybody_waits(database: Database) -> bool:
    with database.read() as tx:
        return tx.row(_BLOCKED) is not None
