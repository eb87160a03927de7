"""The quickstart does what its README says."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from keystroke.authoring.project import load_project
from keystroke.domain.states import Reason, Status
from keystroke.settings import Settings
from keystroke.store import Database
from support.attempts import Rig

QUICKSTART = Path(__file__).resolve().parents[2] / "examples" / "quickstart"
ADA = {"name": "Ada", "email": "ada@example.com"}


@pytest.fixture
def quickstart(sqlite_settings: Settings) -> Iterator[Rig]:
    """The quickstart, published, with a worker."""
    rig = Rig(Database.from_settings(sqlite_settings), sqlite_settings, load_project(QUICKSTART))
    yield rig
    rig.database.close()


def test_a_signup_takes_three_steps_one_of_them_tried_again(quickstart: Rig) -> None:
    for _ in range(2):  # each run has its first connection refused
        run = quickstart.run_through("signup-pipeline", ADA)
        assert (run.status, run.tags, run.total_cost) == (
            Status.SUCCESS,
            {"team": "sales"},
            Decimal("0.0142"),
        )
        assert run.output["brief"].startswith("Ada works at example.com.")
        steps = quickstart.steps(run.id)
        assert list(steps) == ["research#0", "score#0", "write_brief#0"]
        refusals = [each.error["message"] for each in steps["score#0"].tries]
        assert refusals == ["scoring.example refused the connection"]


def test_what_it_logs_and_prints_is_there(quickstart: Rig) -> None:
    run = quickstart.run_through("signup-pipeline", ADA)
    bodies = [line.body for line in quickstart.logs(run.id)]
    assert bodies == ["Looking up example.com", *["Asking the scoring service about ada@example.com"] * 2]


def test_the_card_is_declined_clearly_and_not_tried_again(quickstart: Rig) -> None:
    run = quickstart.run_through("charge-card", {})
    assert (run.status, run.status_reason) == (Status.FAILED, Reason.USER_ERROR)
    assert run.error is not None
    assert run.error["type"] == "actions.charge.CardDeclined"
    assert run.error["message"].startswith("The card of Ada Lovelace was declined")
    assert [frame["path"] for frame in run.error["stack"]] == [
        "workflows/charge_card.py",
        "actions/charge.py",
    ]
    assert quickstart.steps(run.id)["charge#0"].attempt == 1


def test_the_long_report_shows_its_progress(quickstart: Rig) -> None:
    run = quickstart.run_through("long-report", {"sections": 3, "seconds_per_section": 0})
    assert run.output == {"sections": 3, "words": 756}
    assert run.progress is not None
    assert (run.progress.fraction, run.progress.message) == (1.0, "Read section 3 of 3")
