"""Starting the real processes (`keystroke api`, `worker`, `beat`, `dev`), waiting for what they say, killing them.

Every process that a test starts, and everything those start in turn, carries a mark in its environment; at the end of
the test none with that mark may be left.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path

import psutil
import pytest

from keystroke import ids
from keystroke.settings import PREFIX, Settings
from support.waiting import wait_until

_MARK = "KEYSTROKE_TEST_MARK"


class Started:
    """A process that was started; its lines (stdout and stderr) are collected as they come."""

    def __init__(self, command: list[str], *, environment: Mapping[str, str], directory: Path) -> None:
        """Start it in a process group of its own, as a service manager does."""
        self.command = " ".join(command)
        self.lines: list[str] = []
        self._spoken = threading.Condition()
        self._silent = False
        self.process = subprocess.Popen(
            command, env=dict(environment), cwd=directory, text=True, errors="replace", start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The id of the main process."""
        return self.process.pid

    @property
    def output(self) -> str:
        """All that it has said so far."""
        return "\n".join(self.lines)

    def wait_for(self, pattern: str, timeout: float = 30.0, *, after: int = 0) -> re.Match[str]:
        """The first line from line `after` on that matches; AssertionError with the output when none comes."""
        deadline = time.monotonic() + timeout
        with self._spoken:
            while True:
                for line in self.lines[after:]:
                    if match := re.search(pattern, line):
                        return match
                after = len(self.lines)
                if self._silent or not self._spoken.wait(deadline - time.monotonic()):
                    break
        raise AssertionError(
            f"`{self.command}` did not say {pattern!r} within {timeout} s; it said:\n{self.output}"
        )

    def children(self) -> list[psutil.Process]:
        """Its descendants that live."""
        return psutil.Process(self.pid).children(recursive=True)

    def send(self, how: signal.Signals) -> None:
        """Send a signal to the main process alone."""
        self.process.send_signal(how)

    def kill(self) -> None:
        """SIGKILL for the main process alone, as the kernel does it when memory runs out."""
        self.process.kill()
        self.process.wait()

    def wait(self, timeout: float = 60.0) -> int:
        """The exit code; AssertionError with the output when it takes longer."""
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"`{self.command}` still ran after {timeout} s; it said:\n{self.output}"
            ) from None
        self._reader.join(5)
        return code

    def stop(self, timeout: float = 60.0) -> int:
        """SIGTERM, and the exit code."""
        self.send(signal.SIGTERM)
        return self.wait(timeout)

    def kill_group(self) -> None:
        """SIGKILL for everything that has not left its process group."""
        if self.process.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
            self.process.wait()

    def close(self) -> None:
        """Let go of its output, once nothing that could write to it lives."""
        self._reader.join(5)
        if self.process.stdout:
            self.process.stdout.close()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            with self._spoken:
                self.lines.append(line.rstrip("\n"))
                self._spoken.notify_all()
        with self._spoken:
            self._silent = True
            self._spoken.notify_all()


class Processes:
    """All processes of one test."""

    def __init__(self, directory: Path) -> None:
        """`directory` is where they are started unless something else is said."""
        self._directory = directory
        self._mark = ids.new("mark")
        self._started: list[Started] = []

    def keystroke(
        self,
        *arguments: str,
        settings: Settings | None = None,
        directory: Path | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> Started:
        """Start `keystroke` with these arguments, settings, and environment variables."""
        configured = environment_of(settings) if settings else {}
        program = str(Path(sys.executable).parent / "keystroke")
        return self.start(
            [program, *arguments], directory=directory, variables={**configured, **(variables or {})}
        )

    def start(
        self, command: list[str], *, directory: Path | None = None, variables: Mapping[str, str] | None = None
    ) -> Started:
        """Start any command in a small environment of its own."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        environment = {**kept, "PYTHONUNBUFFERED": "1", _MARK: self._mark, **(variables or {})}
        started = Started(command, environment=environment, directory=directory or self._directory)
        self._started.append(started)
        return started

    def left(self) -> list[str]:
        """The command lines of the test's processes that live."""
        return [" ".join(process.cmdline()) for process in psutil.process_iter() if self._is_ours(process)]

    def assert_none_left(self, timeout: float = 10.0) -> None:
        """Nothing that the test started, or that those started, may live."""
        wait_until(
            lambda: not self.left(), timeout, what=f"all processes of the test are gone: {self.left()}"
        )

    def close(self, timeout: float = 10.0) -> None:
        """End everything; what outlived its starter and had to be killed here is a failure."""
        for started in self._started:
            started.kill_group()
        try:
            self.assert_none_left(timeout)
        finally:
            for process in psutil.process_iter():
                if self._is_ours(process):
                    process.kill()
            for started in self._started:
                started.close()

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.status() != psutil.STATUS_ZOMBIE and process.environ().get(_MARK) == self._mark
        except (psutil.AccessDenied, psutil.NoSuchProcess):
            return False


def environment_of(settings: Settings) -> dict[str, str]:
    """The settings as environment variables; those with their default value are left out."""
    default = Settings()
    changed = {
        setting.name: getattr(settings, setting.name)
        for setting in fields(settings)
        if getattr(settings, setting.name) != getattr(default, setting.name)
    }
    return {
        PREFIX + name.upper(): ",".join(value) if isinstance(value, tuple) else str(value)
        for name, value in changed.items()
    }


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    """Starts processes; all of them are ended with the test, and none may be left."""
    running = Processes(tmp_path)
    yield running
    running.close()
