"""The examples, all of them, on real workers: each does what its page says."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from keystroke.box import Box
from keystroke.broker.control import Control
from keystroke.broker.wakeups import Wakeups
from keystroke.domain.actor import LOCAL_OWNER
from keystroke.domain.asking import AskingStatus
from keystroke.domain.filters import Page, RunFilter
from keystroke.domain.run import Run
from keystroke.operations.answer_hook import answer_by_id
from keystroke.operations.replay_run import ReplayRequest, replay_run
from keystroke.settings import Settings
from keystroke.store import Database, access, answers, history
from support.documents import run_its_tests
from support.processes import Processes
from support.sources import ROOT
from support.waiting import wait_until
from support.worker_fleet import PATIENCE, WorkerFleet

EXAMPLES = ROOT / "examples" / "durable"
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__")


@dataclass(frozen=True)
class Example:
    """A start, and how it is to end."""

    workflow: str
    input: Any = None
    status: str = "success"
    reason: str | None = None
    output: Any = None


SOON = (datetime.now(UTC) + timedelta(seconds=3)).isoformat()
PARCELS = [{"order": "1"}, {"order": "2", "country": "XX"}, {"order": "3", "country": "DE"}]
ROWS = {"customer": "Ada"}
SENT = [f"reminder {number} to Ada" for number in (1, 2, 3)]
#: Those that need nobody but themselves.
ALONE = (
    Example("reminder", {"pause": "300ms"}, output=SENT),
    Example("embargo", {"title": "The book", "at": SOON}, output="The book is out"),
    Example("approval", {"patience": "1s"}, output="nobody has answered"),
    Example("order", {"order": "7"}, output="shipped as FR-7"),
    Example("prices", ["pen", "paper"], output={"pen": 300, "paper": 500}),
    Example("stock", ["pen", "paper"], output=8),
    Example("survey", {}, "failed", "timeout"),
    Example("persistent", output="The meter says 42."),
    Example("nightly-report", output=f"report of {datetime.now(UTC):%A}"),
    Example("fire-alarm", output="everybody is out"),
    Example("crunch", 300, output=sum(number * number for number in range(300))),
    Example("thrifty", ["cats", "dogs", "birds"], "failed", "budget_exceeded"),
    Example("import-rows", ROWS, output="rows of Ada"),
    Example("import-rows", ROWS, output="rows of Ada"),
    Example("newsletter", ROWS, output="rows of Ada"),
    Example("newsletter", ROWS, output="rows of Ada"),
    Example("newsletter", ROWS, output="rows of Ada"),
)


@pytest.fixture
def examples(
    sqlite_settings: Settings, broker_url: str, processes: Processes, tmp_path: Path
) -> Iterator[WorkerFleet]:
    """The project, and a worker and a beat that serve it."""
    directory = Path(shutil.copytree(EXAMPLES, tmp_path / "durable", ignore=LEFT_OUT))
    settings = replace(
        sqlite_settings, broker_url=broker_url, project="durable", queues=("default", "reports"), concurrency=3,
        log_format="json",
    )  # fmt: skip
    database, wakeups, control = Database.from_settings(settings), Wakeups(settings), Control(settings)
    fleet = WorkerFleet(settings, database, processes, directory, wakeups, control)
    fleet.start_worker(beat=True)
    yield fleet
    wakeups.close()
    control.close()
    database.close()


def test_its_own_tests_pass() -> None:
    ran = run_its_tests(EXAMPLES)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_every_example_ends_as_its_page_says(examples: WorkerFleet) -> None:
    started = [(example, examples.start(example.workflow, example.input)) for example in ALONE]
    _somebody_answers(examples)
    _the_newest_counts(examples)
    _a_failed_child_is_told(examples)
    _somebody_is_told_of_a_failure(examples)
    _a_replay_begins_with_what_was_done(examples)
    for example, run_id in started:
        run = _ended(examples, run_id)
        said = (run.workflow, run.status, run.status_reason, run.output)
        assert said == (example.workflow, example.status, example.reason, example.output), run.error


def _somebody_answers(fleet: WorkerFleet) -> None:
    run_id = fleet.start("approval", {})
    fleet.wait(run_id, "waiting_on_hook")
    with fleet.database.read() as tx:
        (asking,) = answers.list_hooks(fleet.scope, tx, status=AskingStatus.WAITING, run_id=run_id, limit=2)
    taken = answer_by_id(
        fleet.database, fleet.scope, asking.hook.id, {"approved": True}, LOCAL_OWNER, None, fleet.settings,
        Box(fleet.settings.secret_key),
    )  # fmt: skip
    fleet.wakeups.wake_all(taken.woken)
    assert _ended(fleet, run_id).output == "a printer is ordered"


def _the_newest_counts(fleet: WorkerFleet) -> None:
    task = {"customer": "Bob", "pause": "2s"}
    first = fleet.start("sync", task)
    skipped = _ended(fleet, fleet.start("sync", task))
    assert (skipped.status, skipped.status_reason) == ("canceled", "concurrency_skipped")
    older, newer = fleet.start("preview", task), fleet.start("preview", task)
    replaced = _ended(fleet, older)
    assert (replaced.status, replaced.status_reason) == ("canceled", "concurrency_replaced")
    assert [_ended(fleet, run_id).output for run_id in (first, newer)] == ["rows of Bob"] * 2


def _a_failed_child_is_told(fleet: WorkerFleet) -> None:
    labels = _ended(fleet, fleet.start("orders", PARCELS)).output
    assert labels == {"1": "FR-1", "2": "not shipped: There is no way to XX.", "3": "DE-3"}


def _somebody_is_told_of_a_failure(fleet: WorkerFleet) -> None:
    assert _ended(fleet, fleet.start("risky")).status == "failed"
    wait_until(lambda: bool(_runs(fleet, "alert")), PATIENCE, what="the alert is started")
    (alert,) = _runs(fleet, "alert")
    assert _ended(fleet, alert.id).output == "called: risky failed: the pump is dry"


def _a_replay_begins_with_what_was_done(fleet: WorkerFleet) -> None:
    failed = _ended(fleet, fleet.start("pipeline", {"rows": 4, "broken": True}))
    assert failed.status == "failed"
    with fleet.database.read() as tx:
        project = access.get_project(fleet.scope, tx, "durable")
    request = ReplayRequest(failed.id, LOCAL_OWNER, from_step="load#0")
    replayed = replay_run(
        fleet.database, fleet.scope, request, fleet.settings, Box(fleet.settings.secret_key)
    )
    fleet.wakeups.wake(project.id, replayed.queue)
    again = _ended(fleet, replayed.run_id)
    assert (again.status, again.replay_of) == ("failed", failed.id)
    steps = {step.identity: step.copied_from for step in fleet.steps(again.id)}
    assert steps == {"extract#0": failed.id, "transform#0": failed.id, "load#0": None}


def _ended(fleet: WorkerFleet, run_id: str) -> Run:
    wait_until(lambda: fleet.run(run_id).status.terminal, PATIENCE, what=f"{fleet.run(run_id)} has ended")
    return fleet.run(run_id)


def _runs(fleet: WorkerFleet, workflow: str) -> list[Run]:
    scope = fleet.scope
    with fleet.database.read() as tx:
        return history.list_runs(scope, tx, RunFilter(workflow=(workflow,)), Page()).runs
