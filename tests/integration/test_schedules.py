"""Schedules fire: each time once, in one transaction with its runs, with what they make up for after a while without a beat."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from typing import Any, cast

import pytest

from keystroke.domain.source import UNTIL_RESUMED
from keystroke.operations.record_schedule_tick import until_next_schedule
from keystroke.operations.set_trigger import Pause
from keystroke.store import sources
from keystroke.store.sql import Sql
from keystroke_beat.maintenance.round import Means
from keystroke_beat.maintenance.schedules import FireSchedules
from support.schedules import HOUR, MakeClockwork, micros, minutes, scheduled


def test_a_time_is_fired_once_with_all_that_a_run_is_told_of_it(clockwork_of: MakeClockwork) -> None:
    clockwork = clockwork_of(scheduled("minutely", "greet", cron="* * * * *"))
    assert clockwork.fire() == [], "its first time is the next one from its publication on"
    first = clockwork.come_to("minutely")
    (fired,) = clockwork.fire()
    assert fired.woken == {(clockwork.stage.project.id, "default")}
    second = clockwork.come_to("minutely")
    clockwork.fire()
    assert second == first + minutes(1)
    assert clockwork.outcomes() == ["fired", "fired"]
    runs = clockwork.runs()
    assert [(run.scheduled_at, run.previous_fire_at, run.missed) for run in runs] == [
        (micros(first), None, 0), (micros(second), micros(first), 0),
    ]  # fmt: skip
    told = clockwork.stage.run(runs[1].id)
    assert told.trigger.label == "Schedule · minutely"
    assert told.trigger.value == "minutely:greet"
    assert told.trigger.scheduled_at == second
    assert told.trigger.fired_at is not None
    assert told.trigger.fired_at > second
    assert told.input == {"name": "Ada"}
    assert clockwork.source("minutely").last_at == second
    assert clockwork.broken() == []


#: Of each: how many runs, what is on record, and how many times the first run stands for besides its own.
_AFTER_AN_HOUR: dict[str, tuple[dict[str, object], int, list[str], int | None]] = {
    "last": ({"catch_up": "last"}, 1, ["fired"], 59),
    "all": ({"catch_up": "all"}, 60, ["fired"] * 60, 0),
    "limited": ({"catch_up": "all", "catch_up_limit": 7}, 7, ["missed"] + ["fired"] * 7, 53),
    "none": ({"catch_up": "none"}, 0, ["missed"], None),
    "late": ({"catch_up": "last", "max_lateness": 10}, 0, ["missed"], None),
    "all-late": ({"catch_up": "all", "max_lateness": 330}, 5, ["missed"] + ["fired"] * 5, 55),
}


def test_an_hour_without_a_beat_is_made_up_for_as_each_schedule_says(clockwork_of: MakeClockwork) -> None:
    manifests = [scheduled(slug, cron="* * * * *", **case[0]) for slug, case in _AFTER_AN_HOUR.items()]
    clockwork = clockwork_of(*manifests)
    first = clockwork.come_to("last", late=HOUR - 30)
    clockwork.fire()
    for slug, (_, runs, outcomes, missed) in _AFTER_AN_HOUR.items():
        found = [run for run in clockwork.runs() if run.trigger_value == f"{slug}:greet"]
        assert (slug, len(found), clockwork.outcomes(slug)) == (slug, runs, outcomes)
        if found:
            assert found[0].missed == missed
            assert found[-1].scheduled_at == micros(first + minutes(59))
            assert [run.missed for run in found[1:]] == [0] * (runs - 1)
        lost = [tick for tick in clockwork.ticks(slug) if tick.outcome == "missed"]
        assert sum(tick.missed + 1 for tick in lost) == (60 - runs if lost else 0)
    clockwork.come_to("last")
    clockwork.fire()
    assert [clockwork.outcomes(slug)[-1] for slug in _AFTER_AN_HOUR] == ["fired"] * 6, "and they go on"
    assert clockwork.broken() == []


def test_with_none_the_time_that_is_still_on_time_is_fired_and_the_others_are_on_record(
    clockwork_of: MakeClockwork,
) -> None:
    clockwork = clockwork_of(scheduled("minutely", cron="* * * * *", catch_up="none"))
    clockwork.come_to("minutely", late=10 * 60 + 2)
    clockwork.fire()
    assert [(tick.outcome, tick.missed) for tick in clockwork.ticks()] == [("missed", 9), ("fired", 10)]


def test_all_stay_once_when_two_beats_fire_at_once(clockwork_of: MakeClockwork) -> None:
    manifests = [scheduled(f"each-{number}", every=60.0) for number in range(60)]
    clockwork = clockwork_of(*manifests)
    clockwork.come_to("each-0", late=61)
    beats = [threading.Thread(target=clockwork.fire) for _ in range(2)]
    for beat in beats:
        beat.start()
    for beat in beats:
        beat.join()
    assert clockwork.outcomes() == ["fired"] * 60
    assert len(clockwork.runs()) == 60
    assert clockwork.broken() == []


def test_a_schedule_that_somebody_looks_after_is_left_to_him(clockwork_of: MakeClockwork) -> None:
    clockwork = clockwork_of(scheduled("one", every=60.0), scheduled("two", every=60.0))
    if clockwork.database.backend == "sqlite":
        pytest.skip("on SQLite a write transaction is alone")
    clockwork.come_to("one")
    with clockwork.database.transaction() as tx:
        sources.lock_source(tx, clockwork.source("one").id)
        clockwork.fire()
        assert [tick.slug for tick in clockwork.ticks()] == ["two"]
    clockwork.fire()
    assert sorted(tick.slug for tick in clockwork.ticks()) == ["one", "two"]


@pytest.mark.parametrize("stop", [{"disabled": True}, {"pause": None}])
def test_times_pass_while_it_is_disabled_or_paused(
    clockwork_of: MakeClockwork, stop: dict[str, object]
) -> None:
    clockwork = clockwork_of(scheduled("minutely", cron="* * * * *", catch_up="all"))
    until = Pause(clockwork.now() + timedelta(days=3))
    clockwork.set("minutely", **(stop if "disabled" in stop else {"pause": until}))
    clockwork.pass_time(HOUR)
    clockwork.fire()
    assert clockwork.ticks() == []
    clockwork.set("minutely", **({"disabled": False} if "disabled" in stop else {"pause": Pause(None)}))
    clockwork.fire()
    assert clockwork.ticks() == [], "nothing is made up for"
    at = clockwork.come_to("minutely")
    clockwork.fire()
    assert [tick.scheduled_at for tick in clockwork.ticks()] == [micros(at)]
    assert [run.missed for run in clockwork.runs()] == [0]


def test_a_pause_that_is_over_is_over_by_itself(clockwork_of: MakeClockwork) -> None:
    clockwork = clockwork_of(scheduled("minutely", cron="* * * * *", catch_up="all"))
    clockwork.set("minutely", pause=Pause(clockwork.now() + timedelta(minutes=30)))
    clockwork.pass_time(HOUR)
    clockwork.fire()
    assert len(clockwork.ticks()) in (29, 30, 31), (
        "the times since its end are made up for, those before are not"
    )
    assert clockwork.broken() == []


@pytest.mark.parametrize("long", [timedelta(days=1), None])
def test_a_pause_that_is_made_shorter_ends_when_it_says(
    clockwork_of: MakeClockwork, long: timedelta | None
) -> None:
    """Beat has looked at the schedule meanwhile, and has put its next time behind the longer pause."""
    clockwork = clockwork_of(scheduled("minutely", cron="* * * * *"))
    clockwork.set("minutely", pause=Pause(clockwork.now() + long if long else UNTIL_RESUMED))
    clockwork.pass_time(65)
    clockwork.fire()
    clockwork.set("minutely", pause=Pause(clockwork.now() + timedelta(minutes=5)))
    clockwork.pass_time(290)
    clockwork.fire()
    assert clockwork.outcomes() == []
    clockwork.pass_time(75)
    clockwork.fire()
    assert clockwork.outcomes() == ["fired"]


def test_a_new_timing_counts_from_its_publication_and_the_same_one_goes_on(
    clockwork_of: MakeClockwork,
) -> None:
    clockwork = clockwork_of(scheduled("it", cron="* * * * *"))
    clockwork.come_to("it", late=HOUR)
    clockwork.publish(scheduled("it", cron="* * * * *", overlap="skip"), digest="three")
    clockwork.fire()
    assert [run.missed for run in clockwork.runs()] == [60], (
        "what was missed is not forgotten by a deployment"
    )
    clockwork.pass_time(HOUR)
    clockwork.publish(scheduled("it", every=3600.0), digest="four")
    clockwork.fire()
    assert len(clockwork.runs()) == 1


def test_a_window_ends(clockwork_of: MakeClockwork) -> None:
    clockwork = clockwork_of()
    now = clockwork.now()
    start, end = ((now + minutes(10)).isoformat(), (now + minutes(40)).isoformat())
    window = scheduled("window", every=600.0, starts_at=start, ends_at=end, catch_up="all")
    clockwork.publish(window, digest="windowed")
    clockwork.pass_time(2 * HOUR)
    clockwork.fire()
    assert clockwork.outcomes() == ["fired"] * 3
    source = clockwork.source("window")
    assert (source.next_at, source.due_at) == (None, None)
    assert until_next_schedule(clockwork.database) is None


def test_jitter_puts_off_each_time_by_itself(clockwork_of: MakeClockwork) -> None:
    clockwork = clockwork_of(
        *(scheduled(f"each-{number}", every=3600.0, jitter=1800.0) for number in range(10)),
    )
    found = [clockwork.source(f"each-{number}") for number in range(10)]
    assert all(
        each.next_at and each.due_at and timedelta(0) <= each.due_at - each.next_at < minutes(30)
        for each in found
    )
    assert len({each.due_at for each in found}) == 10
    clockwork.pass_time(HOUR + 1800)
    clockwork.fire()
    assert len(clockwork.runs()) == 10
    assert clockwork.broken() == []


def test_a_refused_start_is_on_record_and_the_schedule_goes_on(clockwork_of: MakeClockwork) -> None:
    big = scheduled("big", every=60.0, payload={"name": "A" * 3000})
    clockwork = clockwork_of(big, scheduled("small", every=60.0), payload_limit=2000)
    clockwork.come_to("big")
    clockwork.fire()
    by_slug = {tick.slug: tick for tick in clockwork.ticks()}
    assert by_slug["small"].outcome == "fired"
    assert by_slug["big"].outcome == "error"
    assert "2000" in by_slug["big"].error or "2,000" in by_slug["big"].error
    clockwork.come_to("big")
    clockwork.fire()
    assert clockwork.outcomes("big") == ["error", "error"]


def test_one_that_this_version_cannot_read_keeps_nobody_from_firing(clockwork_of: MakeClockwork) -> None:
    clockwork = clockwork_of(scheduled("odd", every=60.0), scheduled("even", every=60.0))
    with clockwork.database.transaction() as tx:
        tx.run(Sql("update sources set definition = replace(definition, '60.0', '0.1') where slug = 'odd'"))
    clockwork.come_to("even")
    clockwork.fire()
    assert clockwork.outcomes("even") == ["fired"]
    assert clockwork.outcomes("odd") == ["error"]
    assert clockwork.source("odd").due_at is None


@pytest.mark.parametrize("point", ["schedule-firing", "schedule-fired"])
def test_whoever_dies_there_has_fired_all_of_it_or_nothing(
    clockwork_of: MakeClockwork, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    class Died(BaseException):
        pass

    def die(passed: str) -> None:
        if passed == point:
            raise Died

    clockwork = clockwork_of(scheduled("minutely", cron="* * * * *"))
    clockwork.come_to("minutely")
    monkeypatch.setattr("keystroke.crashpoints.on_passing", die)
    with pytest.raises(Died):
        clockwork.fire()
    monkeypatch.undo()
    assert len(clockwork.ticks()) == len(clockwork.runs()) == (1 if point == "schedule-fired" else 0)
    clockwork.fire()
    assert len(clockwork.ticks()) == len(clockwork.runs()) == 1
    assert clockwork.broken() == []


def test_without_an_attachment_that_is_switched_on_nothing_is_started(clockwork_of: MakeClockwork) -> None:
    clockwork = clockwork_of(scheduled("minutely", cron="* * * * *"))
    clockwork.set("minutely", attachments={"greet": True})
    clockwork.come_to("minutely")
    clockwork.fire()
    (tick,) = clockwork.ticks()
    assert (tick.outcome, json.loads(tick.run_ids)) == ("unrouted", [])


def test_a_beat_comes_back_when_the_next_one_is_due_and_wakes_its_queue(clockwork_of: MakeClockwork) -> None:
    class Woken(list[set[tuple[str, str]]]):
        wake_all = list.append

    clockwork, woken, fires = clockwork_of(scheduled("minutely", every=60.0)), Woken(), FireSchedules()

    def look() -> float:
        fires.run(Means(clockwork.stage.settings, clockwork.database, cast("Any", woken), cast("Any", None)))
        return fires.every

    clockwork.come_to("minutely", late=-20)
    assert look() == 0.25, "another one may be published meanwhile"
    clockwork.come_to("minutely", late=-0.2)
    assert 0.02 <= look() < 0.2
    clockwork.come_to("minutely")
    assert look() == 0.25
    assert woken == [{(clockwork.stage.project.id, "default")}]
    assert len(clockwork.runs()) == 1
