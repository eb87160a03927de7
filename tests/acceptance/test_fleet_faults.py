"""What dies or goes away costs time, and nothing else."""

from __future__ import annotations

import signal
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from keystroke.settings import Settings
from keystroke.store import Database
from support.processes import Started, environment_of
from support.servers import PostgreSQL, Valkey
from support.waiting import wait_until
from support.worker_fleet import PATIENCE, WorkerFleet

pytestmark = pytest.mark.timeout(180)


def in_step_two(fleet: WorkerFleet) -> tuple[str, int]:
    """A run that holds in its second step, and the process that executes it."""
    run_id = fleet.start("three")
    lines = wait_until(
        lambda: [line for line in fleet.marks("steps") if line.startswith(f"{run_id} 2")],
        PATIENCE,
        what="step 2 runs",
    )
    return run_id, int(lines[0].split()[2])


def release(fleet: WorkerFleet) -> None:
    """Let second steps end."""
    (fleet.directory / "release").touch()


def executions(fleet: WorkerFleet, run_id: str) -> dict[str, int]:
    """How often each step of the run was executed."""
    steps = [line.split()[1] for line in fleet.marks("steps") if line.startswith(run_id)]
    return {step: steps.count(step) for step in sorted(set(steps))}


@pytest.mark.parametrize("worker_fleet", ["sqlite", "postgresql"], indirect=True)
def test_kill_9_of_a_child_resumes_the_run_without_repeating_what_is_recorded(
    worker_fleet: WorkerFleet,
) -> None:
    worker_fleet.start_worker()
    run_id, child = in_step_two(worker_fleet)
    psutil.Process(child).kill()
    wait_until(lambda: worker_fleet.run(run_id).attempt == 2, PATIENCE, what="another attempt has it")
    release(worker_fleet)
    run = worker_fleet.wait(run_id, "success")
    assert (run.attempt, run.recoveries, run.failures) == (2, 1, 0)
    assert executions(worker_fleet, run_id) == {"1": 1, "2": 2, "3": 1}


@pytest.mark.parametrize(
    "place",
    ["step-executed", "attempt-ended"],
)
def test_a_child_that_dies_at_any_place_costs_time_alone(
    worker_fleet: WorkerFleet, tmp_path: Path, place: str
) -> None:
    marker = tmp_path / "crashed"
    worker_fleet.start_worker(KEYSTROKE_CRASH_AT=f"{place}:{marker}")
    runs = [worker_fleet.start("brief") for _ in range(4)]
    for run_id in runs:
        run = worker_fleet.wait(run_id, "success")
        assert (run.failures, run.output) == (0, 10)
    assert marker.exists(), "a child has died there"
    repeated = [count for run_id in runs for count in executions(worker_fleet, run_id).values() if count > 1]
    assert repeated == ([2] if place == "step-executed" else []), "only what was not on record is repeated"


def test_kill_9_of_idle_children_stops_nobody(worker_fleet: WorkerFleet) -> None:
    worker = worker_fleet.start_worker()
    worker_fleet.wait(worker_fleet.start("noop"), "success")
    for _ in range(5):
        for child in worker.children():
            child.kill()
            child.wait(10)
        wait_until(lambda: len(worker.children()) == 2, PATIENCE, what="both children are replaced")
        worker_fleet.wait(worker_fleet.start("noop"), "success")


def test_kill_9_of_a_worker_takes_all_it_started_along_and_its_run_resumes_elsewhere(
    worker_fleet: WorkerFleet,
) -> None:
    settings = replace(worker_fleet.settings, dead_after=3.0)
    first = worker_fleet.start_worker(beat=True, settings=settings)
    run_id, _ = in_step_two(worker_fleet)
    worker_fleet.wait(worker_fleet.start("swallow"), "running")
    wait_until(lambda: worker_fleet.marks("helper"), PATIENCE, what="it has started a process of its own")
    descendants = first.children()
    assert len(descendants) == 3
    first.kill()
    gone, alive = psutil.wait_procs(descendants, timeout=5)
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == [], gone
    worker_fleet.start_worker(settings=settings)
    release(worker_fleet)
    run = worker_fleet.wait(run_id, "success")
    assert (run.attempt, run.recoveries) == (2, 1)
    assert executions(worker_fleet, run_id) == {"1": 1, "2": 2, "3": 1}


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_drained_worker_hands_its_runs_back_and_exits_with_0(
    worker_fleet: WorkerFleet, how: signal.Signals
) -> None:
    worker = worker_fleet.start_worker()
    run_id, child = in_step_two(worker_fleet)
    worker.send(how)
    worker.wait_for("worker_draining")
    psutil.Process(child).send_signal(signal.SIGTERM)
    worker.send(signal.SIGTERM)
    worker.send(signal.SIGINT)
    assert worker.wait() == 0
    run = worker_fleet.run(run_id)
    assert (run.status, run.attempt, run.recoveries, run.failures) == ("queued", 1, 0, 0)
    release(worker_fleet)
    worker_fleet.start_worker()
    assert worker_fleet.wait(run_id, "success").attempt == 2
    assert executions(worker_fleet, run_id) == {"1": 1, "2": 2, "3": 1}


def test_an_attempt_that_ends_within_the_grace_is_not_interrupted(worker_fleet: WorkerFleet) -> None:
    worker = worker_fleet.start_worker(settings=replace(worker_fleet.settings, drain_grace=PATIENCE))
    run_id, _ = in_step_two(worker_fleet)
    worker.send(signal.SIGTERM)
    worker.wait_for("worker_draining")
    release(worker_fleet)
    assert worker.wait() == 0
    assert (worker_fleet.run(run_id).status, worker_fleet.run(run_id).attempt) == ("success", 1)


def test_without_redis_runs_are_executed_and_after_its_return_too(
    worker_fleet: WorkerFleet, valkey_server: Valkey
) -> None:
    worker = worker_fleet.start_worker()
    worker_fleet.wait(worker_fleet.start("noop"), "success")
    valkey_server.stop()
    try:
        for _ in range(3):
            worker_fleet.wait(worker_fleet.start("noop"), "success", 10)
        _, child = in_step_two(worker_fleet)
        psutil.Process(child).kill()
        worker_fleet.wait(worker_fleet.start("noop"), "success", 10)
        so_far = len(worker.lines)
    finally:
        valkey_server.start()
    worker.wait_for("broker_back", after=so_far)
    worker_fleet.wait(worker_fleet.start("noop"), "success", 10)


@pytest.mark.parametrize("worker_fleet", ["sqlite", "postgresql"], indirect=True)
def test_a_frozen_worker_loses_its_run_and_comes_back_as_a_new_one(worker_fleet: WorkerFleet) -> None:
    settings = replace(worker_fleet.settings, dead_after=3.0)
    frozen = worker_fleet.start_worker(beat=True, settings=settings)
    run_id, _ = in_step_two(worker_fleet)
    stopped = [frozen.pid, *(process.pid for process in frozen.children())]
    for pid in stopped:
        psutil.Process(pid).suspend()
    worker_fleet.start_worker(settings=settings)
    wait_until(lambda: worker_fleet.run(run_id).attempt == 2, PATIENCE, what="it was taken over")
    so_far = len(frozen.lines)
    for pid in stopped:
        psutil.Process(pid).resume()
    frozen.wait_for("worker_registered", PATIENCE, after=so_far)
    frozen.wait_for("lease_was_lost|no longer holds", PATIENCE, after=so_far)
    release(worker_fleet)
    run = worker_fleet.wait(run_id, "success")
    assert (run.attempt, run.recoveries) == (2, 1)
    assert executions(worker_fleet, run_id) == {"1": 1, "2": 2, "3": 1}
    assert frozen.stop() == 0


def test_beats_end_promptly_and_wait_for_a_database_that_is_away(
    worker_fleet: WorkerFleet, postgresql_server: PostgreSQL, postgresql_settings: Settings
) -> None:
    settings = replace(postgresql_settings, broker_url=worker_fleet.settings.broker_url, log_format="json")
    beats = [worker_fleet.processes.keystroke("beat", settings=settings) for _ in range(2)]
    for beat in beats:
        beat.wait_for("beat_started", PATIENCE)
    postgresql_server.stop()
    try:
        for beat in beats:
            beat.wait_for("database_away")
    finally:
        postgresql_server.start()
    for beat in beats:
        beat.wait_for("database_back")
        assert beat.output.count("database_away") == 1
    assert [beat.stop(5) for beat in beats] == [0, 0]


def test_a_worker_outlives_its_database(
    worker_fleet: WorkerFleet, postgresql_server: PostgreSQL, postgresql_settings: Settings
) -> None:
    worker_fleet.database = Database.from_settings(postgresql_settings)
    worker_fleet.settings = replace(worker_fleet.settings, database_url=postgresql_settings.database_url)
    worker = worker_fleet.start_worker()
    run_id, _ = in_step_two(worker_fleet)
    postgresql_server.stop(signal.SIGQUIT)
    try:
        release(worker_fleet)
        worker.wait_for("database_away")
    finally:
        postgresql_server.start()
    run = worker_fleet.wait(run_id, "success")
    assert (run.attempt, run.recoveries) == (1, 0)
    assert executions(worker_fleet, run_id) == {"1": 1, "2": 1, "3": 1}
    assert worker.stop() == 0
    worker_fleet.database.close()


def test_celery_starts_the_same_worker_and_no_other_pool(worker_fleet: WorkerFleet) -> None:
    command = [sys.executable, "-m", "celery", "-A", "keystroke_worker.app", "worker"]
    place = {"directory": worker_fleet.directory}
    variables = environment_of(worker_fleet.settings)
    other = worker_fleet.processes.start([*command, "--pool", "threads"], **place, variables=variables)
    assert other.wait() != 0
    assert "prefork pool only" in other.output
    worker = worker_fleet.processes.start(command, **place, variables=variables)
    worker.wait_for("worker_registered", PATIENCE)
    worker_fleet.wait(worker_fleet.start("noop"), "success")
    assert worker.stop() == 0


def test_a_worker_starts_without_redis(worker_fleet: WorkerFleet, valkey_server: Valkey) -> None:
    valkey_server.stop()
    try:
        worker_fleet.start_worker()
        worker_fleet.wait(worker_fleet.start("noop"), "success")
    finally:
        valkey_server.start()


def test_what_is_wrong_with_a_project_is_said_and_the_exit_code_is_2(
    worker_fleet: WorkerFleet, tmp_path: Path
) -> None:
    broken = worker_fleet.directory / "workflows" / "broken.py"
    broken.write_text("from keystroke import workflow\nimport nowhere\n", encoding="utf-8")
    worker: Started = worker_fleet.processes.keystroke(
        "worker", "--project", str(worker_fleet.directory), settings=worker_fleet.settings
    )
    assert worker.wait() == 2
    assert "broken.py" in worker.output
    assert "nowhere" in worker.output
