"""One program that is kept running: its lines on the screen, restarted when it dies, stopped so that nothing is left."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from keystroke.local.screen import Screen
from keystroke.local.sessions import end_session

_LEASH: Final = Path(__file__).with_name("leash.py")
#: An exit code that says: what I was given is wrong, and starting me again would not change it.
REFUSED: Final = 2
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 10.0
#: Seconds after which a program that dies is no longer counted as failing to start.
_STEADY: Final = 20.0
#: Seconds for the last lines of a dead program to arrive: a grandchild may hold the pipe open for ever.
_LAST_LINES: Final = 0.5


@dataclass(frozen=True, slots=True)
class Program:
    """What is run: `grace` are the seconds it has after SIGTERM, `orphan_signal` ends it when we die.

    `waits_for_change` programs that end with REFUSED are started again only when asked to.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    directory: Path
    grace: float
    orphan_signal: str = "SIGKILL"
    waits_for_change: bool = False


class Supervised:
    """A program under supervision. `started` is called after each start."""

    def __init__(
        self, program: Program, screen: Screen, lock: int, started: Callable[[], None] | None = None
    ) -> None:
        """`lock` is the descriptor that the program inherits (see `locks`)."""
        self.program = program
        self._screen = screen
        self._lock = lock
        self._started = started
        self._process: asyncio.subprocess.Process | None = None
        #: Set by every start; whoever waits for the next one clears it.
        self.has_started = asyncio.Event()
        self._again = asyncio.Event()
        self._stopping = False
        self._failures = 0

    @property
    def process_id(self) -> int | None:
        """Of the running process; it leads a session of that number."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def keep_running(self) -> None:
        """Run it until `stop`; whenever it ends, start it again, after a pause that grows while it fails."""
        while not self._stopping:
            self._again.clear()
            since = asyncio.get_running_loop().time()
            code = await self._run_once()
            lived = asyncio.get_running_loop().time() - since
            if not self._again.is_set():
                await self._pause(code, lived)

    async def restart(self) -> None:
        """End the running process, gently, and start the program again at once."""
        self._again.set()
        self._failures = 0
        await self._end()

    async def stop(self) -> None:
        """End it for good."""
        self._stopping = True
        self._again.set()
        await self._end()

    def kill(self) -> None:
        """End it now, with all it started."""
        self._stopping = True
        self._again.set()
        if self.process_id is not None:
            end_session(self.process_id)

    async def _run_once(self) -> int:
        """Start the process and follow its lines until it ends; whatever it leaves behind ends with it."""
        reading, writing = os.pipe()
        try:
            process = await self._spawn(writing)
        finally:
            os.close(writing)
        self._process = process
        lines = asyncio.create_task(self._show_lines(reading))
        self.has_started.set()
        if self._started:
            self._started()
        if self._stopping:  # stop() came while the process was being started, and found none
            process.terminate()
        code = await process.wait()
        end_session(process.pid)
        await asyncio.wait({lines}, timeout=_LAST_LINES)
        lines.cancel()
        return code

    async def _spawn(self, output: int) -> asyncio.subprocess.Process:
        program = self.program
        leash = (sys.executable, "-I", "-S", str(_LEASH), str(os.getpid()), program.orphan_signal)
        return await asyncio.create_subprocess_exec(
            *leash, *program.command,
            stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output, env=dict(program.environment),
            cwd=program.directory, start_new_session=True, pass_fds=(self._lock,),
        )  # fmt: skip

    async def _show_lines(self, descriptor: int) -> None:
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        pipe = os.fdopen(descriptor, "rb", buffering=0)
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        try:
            await self._copy_lines(reader)
        finally:
            transport.close()

    async def _copy_lines(self, reader: asyncio.StreamReader) -> None:
        """Whole lines, as they come; the rest at the end."""
        rest = b""
        while chunk := await reader.read(65_536):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._screen.write(self.program.name, line.decode(errors="replace"))
        if rest:
            self._screen.write(self.program.name, rest.decode(errors="replace"))

    async def _pause(self, code: int, lived: float) -> None:
        """Wait as long as the way it ended suggests, or until somebody asks for a start."""
        if code == REFUSED and self.program.waits_for_change:
            self._screen.write(
                "dev", f"{self.program.name} cannot run the project; it is tried again when a file changes"
            )
            await self._again.wait()
            return
        self._failures = 0 if lived > _STEADY else self._failures + 1
        seconds = min(_FIRST_PAUSE * 2 ** max(0, self._failures - 1), _LONGEST_PAUSE)
        self._screen.write(
            "dev", f"{self.program.name} ended ({_how(code)}); starting it again in {seconds:g} s"
        )
        try:
            await asyncio.wait_for(self._again.wait(), seconds)
        except TimeoutError:
            return

    async def _end(self) -> None:
        """SIGTERM to the process itself (what it leads is its matter), SIGKILL to its session after the grace."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), self.program.grace)
        except TimeoutError:
            self._screen.write(
                "dev", f"{self.program.name} did not end in {self.program.grace:g} s; it is killed"
            )
            end_session(process.pid)
            await process.wait()


def _how(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
