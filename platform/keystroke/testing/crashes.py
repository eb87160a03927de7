"""Deaths of attempts, right before or after a step goes on record."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from keystroke.domain.step import Step

When = Literal["before", "after"]


@dataclass(frozen=True, slots=True)
class Crash:
    """One that is still to come: `step` is an identity (`score#0`), or a key (`score`), which is any call of it."""

    when: When
    step: str

    def fits(self, when: When, step: Step) -> bool:
        """Whether this is the moment."""
        name = step.identity if "#" in self.step else step.key
        return self.when == when and self.step == name

    def __str__(self) -> str:
        """As the test wrote it."""
        return f'crash_{self.when}("{self.step}")'


@dataclass
class Crashes:
    """The crashes that a test has asked for, each of which happens once."""

    to_come: list[Crash] = field(default_factory=list)
    #: (run id, attempt) of those that have happened and are to be recovered.
    dead: set[tuple[str, int]] = field(default_factory=set)

    def strikes(self, when: When, step: Step, attempt: tuple[str, int]) -> bool:
        """Whether the attempt dies here; that crash is over then."""
        crash = next((each for each in self.to_come if each.fits(when, step)), None)
        if crash is None:
            return False
        self.to_come.remove(crash)
        self.dead.add(attempt)
        return True
