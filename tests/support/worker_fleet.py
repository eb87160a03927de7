"""Workers as real processes on SQLite and Valkey, their runs started by the operations, without an API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from keystroke.box import Box
from keystroke.broker.control import Control
from keystroke.broker.wakeups import Wakeups
from keystroke.domain.actor import LOCAL_OWNER, Trigger
from keystroke.domain.run import Run
from keystroke.domain.scope import Scope
from keystroke.domain.step import Step
from keystroke.errors import RunEnded
from keystroke.operations.cancel_children import cancel_children
from keystroke.operations.cancel_run import cancel_run
from keystroke.operations.start_run import StartRequest, start_run
from keystroke.settings import Settings
from keystroke.store import Database, access, history
from support.processes import Processes, Started
from support.projects import write_project
from support.waiting import wait_until

#: Seconds. The machine of the tests may be busy with other things.
PATIENCE = 60.0


@dataclass
class WorkerFleet:
    """One project, and what starts, cancels and reads its runs."""

    settings: Settings
    database: Database
    processes: Processes
    directory: Path
    wakeups: Wakeups
    control: Control

    def start_worker(
        self, *, beat: bool = False, settings: Settings | None = None, **variables: str
    ) -> Started:
        """Start a worker (and a beat) and return when it has registered."""
        settings = settings or self.settings
        if beat:
            self.processes.keystroke("beat", settings=settings)
        worker = self.processes.keystroke(
            "worker", "--project", str(self.directory), settings=settings, variables=variables
        )
        worker.wait_for("worker_registered", PATIENCE)
        return worker

    def start(self, workflow: str, value: Any = None) -> str:
        """Start a run, and wake a worker as the API does; the run's id."""
        with self.database.read() as tx:
            project = access.get_project(access.local_scope(tx), tx, self.settings.project)
        request = StartRequest(workflow, value, Trigger("api", "API"), LOCAL_OWNER)
        started = start_run(self.database, project, request, self.settings, Box(self.settings.secret_key))
        self.wakeups.wake(started.project_id, started.queue)
        return started.run_id

    def cancel(self, run_id: str) -> None:
        """Ask for a cancel, and tell the worker as the API does; harmless for a run that has ended."""
        with suppress(RunEnded):
            asked = cancel_run(self.database, self.scope, run_id, LOCAL_OWNER, self.settings)
            children = cancel_children(self.database, run_id, LOCAL_OWNER, self.settings)
            for each in (asked, *children):
                self.control.cancel(each.worker_id, each.run_id, each.attempt)

    @property
    def scope(self) -> Scope:
        """Everything there is."""
        with self.database.read() as tx:
            return access.local_scope(tx)

    def run(self, run_id: str) -> Run:
        """The run's record."""
        scope = self.scope
        with self.database.read() as tx:
            return history.get_run(scope, tx, run_id)

    def steps(self, run_id: str) -> list[Step]:
        """The run's steps."""
        scope = self.scope
        with self.database.read() as tx:
            return history.list_steps(scope, tx, run_id)

    def wait(self, run_id: str, status: str, timeout: float = PATIENCE) -> Run:
        """The run's record once it has this status."""
        wait_until(
            lambda: self.run(run_id).status == status,
            timeout,
            what=f"{run_id} is {status}: {self.run(run_id)}",
        )
        return self.run(run_id)

    def marks(self, name: str) -> list[str]:
        """The lines that the project's `mark` wrote under this name."""
        path = self.directory / name
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


PROJECT = {
    "marks.py": """
        from pathlib import Path

        def mark(name: str, line: str = "") -> None:
            with (Path(__file__).parent / name).open("a") as file:
                file.write(line + "\\n")
    """,
    "workflows/stubborn.py": """
        import logging
        import os
        import socket
        import subprocess
        import threading
        import time

        from keystroke import Context, action, workflow
        from marks import mark


        @workflow("spin")
        def spin(ctx: Context) -> None:
            mark("started", ctx.run_id)
            try:
                while True:
                    pass
            finally:
                mark("finally", ctx.run_id)


        @workflow("doze")
        def doze(ctx: Context) -> None:
            mark("started", ctx.run_id)
            try:
                time.sleep(600)
            finally:
                mark("finally", ctx.run_id)


        @workflow("listen")
        def listen(ctx: Context) -> None:
            near, far = socket.socketpair()
            mark("started", ctx.run_id)
            try:
                near.recv(1)
            finally:
                mark("finally", ctx.run_id)


        @workflow("swallow")
        def swallow(ctx: Context) -> None:
            helper = subprocess.Popen(["sleep", "600"])
            mark("helper", str(helper.pid))
            mark("started", ctx.run_id)
            while True:
                try:
                    time.sleep(600)
                except BaseException:
                    mark("swallowed", ctx.run_id)


        @action
        def note(step: int, run_id: str) -> int:
            mark("steps", f"{run_id} {step} {os.getpid()}")
            return step


        @action
        def hold(step: int, run_id: str) -> int:
            mark("steps", f"{run_id} {step} {os.getpid()}")
            from pathlib import Path
            while not (Path(__file__).parents[1] / "release").exists():
                time.sleep(0.01)
            return step


        @workflow("three")
        def three(ctx: Context) -> int:
            return note(1, ctx.run_id) + hold(2, ctx.run_id) + note(3, ctx.run_id)


        @workflow("brief")
        def brief(ctx: Context) -> int:
            return sum(note(number, ctx.run_id) for number in range(5))


        @workflow("mortal")
        def mortal(ctx: Context) -> None:
            log = logging.getLogger("mortal")
            for _ in range(4):
                threading.Thread(target=lambda: [log.warning("about to die") for _ in range(10_000)], daemon=True).start()
            log.warning("dying in attempt %s", ctx.attempt)
            os._exit(7)


        @workflow("noop")
        def noop() -> int:
            return 1
    """,
}


@pytest.fixture
def worker_fleet(
    request: pytest.FixtureRequest, broker_url: str, processes: Processes, tmp_path: Path
) -> Iterator[WorkerFleet]:
    """A project that is hard to stop, and no worker yet; on SQLite, or on the backend that the test names indirectly."""
    migrated: Settings = request.getfixturevalue(f"{getattr(request, 'param', 'sqlite')}_settings")
    settings = replace(
        migrated, broker_url=broker_url, project="shop", organization="acme", concurrency=2, cancel_grace=3.0,
        drain_grace=2.0, heartbeat=1.0, log_format="json",
    )  # fmt: skip
    directory = write_project(tmp_path / "shop", PROJECT)
    database, wakeups, control = Database.from_settings(settings), Wakeups(settings), Control(settings)
    yield WorkerFleet(settings, database, processes, directory, wakeups, control)
    wakeups.close()
    control.close()
    database.close()
