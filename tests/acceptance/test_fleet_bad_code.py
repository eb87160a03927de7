"""User code that breaks the process it runs in: its run ends, and the runs after it in that process are undisturbed."""

from __future__ import annotations

from dataclasses import replace
from textwrap import dedent

import pytest

from support.waiting import wait_until
from support.worker_fleet import PATIENCE, WorkerFleet

pytestmark = pytest.mark.timeout(180)

BAD = """
    import logging, os, signal, sys, time
    from contextlib import suppress
    from keystroke import Context, action, workflow
    from marks import mark


    @action
    def one() -> int:
        return 1


    @workflow("close-streams")
    def close_streams() -> int:
        sys.__stdout__.close()
        sys.__stderr__.close()
        print("hello")
        logging.getLogger("app").warning("hello")
        return one()


    @workflow("close-files")
    def close_files() -> int:
        for name in os.listdir("/proc/self/fd"):
            with suppress(OSError):
                if "keystroke-slots" in os.readlink(f"/proc/self/fd/{name}"):
                    os.close(int(name))
        return 1


    @workflow("limit-recursion")
    def limit_recursion() -> int:
        sys.setrecursionlimit(100)
        os.chdir("/")
        return 1


    @workflow("deaf")
    def deaf() -> int:
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
        signal.alarm(1)
        return 1


    @workflow("look-around")
    def look_around() -> list[object]:
        return [sys.getrecursionlimit(), os.getcwd(), os.getpid()]


    @workflow("fork-on")
    def fork_on() -> int:
        if os.fork() == 0:
            return 2
        time.sleep(0.5)
        return one()
"""


@pytest.fixture
def lonely(worker_fleet: WorkerFleet) -> WorkerFleet:
    """One worker with one child, so that each run meets what the one before has left."""
    (worker_fleet.directory / "workflows" / "bad.py").write_text(dedent(BAD), encoding="utf-8")
    worker_fleet.start_worker(settings=replace(worker_fleet.settings, concurrency=1, cancel_grace=PATIENCE))
    return worker_fleet


def test_closed_streams_disturb_neither_the_run_nor_those_after_it(lonely: WorkerFleet) -> None:
    for _ in range(2):
        run = lonely.wait(lonely.start("close-streams"), "success")
        assert (run.attempt, run.output) == (1, 1)


def test_a_child_that_cannot_go_on_dies_and_its_run_ends(lonely: WorkerFleet) -> None:
    run = lonely.wait(lonely.start("close-files"), "failed")
    assert (run.status_reason, run.recoveries) == ("worker_lost", 6)
    lonely.wait(lonely.start("noop"), "success")


def test_a_run_finds_the_process_as_every_other_run_does(lonely: WorkerFleet) -> None:
    before = lonely.wait(lonely.start("look-around"), "success").output
    lonely.wait(lonely.start("limit-recursion"), "success")
    assert lonely.wait(lonely.start("look-around"), "success").output == before


def test_a_cancel_reaches_code_after_code_that_made_the_process_deaf(lonely: WorkerFleet) -> None:
    lonely.wait(lonely.start("deaf"), "success")
    run_id = lonely.start("doze")
    wait_until(lambda: lonely.marks("started"), PATIENCE, what="it dozes")
    lonely.cancel(run_id)
    assert lonely.wait(run_id, "canceled").attempt == 1
    assert lonely.marks("finally") == [run_id], "interrupted, not killed after the grace"


def test_a_forked_process_that_runs_on_ends_no_run(lonely: WorkerFleet) -> None:
    run = lonely.wait(lonely.start("fork-on"), "success")
    assert (run.attempt, run.output) == (1, 1)
    lonely.wait(lonely.start("noop"), "success")
