"""Programs of durable calls as data, one workflow that executes them, and a driver that crashes its attempts wherever told.

A program is a list of operations: `{"do": "work", "how": "ok" | "flaky" | "broken"}`, `{"do": "sleep", "for": seconds}`,
`{"do": "ask", "who": "early" | "late" | "nobody", "wait": bool}`, `{"do": "child", "program": [...]}`,
`{"do": "branches", "programs": [...]}`. What it gives is its seen results in order.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from keystroke import crashpoints
from keystroke.domain.actor import LOCAL_OWNER
from keystroke.domain.asking import AskingStatus
from keystroke.domain.lineage import Lineage
from keystroke.domain.states import TRANSITIONS
from keystroke.domain.step import Step, StepStatus
from keystroke.operations.answer_hook import answer_by_id
from keystroke.operations.recover_runs import recover_attempt
from keystroke.operations.wake_due import wake_due
from keystroke.store import answers, history
from keystroke.store.sql import Sql
from support.attempts import Rig

PLAYER: Final = """
    from pydantic import BaseModel
    from keystroke import HookTimeout

    class Part(BaseModel):
        program: list[dict]
        name: str

    @action(retries=2, backoff=Backoff(first="1h", factor=1, longest="1h"))
    def work(tag: str, how: str) -> str:
        CALLS.append(tag)
        if how == "flaky" and CALLS.count(tag) == 1:
            raise ConnectionError(tag)
        if how == "broken":
            raise Fatal(tag)
        return f"{tag} done"

    @action(retries=2, backoff=Backoff(first="1h", factor=1, longest="1h"))
    async def work_async(tag: str, how: str) -> str:
        await asyncio.sleep(0)
        return work(tag, how)

    def seen_of(call):
        try:
            return call()
        except (Fatal, HookTimeout, ActionFailed) as error:
            return f"{type(error).__name__}: {error}"

    async def seen_of_async(call):
        try:
            return await call
        except (Fatal, HookTimeout, ActionFailed) as error:
            return f"{type(error).__name__}: {error}"

    LIMITS = {"early": None, "late": None, "nobody": 50}

    @workflow("play", max_attempts=1)
    def play(part: Part, ctx: Context) -> list:
        def steps(program, path):
            seen, asked = [str(ctx.random())] if part.name == "root" else [], []
            for at, step in enumerate(program):
                tag = f"{path}.{at}"
                if step["do"] == "work":
                    seen.append(seen_of(lambda: work(tag, step["how"])))
                elif step["do"] == "sleep":
                    ctx.sleep(step["for"])
                elif step["do"] == "ask":
                    hook = ctx.hook(step["who"], schema=str, timeout=LIMITS[step["who"]])
                    if step["wait"]:
                        seen.append(seen_of(hook.wait))
                    else:
                        asked.append(hook)
                elif step["do"] == "child":
                    seen.append(play.run(Part(program=step["program"], name=tag)))
                else:
                    numbered = list(enumerate(step["programs"]))
                    seen.append(ctx.map(lambda item: steps(item[1], f"{tag}/{item[0]}"), numbered, concurrency=4))
            return seen + [seen_of(hook.wait) for hook in asked]
        return steps(part.program, part.name)

    @workflow("play-async", max_attempts=1)
    async def play_async(part: Part, ctx: AsyncContext) -> list:
        async def steps(program, path):
            seen, asked = [str(await ctx.random())] if part.name == "root" else [], []
            for at, step in enumerate(program):
                tag = f"{path}.{at}"
                if step["do"] == "work":
                    seen.append(await seen_of_async(work_async(tag, step["how"])))
                elif step["do"] == "sleep":
                    await ctx.sleep(step["for"])
                elif step["do"] == "ask":
                    hook = await ctx.hook(step["who"], schema=str, timeout=LIMITS[step["who"]])
                    if step["wait"]:
                        seen.append(await seen_of_async(hook.wait()))
                    else:
                        asked.append(hook)
                elif step["do"] == "child":
                    seen.append(await play_async.run(Part(program=step["program"], name=tag)))
                else:
                    branches = (steps(each, f"{tag}/{number}") for number, each in enumerate(step["programs"]))
                    seen.append(await asyncio.gather(*branches))
            return seen + [await seen_of_async(hook.wait()) for hook in asked]
        return await steps(part.program, part.name)
"""
_RUNNING: Final = Sql("select id, attempt from runs where status = 'running' order by id")
_NEXT_DUE: Final = Sql("""
select min(due_at) - {now} from runs where status in ('queued', 'sleeping', 'waiting_on_hook') and due_at > {now}
""")
_RUNS: Final = Sql("select id from runs where root_run_id = :run_id order by id")
_MOVES: Final = {each.name: each for each in TRANSITIONS}


class Crash(BaseException):
    """The process is dead: nothing of it reaches the database any more."""


class Crashes:
    """Dies at the given passings of crash points: the n-th of all, counted from 1, or the first of a name."""

    def __init__(self, at: Iterable[int | str], watch: Callable[[str], None]) -> None:
        """`watch` is told of the points that are survived."""
        #: The points in the order of their passing, and those at which it died.
        self.names: list[str] = []
        self.points: list[str] = []
        self._at = frozenset(at)
        self._watch = watch
        self._dead = False
        self._lock = threading.RLock()
        self._inside = False

    def __call__(self, name: str) -> None:
        """Pass a point."""
        with self._lock:
            if self._inside:
                return
            first = name not in self.names
            self.names.append(name)
            if not self._dead and (len(self.names) in self._at or (first and name in self._at)):
                self._dead = True
                self.points.append(name)
            if self._dead:
                raise Crash(name)
            self._inside = True
            try:
                self._watch(name)
            finally:
                self._inside = False

    def come_alive(self) -> None:
        """Another process goes on."""
        self._dead = False

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Take the place of the points' own reaction."""
        crashpoints.on_passing = self
        try:
            yield
        finally:
            crashpoints.on_passing = crashpoints.die_where_armed


@dataclass(frozen=True)
class Record:
    """What is left of a program's run and its children, as far as crashes must not change it."""

    runs: tuple[tuple[Any, ...], ...]
    steps: tuple[tuple[Any, ...], ...]


class Play:
    """One run of a program on a rig."""

    def __init__(
        self, rig: Rig, workflow: str, program: list[Any], seed: str, crashes: Iterable[int | str] = (),
        choices: Iterable[int] = (), *, run_id: str | None = None,
    ) -> None:  # fmt: skip
        """`choices` say what is done next where several things can be; `run_id` is of a run that is started already."""
        rig.calls.clear()
        self.rig = rig
        self.crashes = Crashes(crashes, self._answer_early)
        self._choices = iter(choices)
        self._final: dict[tuple[str, str], Step] = {}
        self._executed: dict[tuple[str, str], int] = {}
        self.run_id = run_id or start(rig, workflow, program, seed)

    def to_the_end(self) -> Record:
        """Go on until the run has ended; whatever dies is recovered."""
        with self.crashes.in_place():
            for _ in range(2_000):
                try:
                    self._go_on()
                except Crash:
                    self._recover()
                self._check_what_is_final()
                if self.rig.run(self.run_id).status.terminal:
                    return self.record()
        raise AssertionError(f"{self.rig.run(self.run_id)} has not ended")

    def record(self) -> Record:
        """What is left; ids of runs, which are random, in the order of the runs' making."""
        ids = self._ids()
        numbers = {run_id: number for number, run_id in enumerate(sorted(ids, key=self._name))}
        runs = tuple(
            (numbers[each], run.status, run.status_reason, str(run.output), (run.error or {}).get("message"))
            for each in ids
            for run in [self.rig.run(each)]
        )
        steps = tuple(
            (
                numbers[each],
                step.identity,
                step.kind,
                step.status,
                str(step.output),
                (step.error or {}).get("message"),
            )
            for each in ids
            for step in self.rig.steps(each).values()
        )
        return Record(tuple(sorted(runs)), tuple(sorted(steps)))

    def _name(self, run_id: str) -> str:
        return str(self.rig.run(run_id).input["name"])

    def check_timelines(self) -> None:
        """Every move is one of the table."""
        for run_id in self._ids():
            with self.rig.database.read() as tx:
                timeline = history.list_timeline(self.rig.stage.scope, tx, run_id)
            assert timeline[0].transition == "create"
            for before, after in pairwise(timeline):
                move = _MOVES[after.transition]
                assert before.status in move.sources
                assert after.status == move.target

    def _go_on(self) -> None:
        choice = next(self._choices, 0) % 4
        if choice == 1 and self._answer("late"):
            return
        if choice == 2:
            self.rig.advance(20)
        wake_due(self.rig.database)
        lease = self.rig.stage.claim()
        if lease is not None:
            self.rig.attempt(lease)
        elif not self._answer("late"):
            self._advance()

    def _advance(self) -> None:
        with self.rig.database.read() as tx:
            left = tx.value(_NEXT_DUE)
        if left is not None:
            self.rig.advance(left / 1_000_000 + 0.001)

    def _answer_early(self, point: str) -> None:
        if point == "hook-created":
            self._answer("early")

    def _answer(self, name: str) -> bool:
        """Answer the oldest hook of that name that waits."""
        rig = self.rig
        with rig.database.read() as tx:
            waiting = answers.list_hooks(rig.stage.scope, tx, status=AskingStatus.WAITING, limit=200)
        found = [each.hook for each in reversed(waiting) if each.hook.name == name]
        if not found:
            return False
        value = f"answer to {found[0].step}"
        answer_by_id(
            rig.database, rig.stage.scope, found[0].id, value, LOCAL_OWNER, None, rig.settings, rig.stage.box
        )
        return True

    def _recover(self) -> None:
        while True:
            self.crashes.come_alive()
            with self.rig.database.read() as tx:
                running = tx.rows(_RUNNING)
            try:
                for row in running:
                    recover_attempt(self.rig.database, row.id, row.attempt, self.rig.settings)
            except Crash:
                continue
            return

    def _check_what_is_final(self) -> None:
        """A final record stays as it is, and what it records is not executed again."""
        for run_id in self._ids():
            name = self._name(run_id)
            for step in self.rig.steps(run_id).values():
                if step.status not in (StepStatus.SUCCESS, StepStatus.FAILED):
                    continue
                place = (run_id, step.identity)
                assert self._final.setdefault(place, step) == step
                if step.key.startswith("work"):
                    executed = self.rig.calls.count(step.input["tag"])
                    assert self._executed.setdefault(place, executed) == executed, (name, step.identity)
                    # Each try is on record but for those whose process died before that.
                    assert executed <= step.attempt + len(self.crashes.points), (name, step.identity)

    def _ids(self) -> list[str]:
        with self.rig.database.read() as tx:
            return [row.id for row in tx.rows(_RUNS, {"run_id": self.run_id})]


def start(rig: Rig, workflow: str, program: list[Any], seed: str) -> str:
    """Start a run of the program with this seed."""
    return rig.stage.start(workflow, {"program": program, "name": "root"}, lineage=Lineage(seed=seed)).run_id
