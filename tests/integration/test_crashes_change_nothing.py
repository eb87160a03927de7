"""Whatever a run does, and wherever its attempts die: its final record is that of a run in which nothing died."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from textwrap import dedent
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from keystroke.authoring.project import load_project
from keystroke.settings import Settings
from keystroke.store import Database
from support.attempts import PREAMBLE, Rig
from support.programs import PLAYER, Play
from support.projects import write_project

_WORK: Final = st.fixed_dictionaries(
    {"do": st.just("work"), "how": st.sampled_from(["ok", "flaky", "broken"])}
)
_SLEEP: Final = st.fixed_dictionaries({"do": st.just("sleep"), "for": st.sampled_from([0, 7, 3600])})
_ASK: Final = st.fixed_dictionaries(
    {"do": st.just("ask"), "who": st.sampled_from(["early", "late", "nobody"]), "wait": st.booleans()}
)
_LEAVES: Final = st.lists(_WORK | _SLEEP | _ASK, max_size=3)
_CHILD: Final = st.fixed_dictionaries({"do": st.just("child"), "program": _LEAVES})
_BRANCHES: Final = st.fixed_dictionaries(
    {
        "do": st.just("branches"),
        "programs": st.lists(st.lists(_WORK | _SLEEP | _ASK | _CHILD, max_size=3), max_size=3),
    }
)
PROGRAMS: Final = st.lists(_WORK | _SLEEP | _ASK | _CHILD | _BRANCHES, max_size=4)
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


@pytest.fixture(scope="module")
def rig(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """One database for all examples; runs do not meet."""
    directory = tmp_path_factory.mktemp("programs")
    path = directory / "keystroke.db"
    path.write_bytes(migrated_sqlite.read_bytes())
    configured = Settings(
        database_url=f"sqlite:///{path}", secret_key=("the secret key of the tests",), project="demo",
        organization="default", sqlite_synchronous="NORMAL", recovery_budget=10_000,
    )  # fmt: skip
    project = write_project(directory / "project", {})
    (project / "workflows").mkdir(exist_ok=True)
    (project / "workflows" / "flows.py").write_text(PREAMBLE + dedent(PLAYER), encoding="utf-8")
    made = Rig(Database.from_settings(configured), configured, load_project(project))
    # Without one that stays, each step of the clock would close the last connection, and that writes all to the disk.
    with closing(sqlite3.connect(path)) as staying:
        staying.execute("select count(*) from runs").fetchone()
        yield made
    made.database.close()


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
    rig: Rig, workflow: str, program: list[Any], crashes: list[int], choices: list[int]
) -> None:
    calm = Play(rig, workflow, program, "a seed").to_the_end()
    shaken = Play(rig, workflow, program, "a seed", crashes, choices)
    assert shaken.to_the_end() == calm
    shaken.check_timelines()


@pytest.mark.parametrize("workflow", ["play", "play-async"])
def test_dying_at_every_point_changes_nothing(rig: Rig, workflow: str) -> None:
    program = _EVERYTHING
    calm = Play(rig, workflow, program, "a seed")
    expected = calm.to_the_end()
    died: set[str] = set()
    for name in dict.fromkeys(calm.crashes.names):
        shaken = Play(rig, workflow, program, "a seed", [name])
        assert shaken.to_the_end() == expected, f"died at {shaken.crashes.points}"
        died.update(shaken.crashes.points)
    assert died >= {
        "run-claiming", "run-claimed", "run-admitting", "run-admitted", "step-recording", "step-recorded", "step-executed",
        "wait-recording", "wait-recorded", "wait-ending", "wait-ended", "hook-creating", "hook-created", "hook-settling",
        "hook-settled", "child-starting", "child-started", "children-settling", "children-settled", "attempt-ending",
        "attempt-ended", "run-suspending", "run-suspended", "run-waking", "run-woken", "hook-answering", "hook-answered",
    }  # fmt: skip
