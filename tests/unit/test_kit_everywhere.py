"""Whichever step an attempt dies at, before or after its record, the run comes to the same end."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from keystroke.authoring.project import LoadedProject, load_project
from keystroke.testing import TestKit, TestRun
from support.sources import ROOT

PARCELS = [{"order": "1"}, {"order": "2", "country": "XX"}, {"order": "1"}]
START = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def project() -> LoadedProject:
    """The examples of everything that a workflow can wait for and start."""
    return load_project(ROOT / "examples" / "durable")


@pytest.mark.parametrize(
    ("slug", "value"),
    [
        ("reminder", {}),
        ("embargo", {"title": "The book", "at": "2030-02-01T00:00:00Z"}),
        ("approval", {}),
        ("order", {"order": "7"}),
        ("orders", PARCELS),
        ("prices", ["pen", "ink", "paper"]),
        ("stock", ["pen", "ink", "paper"]),
        ("persistent", None),
        ("crunch", 5),
        ("thrifty", ["cats", "dogs", "birds"]),
        ("pipeline", {"broken": True}),
    ],
)
def test_a_crash_changes_nothing(project: LoadedProject, slug: str, value: Any) -> None:
    with TestKit(START) as kit:
        undisturbed = _through(kit, project, slug, value)
        expected, steps = _end_of(undisturbed), list(undisturbed.steps)
    assert steps
    for step in steps:
        for when in ("crash_before", "crash_after"):
            with TestKit(START) as kit:
                getattr(kit, when)(step)
                disturbed = _through(kit, project, slug, value)
                assert (when, step, _end_of(disturbed)) == (when, step, expected)
                assert sum(run.recoveries for run in kit.runs) == 1


def _through(kit: TestKit, project: LoadedProject, slug: str, value: Any) -> TestRun:
    result = kit.run(project.workflows[slug], value, skip_time=True)
    if result.status == "waiting_on_hook":
        kit.answer("approval", {"approved": True})
    return result


def _end_of(run: TestRun) -> tuple[Any, ...]:
    """What is not to differ: how it ended, what is on record of it, what it cost, and whom it started."""
    steps = [(step.identity, step.status, step.input, step.output) for step in run.steps.values()]
    shown = [each if not each[0].startswith(("hook:", "ask_boss", "run:")) else each[:2] for each in steps]
    error = run.error.message if run.error else None
    children = [(child.workflow, child.status, child.output) for child in run.children]
    return run.status, run.status_reason, run.output, error, sorted(shown), run.usage.total_cost, children
