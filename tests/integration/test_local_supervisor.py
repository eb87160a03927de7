"""The supervisor of `keystroke dev` with real processes: restarts, an end that leaves nothing, one at a time."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import psutil
import pytest

from keystroke.client.workspace import ServerAddress, Workspace
from keystroke.local.locks import serve_alone
from keystroke.local.refusals import DevAlreadyRuns
from support.processes import Processes, Started
from support.waiting import wait_until

#: Serves a workspace with the programs given as `name=python source`; ends them all on SIGTERM.
SERVE = """
import asyncio, os, signal, sys
from pathlib import Path
from keystroke.client.workspace import Workspace
from keystroke.local.locks import serve_alone
from keystroke.local.screen import Screen
from keystroke.local.supervised import Program
from keystroke.local.supervisor import Supervisor

async def serve(workspace, lock):
    supervisor = Supervisor(workspace, Screen(), lock)
    for argument in sys.argv[2:]:
        name, _, source = argument.partition("=")
        command = (sys.executable, "-c", source)
        supervisor.start(Program(name, command, os.environ, workspace.project_directory, 2.0, waits_for_change=True))
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    await supervisor.stop()

workspace = Workspace(Path(sys.argv[1]))
workspace.make_state()
with serve_alone(workspace) as lock:
    asyncio.run(serve(workspace, lock))
"""
#: Ignores SIGTERM, and has a child in a process group of its own that does so too.
STUBBORN = """
import os, signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('grandchild', flush=True); signal.pause()"
subprocess.Popen([sys.executable, "-c", child], process_group=0)
signal.pause()
"""
PATIENT = "import os, signal; print('pid', os.getpid(), flush=True); signal.pause()"


def serve(processes: Processes, project: Path, **programs: str) -> Started:
    """Start the supervisor with these programs."""
    arguments = [f"{name}={source}" for name, source in programs.items()]
    return processes.start([sys.executable, "-c", SERVE, str(project), *arguments])


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The directory of a project."""
    project = tmp_path / "project"
    project.mkdir()
    return project


def test_what_does_not_listen_is_killed_with_all_it_started(processes: Processes, project: Path) -> None:
    started = serve(processes, project, worker=STUBBORN)
    started.wait_for(r"worker \| grandchild")
    assert started.stop() == 0
    assert "worker did not end in 2 s; it is killed" in started.output
    processes.assert_none_left()


def test_a_program_that_dies_is_started_again_and_its_children_are_gone(
    processes: Processes, project: Path
) -> None:
    started = serve(processes, project, worker=STUBBORN)
    started.wait_for(r"worker \| grandchild")
    (worker,) = [child for child in psutil.Process(started.pid).children() if "STUBBORN" not in child.name()]
    (grandchild,) = worker.children()
    so_far = len(started.lines)
    worker.kill()
    started.wait_for(r"dev    \| worker ended \(SIGKILL\); starting it again in 0.5 s")
    started.wait_for(r"worker \| grandchild", after=so_far)
    wait_until(lambda: not grandchild.is_running(), what="the grandchild of the killed program is gone")
    assert started.stop() == 0


def test_a_program_that_refuses_waits_for_a_change(processes: Processes, project: Path) -> None:
    started = serve(processes, project, worker="raise SystemExit(2)")
    started.wait_for("worker cannot run the project; it is tried again when a file changes")
    assert started.stop() == 0


def test_kill_9_of_the_supervisor_takes_its_programs_along(processes: Processes, project: Path) -> None:
    started = serve(processes, project, worker=PATIENT, api=PATIENT)
    started.wait_for(r"worker \| pid")
    started.wait_for(r"api    \| pid")
    started.kill()
    processes.assert_none_left()


def test_after_kill_9_the_next_start_ends_what_would_not_die(processes: Processes, project: Path) -> None:
    """A grandchild has no parent-death signal; it holds the lock, so the next start finds it and ends it."""
    started = serve(
        processes, project, worker=STUBBORN.replace("process_group=0", "process_group=0, close_fds=False")
    )
    started.wait_for(r"worker \| grandchild")
    started.kill()
    again = serve(processes, project, worker=PATIENT)
    again.wait_for(r"worker \| pid", timeout=20)
    assert len([line for line in processes.left() if "pause" in line and "serve_alone" not in line]) == 1
    assert again.stop() == 0


def test_a_second_one_for_the_same_project_is_refused(processes: Processes, project: Path) -> None:
    started = serve(processes, project, worker=PATIENT)
    started.wait_for(r"worker \| pid")
    workspace = Workspace(project)
    workspace.write_address(ServerAddress("http://127.0.0.1:3002", started.pid))
    assert workspace.running_server() == ServerAddress("http://127.0.0.1:3002", started.pid)
    with (
        pytest.raises(DevAlreadyRuns, match=rf"http://127.0.0.1:3002, process {started.pid}"),
        serve_alone(workspace),
    ):
        pass
    assert started.stop() == 0


def test_what_a_killed_one_left_behind_names_no_server(processes: Processes, project: Path) -> None:
    started = serve(processes, project, worker=PATIENT)
    started.wait_for(r"worker \| pid")
    workspace = Workspace(project)
    workspace.write_address(ServerAddress("http://127.0.0.1:3002", started.pid))
    started.kill()
    assert workspace.running_server() is None
    with serve_alone(workspace):
        assert workspace.read_address() is None


def test_long_lines_and_lines_without_an_end_arrive(processes: Processes, project: Path) -> None:
    source = "import signal, sys; print('x' * 300_000); sys.stdout.write('unfinished'); sys.stdout.flush()"
    started = serve(processes, project, worker=source)
    started.wait_for(r"worker \| x{300000}$")
    started.wait_for(r"worker \| unfinished$")
    started.send(signal.SIGTERM)
    assert started.wait() == 0
