"""Whatever a run does, and wherever its attempts die: its final record is that of a run in which nothing died."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from support.attempts import Rig
from support.playing import PROGRAMS
from support.programs import Play

#: The passings of crash points at which something dies, and what comes next where several things can.
CRASHES: Final = st.lists(st.integers(1, 80), max_size=12)
CHOICES: Final = st.lists(st.integers(0, 3), max_size=30)
_EVERYTHING: Final[list[Any]] = [
    {"do": "work", "how": "flaky"},
    {"do": "ask", "who": "early", "wait": False},
    {
        "do": "branches",
        "programs": [
            [{"do": "sleep", "for": 7}, {"do": "work", "how": "ok"}],
            [
                {"do": "ask", "who": "nobody", "wait": True},
                {"do": "child", "program": [{"do": "sleep", "for": 7}]},
            ],
            [{"do": "work", "how": "broken"}, {"do": "ask", "who": "late", "wait": True}],
        ],
    },
    {"do": "sleep", "for": 3600},
]


@pytest.mark.parametrize("workflow", ["play", "play-async"])
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(program=PROGRAMS, crashes=CRASHES, choices=CHOICES)
@example(program=_EVERYTHING, crashes=list(range(1, 80, 2)), choices=[2, 1, 1])
@example(program=_EVERYTHING, crashes=list(range(2, 80, 3)), choices=[])
def test_the_record_is_that_of_a_run_without_crashes(
    play_rig: Rig, workflow: str, program: list[Any], crashes: list[int], choices: list[int]
) -> None:
    calm = Play(play_rig, workflow, program, "a seed").to_the_end()
    shaken = Play(play_rig, workflow, program, "a seed", crashes, choices)
    assert shaken.to_the_end() == calm
    shaken.check_timelines()


@pytest.mark.parametrize("workflow", ["play", "play-async"])
def test_dying_at_every_point_changes_nothing(play_rig: Rig, workflow: str) -> None:
    program = _EVERYTHING
    calm = Play(play_rig, workflow, program, "a seed")
    expected = calm.to_the_end()
    died: set[str] = set()
    for name in dict.fromkeys(calm.crashes.names):
        shaken = Play(play_rig, workflow, program, "a seed", [name])
        assert shaken.to_the_end() == expected, f"died at {shaken.crashes.points}"
        died.update(shaken.crashes.points)
    assert died >= {
        "run-claiming", "run-claimed", "run-admitting", "run-admitted", "step-recording", "step-recorded", "step-executed",
        "wait-recording", "wait-recorded", "wait-ending", "wait-ended", "hook-creating", "hook-created", "hook-settling",
        "hook-settled", "child-starting", "child-started", "children-settling", "children-settled", "attempt-ending",
        "attempt-ended", "run-suspending", "run-suspended", "run-waking", "run-woken", "hook-answering", "hook-answered",
    }  # fmt: skip
