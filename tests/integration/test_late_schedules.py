"""Schedules that do not succeed in time, that were paused, polls that are unhealthy: each is told once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from keystroke.domain.failure import Failure
from keystroke.domain.notification import Notification
from keystroke.domain.outcome import Completed, Failed, Outcome
from keystroke.domain.states import Reason
from keystroke.operations.find_late_schedules import find_late_schedules
from keystroke.operations.notify import notify_unhealthy
from keystroke.operations.pause_failing import pause_failing
from keystroke.operations.set_trigger import Pause
from keystroke.settings import Settings
from keystroke.store import Database, notifications
from keystroke.store.sql import Sql
from support.receiver import SECRET
from support.schedules import HOUR, Clockwork, scheduled
from support.starts import GREET, make_stage

HOURLY = scheduled("hourly", cron="0 * * * *", expected_within=600.0)
NO = Failed(Failure("ValueError", "no"), Reason.USER_ERROR)


@pytest.fixture
def on_each(database: Database, settings: Settings) -> Iterator[Clockwork]:
    """A schedule that fires each hour, and wants a success within ten minutes; on each database."""
    yield from _expecting(database, settings)


@pytest.fixture
def clockwork(sqlite_database: Database, sqlite_settings: Settings) -> Iterator[Clockwork]:
    """The same for what does not depend on the database."""
    yield from _expecting(sqlite_database, sqlite_settings)


def _expecting(database: Database, settings: Settings) -> Iterator[Clockwork]:
    """With an address to tell, where nobody sends anything in these tests."""
    settings = replace(settings, notify_url="http://127.0.0.1:1/", notify_secret=(SECRET,))
    clockwork = Clockwork(make_stage(database, settings, GREET))
    clockwork.publish(HOURLY)
    yield clockwork
    clockwork.database.close()


def told(clockwork: Clockwork, kind: str = "schedule.late") -> list[Notification]:
    with clockwork.database.read() as tx:
        found = notifications.list_notifications(clockwork.stage.scope, tx, {"kind": [kind]}, None, 100)
    return found[::-1]


def look(clockwork: Clockwork) -> list[str]:
    """What a beat's round finds."""
    return find_late_schedules(clockwork.database, clockwork.stage.settings)


def fire(clockwork: Clockwork, outcome: Outcome) -> str:
    """Reach the next time, fire, and let the run end so."""
    clockwork.come_to("hourly")
    clockwork.fire()
    lease = clockwork.stage.claim()
    assert lease is not None
    clockwork.stage.finish(lease, outcome)
    return lease.run_id


def test_a_schedule_is_late_once_until_it_succeeds_again(on_each: Clockwork) -> None:
    assert look(on_each) == [], "its first time is still to come"
    fire(on_each, Completed({}))
    on_each.pass_time(1200)
    assert look(on_each) == [], "it has succeeded"
    due = on_each.source("hourly").next_at
    assert due is not None
    fire(on_each, NO)
    assert look(on_each) == [], "ten minutes are not over"
    on_each.pass_time(600)
    assert look(on_each) == ["hourly"]
    assert look(on_each) == []
    (late,) = told(on_each)
    assert late.data["trigger"]["slug"] == "hourly"
    assert late.data["expected_at"].startswith(due.isoformat()[:19])
    assert late.data["deadline"].startswith((due + timedelta(minutes=10)).isoformat()[:19])
    assert late.data["last_success_at"] is not None
    fire(on_each, NO)
    on_each.pass_time(1200)
    assert look(on_each) == [], "the same episode"
    fire(on_each, Completed({}))
    assert look(on_each) == []
    on_each.pass_time(2 * HOUR)
    assert look(on_each) == ["hourly"], "another one: nothing fired at all"
    assert len(told(on_each)) == 2


def test_what_never_succeeded_is_late_from_its_first_time_on(clockwork: Clockwork) -> None:
    clockwork.come_to("hourly", late=599)
    assert look(clockwork) == []
    clockwork.pass_time(2)
    assert look(clockwork) == ["hourly"]
    assert told(clockwork)[0].data["last_success_at"] is None


def test_a_success_outlives_its_run(on_each: Clockwork) -> None:
    fire(on_each, Completed({}))
    look(on_each)
    with on_each.database.transaction() as tx:
        tx.run(Sql("delete from runs"))
    on_each.pass_time(1200)
    assert look(on_each) == []


def test_of_a_schedule_that_is_off_nothing_is_expected(clockwork: Clockwork) -> None:
    clockwork.set("hourly", disabled=True)
    clockwork.pass_time(3 * HOUR)
    assert look(clockwork) == []
    clockwork.set("hourly", disabled=False)
    assert look(clockwork) == [], "it counts from now on"
    clockwork.pass_time(2 * HOUR)
    assert look(clockwork) == ["hourly"]


def test_after_a_pause_that_ends_by_itself_it_counts_from_then_on(clockwork: Clockwork) -> None:
    clockwork.set("hourly", pause=Pause(clockwork.now() + timedelta(hours=5)))
    clockwork.pass_time(4 * HOUR)
    assert look(clockwork) == []
    clockwork.pass_time(HOUR + 1)
    assert look(clockwork) == []
    clockwork.pass_time(2 * HOUR)
    assert look(clockwork) == ["hourly"]


def test_another_timing_and_a_return_count_from_the_deployment_on(clockwork: Clockwork) -> None:
    fire(clockwork, Completed({}))
    clockwork.pass_time(600)
    clockwork.publish(scheduled("hourly", cron="*/5 * * * *", expected_within=30.0), digest="often")
    assert look(clockwork) == []
    clockwork.publish(digest="none")
    clockwork.pass_time(2 * HOUR)
    assert look(clockwork) == [], "it is retired"
    clockwork.publish(scheduled("hourly", cron="*/5 * * * *", expected_within=30.0), digest="again")
    assert look(clockwork) == []
    clockwork.pass_time(600)
    assert look(clockwork) == ["hourly"]


def test_a_schedule_that_has_ended_expects_nothing(clockwork: Clockwork) -> None:
    over = scheduled("hourly", cron="0 * * * *", expected_within=60.0, ends_at="2020-01-01T00:00:00Z")
    silent = scheduled("silent", cron="0 * * * *", expected_within=None)
    clockwork.publish(over, silent, digest="three")
    clockwork.pass_time(5 * HOUR)
    assert look(clockwork) == []


def test_a_schedule_that_is_paused_since_its_runs_fail_is_told_once_each_time(on_each: Clockwork) -> None:
    on_each.publish(scheduled("hourly", cron="0 * * * *", pause_after=2), digest="careful")
    for times in (1, 2):
        fire(on_each, NO)
        assert pause_failing(on_each.database, on_each.stage.settings) == []
        last = fire(on_each, NO)
        assert pause_failing(on_each.database, on_each.stage.settings)
        assert pause_failing(on_each.database, on_each.stage.settings) == []
        paused = told(on_each, "schedule.paused")
        assert len(paused) == times
        assert (paused[-1].source_id, paused[-1].run_id) == (on_each.source("hourly").id, last)
        assert (paused[-1].data["failures"], paused[-1].data["last_run_id"]) == (2, last)
        on_each.set("hourly", pause=Pause(None))


def test_a_poll_that_is_unhealthy_is_told_once(clockwork: Clockwork) -> None:
    source, settings = clockwork.source("hourly"), clockwork.stage.settings
    error = {"type": "OSError", "message": "no route"}
    with clockwork.database.transaction() as tx:
        for _ in range(2):
            notify_unhealthy(tx, source, "tick_1", 5, error, settings)
        notify_unhealthy(tx, source, "tick_2", 5, error, replace(settings, notify_url=""))
    (unhealthy,) = told(clockwork, "poll.unhealthy")
    assert unhealthy.data["error"] == error
    assert (unhealthy.data["tick_id"], unhealthy.data["failures"]) == ("tick_1", 5)
