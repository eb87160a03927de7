"""`keystroke dev`, as a story: take the project, prepare broker and database, start the programs, follow changes, end all."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from keystroke.client.workspace import ServerAddress, Workspace
from keystroke.local.broker import Broker, choose_broker, wait_until_ready
from keystroke.local.data import make_current, prepared_database
from keystroke.local.locks import serve_alone
from keystroke.local.ports import free_port
from keystroke.local.programs import broker_program, component_programs, dev_environment
from keystroke.local.readiness import wait_for_registered, wait_until_api_ready
from keystroke.local.reload import watch_changes
from keystroke.local.screen import Screen
from keystroke.local.supervised import Supervised
from keystroke.local.supervisor import Supervisor
from keystroke.store import Database

_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_dev(directory: Path, port: int, began: float) -> int:
    """Serve a project until Ctrl-C or SIGTERM; 0 after a clean end. `port` 0 takes any free one, `began` is when
    the command was given (`time.monotonic`).

    Raises DevAlreadyRuns, LeftoversAlive, PortInUse, NoBroker, BrokerNotStarted.
    """
    workspace = Workspace(directory)
    workspace.make_state()
    with serve_alone(workspace) as lock:
        broker = choose_broker(workspace, os.environ)
        asyncio.run(_Dev(workspace, broker, free_port(port), lock, began).run())
    return 0


class _Dev:
    """One `keystroke dev`, from its start to its end."""

    def __init__(self, workspace: Workspace, broker: Broker, port: int, lock: int, began: float) -> None:
        self._workspace = workspace
        self._broker = broker
        self._port = port
        self._environment = dev_environment(workspace, broker, port, os.environ)
        self._screen = Screen()
        self._supervisor = Supervisor(workspace, self._screen, lock)
        self._began = began

    async def run(self) -> None:
        """Serve until a signal says otherwise; then end all programs. A second signal kills them."""
        serving = asyncio.create_task(self._serve())
        for number in _ENDING:
            asyncio.get_running_loop().add_signal_handler(number, self._end, serving)
        try:
            await serving
        except asyncio.CancelledError:
            self._screen.say("stopping")
        finally:
            await self._supervisor.stop()
        self._screen.say("stopped")

    def _end(self, serving: asyncio.Task[None]) -> None:
        if serving.done() or serving.cancelling():
            self._supervisor.kill()
        else:
            serving.cancel()

    async def _serve(self) -> None:
        with ExitStack() as stack:
            database = await self._prepare(stack)
            programs = component_programs(self._workspace, self._environment)
            started = {program.name: self._supervisor.start(program) for program in programs}
            worker = started["worker"]
            await asyncio.gather(
                self._supervisor.watch(), self._follow(database, worker), self._reload(worker)
            )

    async def _prepare(self, stack: ExitStack) -> Database:
        """Broker and database, beside each other."""
        program = broker_program(self._broker, self._workspace, self._environment)
        if program is not None:
            self._supervisor.start(program)
        opening = asyncio.to_thread(
            stack.enter_context, prepared_database(self._environment, self._workspace.project_directory)
        )
        database, _ = await asyncio.gather(opening, wait_until_ready(self._broker))
        return database

    async def _follow(self, database: Database, worker: Supervised) -> None:
        """Leave the address for the command line when the API serves; say so whenever a worker is there to do the work."""
        await wait_until_api_ready(self._port)
        self._workspace.write_address(ServerAddress(self._url, os.getpid()))
        seen = None
        while True:
            worker.has_started.clear()
            registered = await wait_for_registered(database, worker, other_than=seen)
            await asyncio.to_thread(make_current, database, registered)
            self._screen.say("ready again\n" if seen else self._ready())
            seen = registered.pid
            await worker.has_started.wait()

    @property
    def _url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def _ready(self) -> str:
        return (
            f"\n  project   {self._workspace.project_directory}\n  API       {self._url}/api/v1  ({self._url}/docs)\n"
            f"  history   {self._url}/history\n\nready in {time.monotonic() - self._began:.1f} s (Ctrl-C stops it)\n"
        )

    async def _reload(self, worker: Supervised) -> None:
        """Start the worker anew whenever the project changes."""
        async for changes in watch_changes(self._workspace):
            names = ", ".join(map(str, changes[:3])) + (" …" if len(changes) > 3 else "")
            self._screen.write("dev", f"{names} changed: the worker starts anew")
            await worker.restart()
