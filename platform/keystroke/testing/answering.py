"""Answers to hooks, given by whoever a test plays."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from keystroke.authoring.codec import Codec
from keystroke.domain.asking import Asking, AskingStatus
from keystroke.domain.secrets import HOOK_TOKEN
from keystroke.operations.answer_hook import find_asking
from keystroke.store import Database
from keystroke.testing.problems import KitProblem


def choose_hook(database: Database, asked: list[Asking], wanted: str) -> Asking:
    """The hook that a test means, among those that were asked: by name, by its step's identity, or by its link or token.

    One that waits before one that does not. KitProblem where there is none, or more than one that waits.
    """
    token = HOOK_TOKEN.search(wanted)
    if token is not None:
        return find_asking(database, token[0])
    named = [each for each in asked if wanted in (each.hook.name, each.hook.step)]
    waiting = [each for each in named if each.status is AskingStatus.WAITING]
    if len(waiting) > 1:
        steps = ", ".join(f"{each.hook.step} of {each.hook.run_id}" for each in waiting)
        raise KitProblem(what=f"several hooks {wanted} wait: {steps}. Name the step, or give run=")
    if not named:
        known = ", ".join(sorted({each.hook.name for each in asked})) or "none at all"
        raise KitProblem(what=f"no run has asked for a hook {wanted}; there are: {known}")
    return (waiting or named)[0]


def answer_json(value: Any) -> Any:
    """The answer as it would be sent: a model as its fields, secrets readable."""
    return Codec(type(value), "input").dump(value, "answer") if isinstance(value, BaseModel) else value
