"""The live values behind references to secrets: what the check of a delivery asks for."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

from keystroke.box import Box
from keystroke.errors import SecretUnreadable
from keystroke.store import Database, secrets
from keystroke.telemetry import announce
from keystroke.telemetry.events import SecretNotRead
from keystroke.verify.reference import SecretReference

#: Seconds for which a value is taken from memory: so long at most one that was deleted is still taken for good.
_KEPT: Final = 0.5
_MOST_KEPT: Final = 1_000


class Secrets:
    """Reads the secrets of all projects for one process. Values are in memory for half a second, and nowhere else."""

    def __init__(
        self,
        database: Database,
        box: Box,
        environ: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` counts seconds, for what is kept in memory alone."""
        self._database, self._box, self._environ, self._clock = database, box, environ, clock
        self._kept: dict[tuple[str, str], tuple[float, tuple[str, ...]]] = {}

    def of(self, project_id: str) -> Callable[[str], Sequence[str]]:
        """What `keystroke.verify.check.verify` asks: the live values of a reference, none where it is not set."""
        return partial(self.live, project_id)

    def live(self, project_id: str, reference: str) -> Sequence[str]:
        """The live values: `env:NAME` holds one or several, separated by blanks; `operator:NAME` one, or two for a while.

        Raises ValueError for what is no reference, DatabaseUnavailable.
        """
        found = SecretReference.parse(reference)
        if found.origin == "env":
            return self._environ.get(found.name, "").split()
        place, now = (project_id, found.name), self._clock()
        until, values = self._kept.get(place, (now, ()))
        if until > now:
            return values
        values = self._read(project_id, found.name)
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept[place] = (now + _KEPT, values)
        return values

    def is_kept(self, project_id: str, name: str) -> bool:
        """Whether there is such an `operator:` secret at all: one without live values was encrypted with a key that is gone."""
        with self._database.single_read() as tx:
            return bool(secrets.live_tokens(tx, project_id, name))

    def forget(self, project_id: str, name: str) -> None:
        """Read a secret anew the next time: it was changed in this very process."""
        self._kept.pop((project_id, name), None)

    def _read(self, project_id: str, name: str) -> tuple[str, ...]:
        with self._database.single_read() as tx:
            tokens = secrets.live_tokens(tx, project_id, name)
        values = (self._opened(name, token) for token in tokens)
        return tuple(value for value in values if value is not None)

    def _opened(self, name: str, token: str) -> str | None:
        try:
            return self._box.decrypt(token)
        except SecretUnreadable as error:
            announce(SecretNotRead(secret=name, why=str(error)))
            return None
