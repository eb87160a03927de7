"""Answers that wait for the end of a run, and streams: they hold a thread, never a connection to the database."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Final, Protocol

from keystroke.domain.scope import Scope
from keystroke.domain.states import Status
from keystroke.errors import KeystrokeError
from keystroke.store import Database, Tx, history
from keystroke.telemetry import announce
from keystroke.telemetry.events import DatabaseAway, DatabaseBack

#: Seconds between looks without a hint: short while somebody has just begun to wait, since most runs that are waited for are
#: short.
_SHORT_PAUSE: Final = 0.05
_PAUSE: Final = 0.5
_SHORT_FOR: Final = 5.0
#: Seconds between looks however many hints come: a busy fleet gives several a second and process.
_HINTED_PAUSE: Final = 0.1


class Follower(Protocol):
    """Somebody who follows what happens, for as long as it pleases."""

    def look(self, tx: Tx) -> None:
        """Look for what is new; called by the reader thread."""

    def end(self) -> None:
        """Nothing more will come. Safe in a signal handler."""


class Hints(Protocol):
    """Where it is said that it is worth while to look now."""

    def start(self) -> None:
        """Begin to hear them."""

    def close(self) -> None:
        """Hear no more."""


class Waits:
    """Lets threads wait for runs, or follow them. One reader thread per process looks for all of them at once.

    It looks when it is hinted at, and every half second: hints may be lost, and come from whoever has a broker.
    """

    def __init__(self, database: Database, limit: int, hints: Callable[[Callable[[], None]], Hints]) -> None:
        """At most `limit` threads may wait or follow at a time; `hints` makes what calls its argument."""
        self._database = database
        self._limit = limit
        self._hints = hints(self.hint)
        self._hinted = False
        self._changed = threading.Condition()
        self._awaited: set[_Awaited] = set()
        self._followers: set[Follower] = set()
        self._awaited_at = self._followed_at = 0.0
        self._reader: threading.Thread | None = None
        self._closed = False
        self._away_since: float | None = None

    def until_terminal(self, scope: Scope, run_id: str, seconds: float) -> bool:
        """Wait until the run is terminal, at most so long; False at once where too many wait or the process ends."""
        awaited = _Awaited(scope, run_id)
        with self._changed:
            if self._closed or self._is_full:
                return False
            self._awaited.add(awaited)
            self._awaited_at = 0.0
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

    def follow(self, follower: Follower) -> bool:
        """Let the reader thread look for it until `unfollow`; False where too many follow or the process ends."""
        with self._changed:
            if self._closed or self._is_full:
                return False
            self._followers.add(follower)
            self._followed_at = 0.0
            self._read_on()
        if self._closed:  # as above
            follower.end()
        return True

    def unfollow(self, follower: Follower) -> None:
        """Look for it no longer."""
        with self._changed:
            self._followers.discard(follower)

    def hint(self) -> None:
        """Something has changed: look soon."""
        with self._changed:
            self._hinted = True
            self._changed.notify()

    def close(self) -> None:
        """End all waits and streams now, and every later one at once. Safe in a signal handler of the main thread."""
        self._closed = True
        for awaited in tuple(self._awaited):
            awaited.over.set()
        for follower in tuple(self._followers):
            follower.end()

    def finish(self) -> None:
        """Close, and wait until the reader thread has let go of the database; never in a signal handler."""
        self.close()
        self._hints.close()
        with self._changed:
            self._changed.notify_all()
        if self._reader is not None:
            self._reader.join(5)

    @property
    def _is_full(self) -> bool:
        return len(self._awaited) + len(self._followers) >= self._limit

    def _read_on(self) -> None:
        if self._reader is None:
            self._hints.start()
        if self._reader is None or not self._reader.is_alive():
            self._reader = threading.Thread(target=self._run, name="waits", daemon=True)
            self._reader.start()
        self._changed.notify()

    def _run(self) -> None:
        while not self._closed:
            with self._changed:
                while (pause := self._pause()) != 0:
                    self._changed.wait(pause)
                awaited, followers = self._take_due()
            self._look(awaited, followers)

    def _pause(self) -> float | None:
        """Seconds until the next look; None while nobody waits or follows. 0 at the end."""
        if self._closed:
            return 0
        newest = max((each.since for each in self._awaited), default=-inf)
        now = time.monotonic()
        waits = _SHORT_PAUSE if now - newest < _SHORT_FOR else self._spacing
        due = [self._awaited_at + waits] if self._awaited else []
        due += [self._followed_at + self._spacing] if self._followers else []
        return max(min(due) - now, 0.0) if due else None

    @property
    def _spacing(self) -> float:
        return _HINTED_PAUSE if self._hinted else _PAUSE

    def _take_due(self) -> tuple[tuple[_Awaited, ...], tuple[Follower, ...]]:
        """Who is looked for now: a look costs one statement for all waits together, and one for each follower."""
        now = time.monotonic()
        self._awaited_at = now
        if self._followers and now - self._followed_at < self._spacing:
            return tuple(self._awaited), ()
        self._followed_at, self._hinted = now, False
        return tuple(self._awaited), tuple(self._followers)

    def _look(self, awaited: tuple[_Awaited, ...], followers: tuple[Follower, ...]) -> None:
        if not awaited and not followers:
            return
        by_scope: defaultdict[Scope, list[_Awaited]] = defaultdict(list)
        for each in awaited:
            by_scope[each.scope].append(each)
        try:
            with self._database.read() as tx:
                for scope, group in by_scope.items():
                    _end_terminal(group, history.list_statuses(scope, tx, [each.run_id for each in group]))
                for follower in followers:
                    follower.look(tx)
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
