"""`keystroke dev` as a person uses it: on a copy of the quickstart, with real processes, killed in every way."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from support.processes import Processes, Started
from support.waiting import wait_until

_PROGRAM = str(Path(sys.executable).parent / "keystroke")
_SIGNUP = '{"name": "Ada", "email": "ada@example.com"}'
#: Seconds; the machine of the tests may be busy with other things.
_READY = 90.0
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the quickstart, made by `keystroke init`."""
    directory = tmp_path / "quickstart"
    subprocess.run([_PROGRAM, "init", str(directory)], check=True, capture_output=True)
    return directory


def start(processes: Processes, project: Path, *arguments: str) -> Started:
    """Start `keystroke dev` in the project's directory; returns when it is ready."""
    dev = processes.keystroke("dev", "--port", "0", *arguments, directory=project)
    dev.wait_for(r"^ready in", _READY)
    return dev


def keystroke(project: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """One command in the project's directory, without any configuration: it has to find the server by itself."""
    done = subprocess.run(
        [_PROGRAM, *arguments],
        cwd=project,
        env={"PATH": ""},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stderr
    return done


def get(project: Path, run_id: str) -> dict[str, Any]:
    """A run, with its steps."""
    run: dict[str, Any] = json.loads(
        keystroke(project, "history", "get", run_id, "--include", "steps").stdout
    )
    return run


def report(project: Path, sections: int) -> str:
    """Start the workflow that takes a while; the run's id."""
    value = json.dumps({"sections": sections, "seconds_per_section": 0.2})
    command = ("workflows", "run", "long-report", "--input", value, "--field", "id")
    return keystroke(project, *command).stdout.strip()


def kill_everything(dev: Started) -> None:
    """SIGKILL for `keystroke dev` and everything under it, as a machine that loses power would do it."""
    below = dev.children()
    dev.kill()
    for process in below:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue


def test_a_run_succeeds_and_ctrl_c_leaves_nothing(processes: Processes, project: Path) -> None:
    dev = start(processes, project)
    done = keystroke(project, "workflows", "run", "signup-pipeline", "--wait", "--input", _SIGNUP)
    run = json.loads(done.stdout)
    assert (run["status"], run["trigger"]["type"]) == ("success", "cli")
    assert run["output"]["brief"].startswith("Ada works at example.com.")
    assert "Asking the scoring service about ada@example.com" in dev.output
    failed = keystroke(project, "workflows", "run", "charge-card", "--wait", "--input", "{}", code=1)
    assert "CardDeclined: The card of Ada Lovelace was declined" in failed.stderr
    dev.send(signal.SIGINT)
    assert dev.wait() == 0
    processes.assert_none_left()
    assert "No local server runs" in keystroke(project, "history", "list", code=1).stderr


def test_after_kill_9_of_everything_queued_and_running_runs_finish(
    processes: Processes, project: Path
) -> None:
    dev = start(processes, project)
    # The first is still running when all are started, however slowly the command line comes up beside other tests.
    runs = [report(project, sections) for sections in (60, 15, 15, 15)]
    wait_until(
        lambda: any(step["status"] == "success" for step in get(project, runs[0])["steps"]),
        what="a step is recorded",
    )
    kill_everything(dev)
    processes.assert_none_left()
    again = start(processes, project)
    for run_id in runs:
        wait_until(lambda: get(project, run_id)["status"] == "success", 60, what="the run has succeeded")  # noqa: B023
    interrupted = get(project, runs[0])
    assert (interrupted["attempt"], interrupted["recoveries"], interrupted["failures"]) == (2, 1, 0)
    assert [step["identity"] for step in interrupted["steps"]] == [
        f"read_section#{number}" for number in range(60)
    ]
    assert again.stop() == 0


def test_kill_9_of_dev_alone_takes_all_along(processes: Processes, project: Path) -> None:
    dev = start(processes, project)
    dev.kill()
    processes.assert_none_left(15)


def test_sigterm_hands_running_runs_back_and_the_next_start_goes_on(
    processes: Processes, project: Path
) -> None:
    dev = start(processes, project)
    run_id = report(project, sections=25)
    wait_until(lambda: get(project, run_id)["status"] == "running", what="the run is running")
    assert dev.stop() == 0
    processes.assert_none_left()
    again = start(processes, project)
    wait_until(lambda: get(project, run_id)["status"] == "success", 60, what="the run has succeeded")
    assert get(project, run_id)["recoveries"] == 0
    assert again.stop() == 0


def test_a_saved_change_is_run_and_a_mistake_is_shown(processes: Processes, project: Path) -> None:
    dev = start(processes, project)
    module = project / "workflows" / "charge_card.py"
    original = module.read_text(encoding="utf-8")
    so_far = len(dev.lines)
    module.write_text(original + "\n@workflow('broken'\n", encoding="utf-8")
    dev.wait_for(r"charge_card\.py.*changed", after=so_far)
    dev.wait_for(r"worker \| .*charge_card\.py", after=so_far)
    dev.wait_for("worker cannot run the project", after=so_far)
    changed = original.replace("return charge(", 'return "changed: " + charge(')
    so_far = len(dev.lines)
    module.write_text(changed, encoding="utf-8")
    dev.wait_for("^ready again", _READY, after=so_far)
    order = '{"card": "good"}'
    command = ("workflows", "run", "charge-card", "--wait", "--input", order, "--field", "output")
    assert keystroke(project, *command).stdout == "changed: Ada Lovelace paid.\n"
    so_far = len(dev.lines)
    module.write_text(original, encoding="utf-8")
    dev.wait_for("^ready again", _READY, after=so_far)
    assert keystroke(project, *command).stdout == "Ada Lovelace paid.\n"
    assert dev.stop() == 0


def test_a_project_that_is_broken_from_the_start_comes_up_when_it_is_mended(
    processes: Processes, project: Path
) -> None:
    module = project / "workflows" / "charge_card.py"
    original = module.read_text(encoding="utf-8")
    module.write_text(original.replace("from actions.charge", "from actions.nothing"), encoding="utf-8")
    dev = processes.keystroke("dev", "--port", "0", directory=project)
    dev.wait_for("worker cannot run the project", _READY)
    module.write_text(original, encoding="utf-8")
    dev.wait_for(r"^ready in", _READY)
    assert dev.stop() == 0


def test_it_does_not_start_twice_nor_on_a_taken_port(
    processes: Processes, project: Path, tmp_path: Path
) -> None:
    dev = start(processes, project)
    second = processes.keystroke("dev", "--port", "0", directory=project)
    assert second.wait() == 1
    assert second.output.startswith("error: `keystroke dev` runs already for")
    assert f"process {dev.pid}" in second.output
    other = tmp_path / "other"
    subprocess.run([_PROGRAM, "init", str(other)], check=True, capture_output=True)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        third = processes.keystroke("dev", "--port", str(port), directory=other)
        assert third.wait() == 1
    assert third.output == (
        f"error: Port {port} is in use: stop what listens there, or choose another one with `keystroke dev --port N`."
    )
    assert dev.stop() == 0


def test_a_program_that_is_killed_is_started_again(processes: Processes, project: Path) -> None:
    dev = start(processes, project)
    broker = next(each for each in dev.children() if "valkey" in each.name())
    worker = next(each for each in dev.children() if "worker" in each.cmdline())
    so_far = len(dev.lines)
    broker.kill()
    dev.wait_for("broker ended .SIGKILL.; starting it again", after=so_far)
    worker.kill()
    dev.wait_for("worker ended .SIGKILL.; starting it again", after=so_far)
    dev.wait_for("^ready again", _READY, after=so_far)
    done = keystroke(project, "workflows", "run", "signup-pipeline", "--wait", "--input", _SIGNUP)
    assert json.loads(done.stdout)["status"] == "success"
    assert dev.stop() == 0
