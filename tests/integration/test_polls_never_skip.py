"""Whatever dies, and whenever: a poll with a state, or with keys, starts a run for each item, once, in their order."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from keystroke import crashpoints
from keystroke.authoring.project import LoadedProject
from keystroke.domain.lease import TickLease
from keystroke.domain.tick import TickResult
from keystroke.settings import Settings
from keystroke.store import tick_claims
from keystroke.store.sql import Sql
from support.poll_rig import PollRig, load_polls, stage_polls

_FEED: Final = """
@poll("feed", every="5m", state=Cursor)
def feed(state: Cursor | None) -> PollResult[Invoice]:
    if GIVEN.pop("fails", False):
        raise ConnectionError("the feed is away")
    at = state.at if state else 0
    new = GIVEN["items"][at : at + 3]
    return PollResult([Invoice(number=each) for each in new], Cursor(at=at + len(new)))
feed.attach(handle)
"""
_FEED_WITH_KEYS: Final = """
@poll("feed", every="5m", dedupe_key=lambda item: item.number)
def feed() -> list[Invoice]:
    if GIVEN.pop("fails", False):
        raise ConnectionError("the feed is away")
    return [Invoice(number=each) for each in GIVEN["items"]]
feed.attach(handle)
"""
_RUNNING: Final = Sql("select id, attempt from ticks where status = 'running'")
POINTS: Final = ("tick-queueing", "tick-queued", "tick-ending", "tick-ended")
_CRASH: Final = st.sampled_from([None, None, *POINTS])
SCRIPTS: Final = st.lists(
    st.tuples(st.just("feed"), st.integers(1, 7))
    | st.tuples(st.sampled_from(["beat", "work", "whole"]), _CRASH)
    | st.tuples(st.sampled_from(["late", "recover", "invoke", "rehearse", "fail"]), st.none()),
    max_size=40,
)


class Crash(BaseException):
    """The process has died."""


class Play:
    """A feed, a poll that follows it, and those who look after it and die."""

    def __init__(self, rig: PollRig) -> None:
        self.rig = rig
        self.items: list[int] = []
        rig.given.clear()
        rig.given["items"] = self.items
        #: An attempt whose process was taken for dead, and what it has come to.
        self.late: tuple[TickLease, TickResult] | None = None

    def do(self, what: str, argument: Any) -> None:
        """One line of a script; whatever came of it, nothing is skipped and nothing repeated."""
        with suppress(Crash), dying_at(argument if isinstance(argument, str) else None):
            getattr(self, f"_{what}")(argument)
        self.check()

    def to_the_end(self) -> None:
        """Nobody dies any more: all items are handled."""
        for _ in range(len(self.items) // 3 + 2):
            self._recover(None)
            self._whole(None)
        self.check()
        assert self.handled == self.items

    def check(self) -> None:
        """What was handled is what the state says, if there is one: they are one transaction."""
        handled, state = self.handled, self.rig.state("feed")
        assert handled == self.items[: len(handled)]
        assert state is None or state["at"] == len(handled)

    @property
    def handled(self) -> list[int]:
        return [run.input["number"] for run in self.rig.runs()]

    def _feed(self, number: int) -> None:
        self.items.extend(range(len(self.items) + 1, len(self.items) + 1 + number))

    def _beat(self, _crash: str | None) -> None:
        self.rig.advance(301)
        self.rig.queue()

    def _work(self, _crash: str | None) -> None:
        lease = self._claim()
        if lease is not None:
            result = self.rig.execute(lease)
            self.late = (lease, result)
            self.rig.finish(lease, result)

    def _whole(self, crash: str | None) -> None:
        self._beat(crash)
        self._work(crash)

    def _late(self, _argument: None) -> None:
        if self.late is not None:
            self.rig.finish(*self.late)

    def _recover(self, _argument: None) -> None:
        with self.rig.database.transaction() as tx:
            for row in tx.rows(_RUNNING):
                tick_claims.requeue(tx, row.id, row.attempt, lost=True)

    def _invoke(self, _argument: None) -> None:
        self._by_hand(dry_run=False)

    def _rehearse(self, _argument: None) -> None:
        self._by_hand(dry_run=True)

    def _by_hand(self, *, dry_run: bool) -> None:
        if all(row.status == "ended" for row in self.rig.ticks("feed")):
            self.rig.fire("feed", dry_run=dry_run)

    def _fail(self, _argument: None) -> None:
        self.rig.given["fails"] = True

    def _claim(self) -> TickLease | None:
        with self.rig.database.transaction() as tx:
            return tick_claims.take(tx, self.rig.stage.claimant)


class dying_at:  # noqa: N801 - reads as a statement
    """While this lasts, whoever passes the crash point dies there, once."""

    def __init__(self, point: str | None) -> None:
        self._point = point

    def __enter__(self) -> None:
        crashpoints.on_passing = self._pass

    def __exit__(self, *_error: object) -> None:
        crashpoints.on_passing = crashpoints.die_where_armed

    def _pass(self, point: str) -> None:
        if point == self._point:
            self._point = None
            raise Crash(point)


@pytest.fixture(scope="module", params=[_FEED, _FEED_WITH_KEYS], ids=["state", "keys"])
def feed_project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> LoadedProject:
    return load_polls(tmp_path_factory.mktemp("feed"), request.param)


@pytest.fixture(scope="module")
def fresh(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of one empty database after the other."""
    directory = tmp_path_factory.mktemp("databases")
    base = Settings(secret_key=("a",), project="shop", organization="acme", sqlite_synchronous="NORMAL")

    def make() -> Iterator[Settings]:
        for number in count():
            path = directory / f"{number}.db"
            shutil.copyfile(migrated_sqlite, path)
            yield replace(base, database_url=f"sqlite:///{path}")
            path.unlink()

    return make()


@settings(
    max_examples=20, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # fmt: skip
@given(script=SCRIPTS)
@example(
    script=[
        ("feed", 7),
        *(("whole", point) for point in POINTS),
        ("recover", None),
        ("work", None),
        ("late", None),
    ]
)
@example(
    script=[
        ("feed", 4),
        ("beat", None),
        ("work", "tick-ending"),
        ("recover", None),
        ("late", None),
        ("whole", None),
    ]
)
def test_no_item_is_skipped_or_repeated(
    feed_project: LoadedProject, fresh: Iterator[Settings], script: list[tuple[str, Any]]
) -> None:
    rig = stage_polls(next(fresh), feed_project)
    with closing(rig):
        play = Play(rig)
        for what, argument in script:
            play.do(what, argument)
        play.to_the_end()


@pytest.mark.parametrize("point", POINTS)
def test_dying_at_each_point_costs_time_alone(
    feed_project: LoadedProject, settings: Settings, point: str
) -> None:
    with closing(stage_polls(settings, feed_project)) as rig:
        play = Play(rig)
        for line in [
            ("feed", 2),
            ("whole", point),
            ("late", None),
            ("recover", None),
            ("feed", 1),
            ("work", None),
        ]:
            play.do(*line)
        play.to_the_end()
        assert {row.status for row in rig.ticks()} == {"ended"}
