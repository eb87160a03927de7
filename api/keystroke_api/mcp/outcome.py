"""What a tool answers, and what it says where something is wrong."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from keystroke.errors import KeystrokeError
from keystroke_api.problems import failure_document, problem_document

#: So many errors stand in the sentence itself.
_SUMMED_UP: Final = 3


@dataclass(frozen=True, slots=True)
class Outcome:
    """The structured content of a tool's answer, the same as text, and whether the call has failed.

    `more` is said to whoever reads the text alone; `run_id` is the run that the call has started.
    """

    structured: dict[str, Any]
    text: str
    failed: bool = False
    more: str | None = None
    run_id: str | None = None


def shown(structured: dict[str, Any], *, more: str | None = None, run_id: str | None = None) -> Outcome:
    """An answer whose text is its JSON, as clients read it that know no structured content."""
    text = json.dumps(structured, ensure_ascii=False, separators=(",", ":"))
    return Outcome(structured, text, more=more, run_id=run_id)


def refused(error: KeystrokeError) -> Outcome:
    """What was wrong, with the path of each thing, as the problem document that the API answers with."""
    problem = problem_document(error)
    lines = [problem["detail"]]
    if len(problem["errors"]) > _SUMMED_UP:
        lines += [f"- {each['path']}: {each['message']}" for each in problem["errors"]]
    return Outcome(problem, "\n".join(lines), failed=True)


def broken(error: Exception) -> Outcome:
    """Our own mistake, which goes to the log."""
    problem = failure_document(error)
    return Outcome(problem, problem["detail"], failed=True)
