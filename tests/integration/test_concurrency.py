"""Limits on how many runs go on at once: the claim, the parking, and who is next; on SQLite and PostgreSQL alike."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from keystroke.domain.actor import LOCAL_OWNER
from keystroke.domain.outcome import Completed, HandedBack, Outcome, Suspended
from keystroke.domain.states import Reason, Status
from keystroke.operations.cancel_run import cancel_run
from keystroke.operations.finish_attempt import finish_attempt
from keystroke.operations.pause_queue import pause_queue, resume_queue
from keystroke.operations.recover_runs import recover_attempt
from keystroke.operations.unpark_runs import Place, unpark_forgotten
from keystroke.settings import Settings
from keystroke.store import Database
from keystroke.store.sql import Sql
from support.limited import broken_keys, limited, parked_on, stage_of
from support.starts import Stage, publish


@pytest.fixture
def place(database: Database, settings: Settings) -> Stage:
    """A stage with `one` (one run of a name at once), `two`, `skipped` and `replaced`."""
    return stage_of(
        database, settings, limited("one", 1), limited("two", 2),
        limited("skipped", 1, "skip"), limited("replaced", 1, "replace"),
    )  # fmt: skip


def names(stage: Stage, workflow: str, *wanted: str, **changes: Any) -> list[str]:
    return [stage.start(workflow, {"name": name}, **changes).run_id for name in wanted]


def test_runs_of_a_full_key_wait_and_those_of_others_go_first(place: Stage) -> None:
    first, second, third, other = names(place, "one", "ada", "ada", "ada", "bob")
    lease = place.claim()
    assert lease is not None
    assert lease.run_id == first
    following = place.claim()
    assert following is not None
    assert (following.run_id, following.more) == (other, False), "what waits for a place is no work"
    assert [parked_on(place, each) for each in (second, third)] == ["concurrency:one/ada"] * 2
    assert place.run(second).status_reason is Reason.WAITING_FOR_CONCURRENCY
    assert place.claim() is None

    finished = place.finish(lease)
    assert finished.woken == ((place.project.id, "default"),)
    best = place.claim()
    assert best is not None
    assert (best.run_id, best.more) == (second, False)
    assert broken_keys(place) == []


def test_a_finish_goes_on_with_the_next_of_its_key_without_waking_anybody(place: Stage) -> None:
    _, second = names(place, "one", "ada", "ada")
    lease = place.claim()
    assert place.claim() is None
    assert lease is not None
    finished = finish_attempt(
        place.database, lease, Completed(1), timedelta(), place.settings, place.claimant
    )
    assert finished.next is not None
    assert (finished.next.run_id, finished.woken) == (second, ())


def test_more_counts_only_what_could_be_claimed(place: Stage) -> None:
    names(place, "two", "ada", "ada", "ada")
    more = [lease.more for lease in (place.claim(), place.claim()) if lease is not None]
    assert more == [True, False]


def test_the_best_of_those_that_wait_is_next(place: Stage) -> None:
    names(place, "one", "ada")
    lease = place.claim()
    low = place.start("one", {"name": "ada"}, priority=-1).run_id
    high = place.start("one", {"name": "ada"}, priority=10).run_id
    assert place.claim() is None
    assert lease is not None
    place.finish(lease)
    following = place.claim()
    assert following is not None
    assert following.run_id == high
    assert parked_on(place, low) is not None


@pytest.mark.parametrize("outcome", [Completed(1), Suspended(Reason.SLEEP, timedelta(hours=1)), HandedBack()])
def test_whoever_lets_go_gives_his_place_away(place: Stage, outcome: Outcome) -> None:
    _, second = names(place, "one", "ada", "ada")
    lease = place.claim()
    assert lease is not None
    assert place.claim() is None
    place.finish(lease, outcome)
    assert parked_on(place, second) is None
    assert broken_keys(place) == []


def test_a_place_that_is_lost_is_given_away(place: Stage) -> None:
    first, second = names(place, "one", "ada", "ada")
    assert place.claim() is not None
    assert place.claim() is None
    recover_attempt(place.database, first, 1, place.settings)
    assert parked_on(place, second) is None
    assert broken_keys(place) == []


def test_a_place_that_nobody_takes_any_more_is_given_away(place: Stage) -> None:
    _, second, third = names(place, "one", "ada", "ada", "ada")
    lease = place.claim()
    assert lease is not None
    assert place.claim() is None
    place.finish(lease)
    assert (parked_on(place, second), parked_on(place, third)) == (None, "concurrency:one/ada")
    canceled = cancel_run(place.database, place.scope, second, LOCAL_OWNER, place.settings)
    assert canceled.woken == ((place.project.id, "default"),)
    assert parked_on(place, third) is None
    assert broken_keys(place) == []


def test_a_run_that_comes_back_from_its_sleep_waits_like_any_other(place: Stage) -> None:
    _, second = names(place, "one", "ada", "ada")
    lease = place.claim()
    assert lease is not None
    place.finish(lease, HandedBack())
    again = place.claim()
    assert again is not None
    assert again.run_id == lease.run_id, "it is the older one"
    assert place.claim() is None
    assert parked_on(place, second) is not None


def test_a_limit_that_is_raised_counts_for_the_runs_that_were_started_with_it(place: Stage) -> None:
    old = names(place, "one", "ada", "ada")
    assert place.claim() is not None
    assert place.claim() is None
    place.project = publish(place.database, limited("one", 3), digest="more")
    names(place, "one", "ada", "ada")
    claimant = replace(place.another_worker(), deployment_id=place.project.current_deployment_id or "")
    place.claimant = claimant
    claimed = [place.claim(), place.claim()]
    assert None not in claimed
    assert place.claim() is None
    assert parked_on(place, old[1]) is not None


def test_what_was_forgotten_is_found_by_a_round(place: Stage) -> None:
    names(place, "one", *("ada", "ada", "bob", "bob"))
    leases = [place.claim(), place.claim()]
    assert place.claim() is None
    with place.database.transaction() as tx:
        tx.run(
            Sql("update runs set status = 'failed' where id = :id"),
            {"id": leases[0].run_id if leases[0] else ""},
        )
    assert broken_keys(place) == ["one/ada"]
    woken, after = unpark_forgotten(place.database, Place(), most=1)
    assert (woken, after.parked_on) == ({(place.project.id, "default")}, "concurrency:one/ada")
    assert unpark_forgotten(place.database, after, most=2) == (set(), Place())
    assert broken_keys(place) == []


def test_a_skipped_run_is_recorded_as_canceled(place: Stage) -> None:
    first, second, other = names(place, "skipped", "ada", "ada", "bob")
    run = place.run(second)
    assert (run.status, run.status_reason) == (Status.CANCELED, Reason.CONCURRENCY_SKIPPED)
    assert [place.run(each).status for each in (first, other)] == [Status.QUEUED, Status.QUEUED]
    lease = place.claim()
    assert lease is not None
    place.finish(lease)
    assert place.start("skipped", {"name": "ada"}).status is Status.QUEUED


def test_a_newer_run_takes_the_place_of_one_at_rest_at_once(place: Stage) -> None:
    first = place.start("replaced", {"name": "ada"})
    second = place.start("replaced", {"name": "ada"})
    assert [each.run_id for each in second.canceled] == [first.run_id]
    assert second.woken == ((place.project.id, "default"),)
    run = place.run(first.run_id)
    assert (run.status, run.status_reason) == (Status.CANCELED, Reason.CONCURRENCY_REPLACED)
    lease = place.claim()
    assert lease is not None
    assert lease.run_id == second.run_id


def test_a_newer_run_begins_once_the_running_one_has_let_go(place: Stage) -> None:
    lease = place.start_and_claim("replaced", value={"name": "ada"})
    second = place.start("replaced", {"name": "ada"})
    assert [(each.run_id, each.status, each.worker_id) for each in second.canceled] == [
        (lease.run_id, Status.RUNNING, lease.worker_id)
    ]
    third = place.start("replaced", {"name": "ada"})
    assert [each.run_id for each in third.canceled] == [second.run_id], "the first is on its way out already"
    assert place.claim() is None
    assert place.finish(lease).status is Status.CANCELED
    assert place.run(lease.run_id).status_reason is Reason.CONCURRENCY_REPLACED
    following = place.claim()
    assert following is not None
    assert following.run_id == third.run_id


def test_a_run_of_a_paused_queue_keeps_its_turn_but_keeps_nobody_else_from_the_place(place: Stage) -> None:
    """The workflow has moved to another queue since; both wait for the same place."""
    lease = place.start_and_claim("one", value={"name": "ada"})
    paused = names(place, "one", "ada")[0]
    place.project = publish(place.database, limited("one", 1, queue="other"), digest="moved")
    other = names(place, "one", "ada")[0]
    serves = replace(place.another_worker(), deployment_id=place.project.current_deployment_id or "")
    place.claimant = replace(serves, queues=("default", "other"))
    assert place.claim() is None
    pause_queue(place.database, place.scope, LOCAL_OWNER, place.project, "default")
    place.finish(lease)
    assert (parked_on(place, paused), place.claim()) == (None, None)
    assert unpark_forgotten(place.database, Place())[0] == {(place.project.id, "other")}
    following = place.claim()
    assert following is not None
    assert following.run_id == other
    place.finish(following)
    resume_queue(place.database, place.scope, LOCAL_OWNER, place.project, "default")
    resumed = place.claim()
    assert resumed is not None
    assert resumed.run_id == paused
