"""What a round is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from keystroke.broker.control import Control
from keystroke.broker.wakeups import Wakeups
from keystroke.settings import Settings
from keystroke.store import Database


@dataclass(frozen=True, slots=True)
class Means:
    """What the rounds work with."""

    settings: Settings
    database: Database
    wakeups: Wakeups
    control: Control


class Round(Protocol):
    """One kind of maintenance, done again and again."""

    @property
    def every(self) -> float:
        """Seconds between two rounds."""

    def run(self, means: Means) -> None:
        """Do it once; raises DatabaseUnavailable, and is then tried again at its next time."""
