"""What a schedule does while a run that it has started goes on, and when its runs go on failing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from keystroke.domain.actor import LOCAL_OWNER
from keystroke.domain.failure import Failure
from keystroke.domain.outcome import Failed
from keystroke.domain.presentation import run_json
from keystroke.domain.sentences import sentence_of
from keystroke.domain.source import UNTIL_RESUMED
from keystroke.domain.states import Reason, Status
from keystroke.operations.cancel_run import cancel_run
from keystroke.operations.pause_failing import pause_failing
from keystroke.operations.set_trigger import Pause
from keystroke.operations.unpark_runs import Place, unpark_forgotten, unpark_overlapping
from keystroke.store import Database, schedules
from keystroke.store.sql import Sql
from keystroke.store.standing import get_standing
from support.limited import limited
from support.schedules import Clockwork, MakeClockwork, scheduled


def _minutely(clockwork_of: MakeClockwork, **options: object) -> Clockwork:
    return clockwork_of(scheduled("minutely", cron="* * * * *", **options))


def _tick(clockwork: Clockwork, times: int = 1) -> None:
    for _ in range(times):
        clockwork.come_to("minutely")
        clockwork.fire()


def _claimed(clockwork: Clockwork) -> str:
    lease = clockwork.stage.claim()
    assert lease is not None
    return lease.run_id


def _told(clockwork: Clockwork, run_id: str) -> str:
    """What people read of a run that waits."""
    run = clockwork.stage.run(run_id)
    with clockwork.database.read() as tx:
        standing = get_standing(clockwork.stage.scope, tx, run_id, run.status_reason)
    return sentence_of(run_json(run, frozenset()), None, standing)


def test_allow_starts_another_one(clockwork_of: MakeClockwork) -> None:
    clockwork = _minutely(clockwork_of)
    _tick(clockwork, 3)
    assert len(clockwork.runs()) == 3


def test_skip_starts_none_while_one_goes_on_and_the_next_is_told_how_many_it_stands_for(
    clockwork_of: MakeClockwork,
) -> None:
    clockwork = _minutely(clockwork_of, overlap="skip")
    _tick(clockwork)
    lease = clockwork.stage.claim()
    assert lease is not None
    _tick(clockwork, 3)
    clockwork.stage.finish(lease)
    _tick(clockwork)
    assert clockwork.outcomes() == ["fired", *["skipped_overlap"] * 3, "fired"]
    first, last = clockwork.runs()
    assert (last.previous_fire_at, last.missed) == (first.scheduled_at, 3)
    assert clockwork.broken() == []


def test_queue_one_keeps_one_waiting_that_begins_when_the_other_has_ended(
    clockwork_of: MakeClockwork,
) -> None:
    clockwork = _minutely(clockwork_of, overlap="queue_one")
    _tick(clockwork)
    lease = clockwork.stage.claim()
    assert lease is not None
    _tick(clockwork, 3)
    assert clockwork.outcomes() == ["fired", "fired", "skipped_overlap", "skipped_overlap"]
    _, waiting = clockwork.runs()
    assert clockwork.stage.run(waiting.id).status_reason is Reason.WAITING_FOR_CONCURRENCY
    assert "of the same schedule" in _told(clockwork, waiting.id)
    assert unpark_overlapping(clockwork.database) == set(), "the other goes on"
    assert unpark_forgotten(clockwork.database, Place())[0] == set()
    assert clockwork.stage.claim() is None
    clockwork.stage.finish(lease)
    assert unpark_overlapping(clockwork.database) == {(clockwork.stage.project.id, "default")}
    assert _claimed(clockwork) == waiting.id
    _tick(clockwork)
    assert clockwork.outcomes()[-1] == "fired", "one goes on, and again one waits"
    assert clockwork.broken() == []


def test_one_that_is_about_to_begin_is_the_one_that_goes_on(clockwork_of: MakeClockwork) -> None:
    clockwork = _minutely(clockwork_of, overlap="queue_one")
    _tick(clockwork)
    lease = clockwork.stage.claim()
    assert lease is not None
    _tick(clockwork)
    clockwork.stage.finish(lease)
    _tick(clockwork, 2)
    assert clockwork.outcomes() == ["fired", "fired", "fired", "skipped_overlap"]


def test_a_waiting_run_can_be_canceled_and_leaves_its_place(clockwork_of: MakeClockwork) -> None:
    clockwork = _minutely(clockwork_of, overlap="queue_one")
    _tick(clockwork, 2)
    waiting = clockwork.runs()[1].id
    cancel_run(clockwork.database, clockwork.stage.scope, waiting, LOCAL_OWNER, clockwork.stage.settings)
    assert clockwork.stage.run(waiting).status is Status.CANCELED
    _tick(clockwork)
    assert clockwork.outcomes() == ["fired"] * 3


def test_cancel_running_cancels_what_runs_and_what_waits(clockwork_of: MakeClockwork) -> None:
    clockwork = _minutely(clockwork_of, overlap="cancel_running")
    _tick(clockwork, 2)
    queued = clockwork.runs()[0]
    assert (queued.status, queued.status_reason) == ("canceled", "overlap")
    running = _claimed(clockwork)
    clockwork.come_to("minutely")
    (fired,) = clockwork.fire()
    (told,) = fired.canceled
    assert (told.run_id, told.status, told.worker_id) == (
        running,
        Status.RUNNING,
        clockwork.stage.claimant.worker_id,
    )
    assert clockwork.runs()[1].cancel_requested_at is not None
    assert clockwork.outcomes() == ["fired"] * 3


def test_what_somebody_fires_by_hand_neither_holds_up_the_clock_nor_is_canceled_by_it(
    clockwork_of: MakeClockwork,
) -> None:
    clockwork = _minutely(clockwork_of, overlap="cancel_running")
    _tick(clockwork)
    with clockwork.database.transaction() as tx:
        tx.run(Sql("update ticks set origin = 'invoke:' || id"))
    _tick(clockwork)
    assert [run.status for run in clockwork.runs()] == ["queued", "queued"]


@pytest.mark.parametrize("policy", ["skip", "replace", "queue"])
def test_overlap_and_the_workflows_own_limit_go_together(clockwork_of: MakeClockwork, policy: str) -> None:
    workflow = limited("paced", 1, policy, key=None)
    manifests = [
        scheduled(f"s-{number}", "paced", "greet", every=60.0, overlap="cancel_running")
        for number in range(3)
    ]
    clockwork = clockwork_of(*manifests, workflows=(workflow,))
    for _ in range(3):
        clockwork.come_to("s-0")
        clockwork.fire()
    active = [run for run in clockwork.runs() if run.workflow == "paced" and run.status != "canceled"]
    assert len(active) == (3 if policy == "queue" else 1)
    assert len([run for run in clockwork.runs() if run.workflow == "greet" and run.status != "canceled"]) == 3
    assert clockwork.outcomes() == ["fired"] * 9
    assert clockwork.broken() == []


def _fail(clockwork: Clockwork) -> None:
    lease = clockwork.stage.claim()
    assert lease is not None
    clockwork.stage.finish(lease, Failed(Failure("ValueError", "no"), Reason.USER_ERROR))


def _succeed(clockwork: Clockwork) -> None:
    lease = clockwork.stage.claim()
    assert lease is not None
    clockwork.stage.finish(lease)


def test_after_so_many_failures_in_a_row_it_is_paused_until_somebody_resumes_it(
    clockwork_of: MakeClockwork,
) -> None:
    clockwork = _minutely(clockwork_of, pause_after=3)
    for end in (_fail, _fail, _succeed, _fail, _fail):
        _tick(clockwork)
        end(clockwork)
    assert pause_failing(clockwork.database, clockwork.stage.settings) == []
    _tick(clockwork)
    _fail(clockwork)
    assert [each.slug for each in pause_failing(clockwork.database, clockwork.stage.settings)] == ["minutely"]
    source = clockwork.source("minutely")
    assert source.paused
    assert source.paused_until == UNTIL_RESUMED
    assert source.pause_reason == "Its last 3 runs have failed."
    _tick(clockwork)
    assert len(clockwork.runs()) == 6
    assert clockwork.source("minutely").next_at is None
    clockwork.set("minutely", pause=Pause(None))
    assert pause_failing(clockwork.database, clockwork.stage.settings) == [], "failures count from now on"
    _tick(clockwork)
    _fail(clockwork)
    assert not clockwork.source("minutely").paused
    assert len(clockwork.runs()) == 7


def test_the_next_time_finds_the_failures_too(clockwork_of: MakeClockwork) -> None:
    clockwork = _minutely(clockwork_of, pause_after=1)
    _tick(clockwork)
    _fail(clockwork)
    clockwork.come_to("minutely")
    (fired,) = clockwork.fire()
    assert [each.slug for each in fired.paused] == ["minutely"]
    assert len(clockwork.ticks()) == 1


def test_catching_up_with_all_respects_the_overlap(clockwork_of: MakeClockwork) -> None:
    clockwork = _minutely(clockwork_of, catch_up="all", overlap="skip")
    clockwork.come_to("minutely", late=9 * 60)
    clockwork.fire()
    assert clockwork.outcomes() == ["fired", *["skipped_overlap"] * 9]
    assert timedelta(0) < clockwork.source("minutely").next_at - clockwork.now()  # type: ignore[operator]


def test_a_policy_that_is_changed_finds_what_the_other_left(clockwork_of: MakeClockwork) -> None:
    clockwork = _minutely(clockwork_of, overlap="queue_one")
    _tick(clockwork, 2)
    clockwork.publish(scheduled("minutely", cron="* * * * *", overlap="cancel_running"), digest="three")
    _tick(clockwork)
    assert [run.status for run in clockwork.runs()] == ["canceled", "canceled", "queued"]


@pytest.mark.parametrize("looked_for", ["_LOOK_AT_ACTIVE", "_UNPARK", "_WAITING", "_FAILING"])
def test_what_is_looked_for_is_found_by_its_index(sqlite_database: Database, looked_for: str) -> None:
    """SQLite uses a partial index only where it finds its condition, and is easily led to walk over all runs of a project."""
    explained = Sql("explain query plan " + getattr(schedules, looked_for).text)
    names = {"project_id": "", "attachment": "", "parked_on": "", "most": 1, "all": 1, "ids": []}
    with sqlite_database.read() as tx:
        plan = [row.detail for row in tx.rows(explained, names)]
    of_runs = [step for step in plan if step.split()[1] in ("runs", "earlier", "success")]
    wanted = ("runs_active_of_trigger", "runs_parked", "runs_by_trigger", "sqlite_autoindex_runs_1")
    assert of_runs
    assert all("SEARCH" in step and any(index in step for index in wanted) for step in of_runs), plan


def test_two_beats_whose_runs_replace_others_never_wait_in_a_circle(clockwork_of: MakeClockwork) -> None:
    """Of fifty the first half, which one beat takes, begins with one workflow, the other half with the other."""
    left, right = (limited(slug, 1, "replace", key=None) for slug in ("left", "right"))
    manifests = [
        scheduled(f"s-{number:02}", "left" if number % 2 else "right", every=60.0) for number in range(50)
    ]
    clockwork = clockwork_of(*manifests, workflows=(left, right))
    for _ in range(3):
        clockwork.come_to("s-00")
        with ThreadPoolExecutor(2) as beats:
            for beat in [beats.submit(clockwork.fire) for _ in range(2)]:
                beat.result()
    assert clockwork.outcomes() == ["fired"] * 150
    active = [run.workflow for run in clockwork.runs() if run.status != "canceled"]
    assert sorted(active) == ["left", "right"]
    assert clockwork.broken() == []
