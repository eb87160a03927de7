"""Answers that wait for the end of a run: they hold a thread, never a connection to the database."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from keystroke.domain.scope import Scope
from keystroke.domain.states import Status
from keystroke.errors import KeystrokeError
from keystroke.store import Database, history
from keystroke.telemetry import announce
from keystroke.telemetry.events import DatabaseAway, DatabaseBack

#: Seconds between looks: short while somebody has just begun to wait, since most runs that are waited for are short.
_SHORT_PAUSE: Final = 0.05
_LONG_PAUSE: Final = 0.25
_SHORT_FOR: Final = 5.0


class Waits:
    """Lets threads wait for runs. One reader thread per process looks at all awaited runs at once."""

    def __init__(self, database: Database, limit: int) -> None:
        """At most `limit` threads may wait at a time."""
        self._database = database
        self._limit = limit
        self._changed = threading.Condition()
        self._awaited: set[_Awaited] = set()
        self._reader: threading.Thread | None = None
        self._closed = False
        self._away_since: float | None = None

    def until_terminal(self, scope: Scope, run_id: str, seconds: float) -> bool:
        """Wait until the run is terminal, at most so long; False at once where too many wait or the process ends."""
        awaited = _Awaited(scope, run_id)
        with self._changed:
            if self._closed or len(self._awaited) >= self._limit:
                return False
            self._awaited.add(awaited)
            self._read_on()
        if (
            self._closed
        ):  # it was closed between the look above and the entry in the set, which `close` then missed
            awaited.over.set()
        try:
            awaited.over.wait(seconds)
        finally:
            with self._changed:
                self._awaited.discard(awaited)
        return awaited.terminal

    def close(self) -> None:
        """End all waits now, and every later one at once. Safe in a signal handler of the main thread."""
        self._closed = True
        for awaited in tuple(self._awaited):
            awaited.over.set()

    def _read_on(self) -> None:
        if self._reader is None or not self._reader.is_alive():
            self._reader = threading.Thread(target=self._run, name="waits", daemon=True)
            self._reader.start()
        self._changed.notify()

    def _run(self) -> None:
        while not self._closed:
            with self._changed:
                while not self._awaited and not self._closed:
                    self._changed.wait()
                awaited = tuple(self._awaited)
            self._look(awaited)
            newest = max((each.since for each in awaited), default=0.0)
            recent = time.monotonic() - newest < _SHORT_FOR
            with self._changed:
                self._changed.wait(_SHORT_PAUSE if recent else _LONG_PAUSE)

    def _look(self, awaited: tuple[_Awaited, ...]) -> None:
        by_scope: defaultdict[Scope, list[_Awaited]] = defaultdict(list)
        for each in awaited:
            by_scope[each.scope].append(each)
        try:
            with self._database.read() as tx:
                for scope, group in by_scope.items():
                    _end_terminal(group, history.list_statuses(scope, tx, [each.run_id for each in group]))
        except KeystrokeError as error:
            self._note_away(error)
        else:
            self._note_back()

    def _note_away(self, error: KeystrokeError) -> None:
        """The waits go on: the database may be back before their time is over."""
        if self._away_since is None:
            self._away_since = time.monotonic()
            announce(DatabaseAway(why=str(error)))

    def _note_back(self) -> None:
        if self._away_since is not None:
            announce(DatabaseBack(away_seconds=round(time.monotonic() - self._away_since, 1)))
            self._away_since = None


def _end_terminal(group: Sequence[_Awaited], statuses: Mapping[str, Status]) -> None:
    for each in group:
        # A run that is gone has ended too.
        if each.run_id not in statuses or statuses[each.run_id].terminal:
            each.end()


class _Awaited:
    """One thread's wait for one run."""

    __slots__ = ("over", "run_id", "scope", "since", "terminal")

    def __init__(self, scope: Scope, run_id: str) -> None:
        self.scope = scope
        self.run_id = run_id
        self.since = time.monotonic()
        self.over = threading.Event()
        self.terminal = False

    def end(self) -> None:
        """The run has reached its end."""
        self.terminal = True
        self.over.set()
