"""Programs of durable calls, drawn at random, and a rig that plays them one after the other."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from textwrap import dedent
from typing import Final

import pytest
from hypothesis import strategies as st

from keystroke.authoring.project import load_project
from keystroke.settings import Settings
from keystroke.store import Database
from support.attempts import PREAMBLE, Rig
from support.programs import PLAYER
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


@pytest.fixture(scope="module")
def play_rig(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
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
