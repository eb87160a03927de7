"""All programs of one `keystroke dev`: started, kept running, ended together."""

from __future__ import annotations

import asyncio

from keystroke.client.workspace import Workspace
from keystroke.local.locks import record_programs
from keystroke.local.screen import Screen
from keystroke.local.supervised import Program, Supervised


class Supervisor:
    """Runs programs until `stop`; `kill` ends them at once."""

    def __init__(self, workspace: Workspace, screen: Screen, lock: int) -> None:
        """`lock` is the descriptor that the programs inherit (see `locks`)."""
        self._workspace = workspace
        self._screen = screen
        self._lock = lock
        self._running: dict[Supervised, asyncio.Task[None]] = {}

    def start(self, program: Program) -> Supervised:
        """Start a program, and keep it running from now on."""
        supervised = Supervised(program, self._screen, self._lock, started=self._record)
        self._running[supervised] = asyncio.create_task(supervised.keep_running(), name=program.name)
        return supervised

    async def watch(self) -> None:
        """Raise what goes wrong in keeping a program running (not in the program); otherwise never return."""
        tasks = list(self._running.values())
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()

    async def stop(self) -> None:
        """End all of them, the later started before the earlier: those need these until their end."""
        first, *rest = self._running or [None]
        await asyncio.gather(*(each.stop() for each in rest if each))
        if first:
            await first.stop()
        results = await asyncio.gather(*self._running.values(), return_exceptions=True)
        self._running.clear()
        self._record()
        for result in results:
            if isinstance(result, Exception):
                raise result

    def kill(self) -> None:
        """End all of them without asking."""
        for supervised in self._running:
            supervised.kill()

    def _record(self) -> None:
        pids = [each.process_id for each in self._running]
        record_programs(self._workspace, [pid for pid in pids if pid is not None])
