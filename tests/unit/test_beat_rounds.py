"""Who may declare a worker dead, and which round is next."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from unittest.mock import Mock

import pytest

from keystroke.errors import DatabaseUnavailable
from keystroke.settings import Settings
from keystroke.store import Database
from keystroke_beat.maintenance import recover
from keystroke_beat.maintenance.recover import RecoverDeadWorkers
from keystroke_beat.maintenance.round import Means
from keystroke_beat.scheduler import RoundsScheduler, every_round


class World:
    """A database that may be away, a clock that stands still, and a note of each judgement."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        self.away = False
        self.judgements: list[float] = []
        settings = Settings(dead_after=30.0, heartbeat=5.0)
        self.means = Means(settings, cast("Any", self), cast("Any", None), cast("Any", None))
        self.round = RecoverDeadWorkers(clock=lambda: self.now)
        monkeypatch.setattr(recover, "recover_dead_workers", self.judge)

    def read(self) -> World:
        return self

    def __enter__(self) -> None:
        self._answer()

    def __exit__(self, *_error: object) -> None:
        """Nothing to close."""

    def judge(self, *_means: object) -> list[object]:
        self._answer()
        self.judgements.append(self.now)
        return []

    def _answer(self) -> None:
        if self.away:
            raise DatabaseUnavailable(why="it is away")

    def pass_time(self, seconds: float) -> None:
        """One round a second."""
        for _ in range(int(seconds)):
            self.now += 1
            try:
                self.round.run(self.means)
            except DatabaseUnavailable:
                assert self.away


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def test_a_beat_judges_after_it_has_reached_the_database_for_as_long_as_a_worker_may_be_silent(
    world: World,
) -> None:
    world.pass_time(30)
    assert world.judgements == []
    world.pass_time(2)
    assert world.judgements == [131.0, 132.0]


@pytest.mark.parametrize("reached_before", [10, 40])
def test_an_outage_of_the_database_starts_the_count_again(world: World, reached_before: int) -> None:
    world.pass_time(reached_before)
    before = len(world.judgements)
    world.away = True
    world.pass_time(1)
    world.away = False
    world.pass_time(30)
    assert len(world.judgements) == before
    world.pass_time(1)
    assert len(world.judgements) == before + 1


def test_a_beat_that_was_stopped_for_a_while_starts_the_count_again(world: World) -> None:
    world.pass_time(31)
    assert len(world.judgements) == 1
    world.now += 120
    world.pass_time(30)
    assert len(world.judgements) == 1
    world.pass_time(1)
    assert len(world.judgements) == 2


@dataclass
class Counted:
    """A round that counts, or fails."""

    every: float
    runs: int = 0
    fails: bool = False

    def run(self, _means: Means) -> None:
        self.runs += 1
        if self.fails:
            raise DatabaseUnavailable(why="it is away")


def scheduler(*rounds: Counted) -> RoundsScheduler:
    return RoundsScheduler(app=_App(), means=cast("Any", None), rounds=list(rounds))


class _App:
    """As much of Celery's app as a scheduler looks at."""

    class amqp:  # noqa: N801 - Celery's name
        Producer = None

    class conf:  # noqa: N801 - likewise
        beat_max_loop_interval = 0
        beat_sync_every = 0


def test_every_round_is_run_at_once_and_then_after_its_pause() -> None:
    often, rarely = Counted(3600.0), Counted(7200.0)
    schedule = scheduler(often, rarely)
    assert [schedule.tick(), schedule.tick()] == [0.0, 0.0]
    assert (often.runs, rarely.runs) == (1, 1)
    assert 0 < schedule.tick() <= 0.25, "it looks again soon whether it is to end"
    assert (often.runs, rarely.runs) == (1, 1)


def test_a_round_without_its_database_keeps_no_other_from_its_turn() -> None:
    failing, other = Counted(3600.0, fails=True), Counted(3600.0)
    schedule = scheduler(failing, other)
    schedule.tick()
    schedule.tick()
    assert (failing.runs, other.runs) == (1, 1)


def test_a_round_may_say_when_it_wants_to_be_run_again() -> None:
    class Hasty(Counted):
        def run(self, means: Means) -> None:
            super().run(means)
            self.every = 0.0 if self.runs < 3 else 3600.0

    hasty = Hasty(3600.0)
    schedule = scheduler(hasty)
    for _ in range(5):
        schedule.tick()
    assert hasty.runs == 3


@pytest.mark.parametrize("notify_url", [None, "http://127.0.0.1:1/"])
def test_no_round_succeeds_without_the_database(notify_url: str | None, tmp_path: Path) -> None:
    """A success is what a beat calls itself ready by."""
    settings = Settings(
        database_url=f"postgresql://postgres@/postgres?host={tmp_path}",
        notify_url=notify_url,
        secret_key=("a",),
    )
    means = Means(settings, Database.from_settings(settings), Mock(), Mock())
    rounds = every_round(settings)
    for each in rounds:
        with pytest.raises(DatabaseUnavailable):
            each.run(means)
    assert len(rounds) == (17 if notify_url else 15)
