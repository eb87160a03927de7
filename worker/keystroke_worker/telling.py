"""The worker's database, which tells whoever follows its project's runs of each commit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from keystroke.store import Database, Tx


class TellingDatabase(Database):
    """A database whose writes are told of. A child sets `tell` when it has made its way to the broker."""

    tell: Callable[[], None] | None = None

    @contextmanager
    def transaction(self) -> Iterator[Tx]:
        """One write transaction, told of after its commit."""
        with super().transaction() as tx:
            yield tx
        self._committed()

    @contextmanager
    def statement(self) -> Iterator[Tx]:
        """A single statement that is its own transaction, told of when it has succeeded."""
        with super().statement() as tx:
            yield tx
        self._committed()

    def _committed(self) -> None:
        if self.tell is not None:
            self.tell()
