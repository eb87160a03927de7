"""Recorded runs, replayed against today's code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keystroke.authoring.project import LoadedProject
from keystroke.box import Box
from keystroke.domain.failure import Failure
from keystroke.domain.outcome import Completed, Failed
from keystroke.domain.recorded_run import RecordedRun
from keystroke.execution.rehearsal import Mismatch, rehearse
from keystroke.settings import Settings
from keystroke.testing.problems import KitProblem


def read_recording(recorded: Mapping[str, Any] | Path | str) -> RecordedRun:
    """The recorded run in a document, or in the file that holds it as JSON. KitProblem where it is something else."""
    try:
        document = (
            recorded if isinstance(recorded, Mapping) else json.loads(Path(recorded).read_text("utf-8"))
        )
        return RecordedRun.from_json(dict(document))
    except (KeyError, TypeError, ValueError) as error:
        raise KitProblem(what=f"this is no recorded run: {type(error).__name__}: {error}") from error


@dataclass(frozen=True, slots=True)
class Replayed:
    """A recorded run that today's code matches, as far as it came.

    `ended`: it came to its end by what is on record, and returned `output` (None where it raised `error`); otherwise it came
    to a call that is not on record. `unused`: recorded steps that it did not come by until then.
    """

    ended: bool
    output: Any
    error: Failure | None
    unused: tuple[str, ...]


def replay(loaded: LoadedProject, recorded: RecordedRun, box: Box, settings: Settings) -> Replayed:
    """Execute the code by what is on record, no action's body. KitProblem where the two differ."""
    found = rehearse(loaded, recorded, box, settings)
    beginning = f"the code does not match the recorded run {recorded.id}"
    if isinstance(found, Mismatch):
        raise KitProblem(what=f"{beginning}: {found.message}")
    outcome, unused = found.outcome, found.unused
    if outcome is not None and unused:
        raise KitProblem(what=f"{beginning}: it comes to its end without {', '.join(unused)}")
    output = outcome.output if isinstance(outcome, Completed) else None
    error = outcome.failure if isinstance(outcome, Failed) else None
    return Replayed(outcome is not None, output, error, unused)
