"""How much of its time a run has left in this attempt: what its workflow allows, less what earlier attempts worked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from keystroke.domain.bounds import out_of_time
from keystroke.domain.outcome import Failed
from keystroke.domain.states import Reason


class TimeLimit:
    """Counts from now on."""

    def __init__(self, timeout: timedelta | None, before: timedelta, monotonic: Callable[[], float]) -> None:
        """`timeout` None: no limit; `before`: what earlier attempts worked."""
        self._timeout = timeout
        self._before = before
        self._monotonic = monotonic
        self._began = monotonic()

    @property
    def is_over(self) -> bool:
        """Whether the run has worked for as long as it may."""
        return self._timeout is not None and self.worked >= self._timeout

    @property
    def worked(self) -> timedelta:
        """How long the run has worked, all attempts together."""
        return self._before + timedelta(seconds=self._monotonic() - self._began)

    def failure(self) -> Failed:
        """How the run ends when its time is over."""
        failure = out_of_time(self.worked, self._timeout or timedelta())
        return Failed(failure, Reason.TIMEOUT, counts=False)
