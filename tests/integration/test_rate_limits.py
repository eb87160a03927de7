"""Limits on how many runs begin in a while; on SQLite and PostgreSQL alike."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta

import pytest

from keystroke.domain.actor import LOCAL_OWNER
from keystroke.domain.lease import Lease
from keystroke.domain.outcome import HandedBack
from keystroke.domain.states import Reason
from keystroke.operations.cancel_run import cancel_run
from keystroke.operations.finish_attempt import finish_attempt
from keystroke.operations.retention import delete_expired
from keystroke.operations.unpark_runs import Place, unpark_forgotten, unpark_rates
from keystroke.settings import Settings
from keystroke.store import Database
from keystroke.store.sql import Sql
from support.limited import broken_keys, later, limited, paced, parked_on, stage_of
from support.starts import Stage

#: Two an hour for each name; nine in ten seconds for all together.
HOURLY = paced("hourly", 2, 3600, "{input.name}")


@pytest.fixture
def place(database: Database, settings: Settings) -> Stage:
    """A stage with the workflow `hourly`, and `both` that has either kind of limit."""
    both = limited("both", 1, rate_limit={"limit": 1, "per": 60, "key": "{tags.team}"})
    return stage_of(database, settings, HOURLY, both)


def start(stage: Stage, count: int, name: str = "ada", workflow: str = "hourly") -> list[str]:
    return [stage.start(workflow, {"name": name}).run_id for _ in range(count)]


def claim_all(stage: Stage) -> list[Lease]:
    leases = []
    while (lease := stage.claim()) is not None:
        leases.append(lease)
    return leases


def test_so_many_begin_at_once_and_the_others_wait(place: Stage) -> None:
    runs = start(place, 4)
    [other] = start(place, 1, "bob")
    leases = claim_all(place)
    assert [lease.run_id for lease in leases] == [*runs[:2], other]
    assert leases[-1].more is False
    assert parked_on(place, runs[3]) == "rate:hourly/ada"
    assert place.run(runs[3]).status_reason is Reason.WAITING_FOR_RATE_LIMIT
    assert unpark_rates(place.database) == set(), "nobody may begin yet"


def test_one_more_begins_with_each_interval(place: Stage) -> None:
    runs = start(place, 6)
    assert len(claim_all(place)) == 2
    for hours, allowed in ((0.49, 0), (0.51, 1), (1.02, 1), (9, 2)):
        with closing((then := later(place, hours * 3600)).database):
            assert bool(unpark_rates(then.database)) == bool(allowed)
            claimed = claim_all(then)
        assert len(claimed) == allowed, f"after {hours} hours"
    assert parked_on(place, runs[-1]) is None


def test_the_best_goes_first(place: Stage) -> None:
    start(place, 2)
    claim_all(place)
    start(place, 1)
    high = place.start("hourly", {"name": "ada"}, priority=5).run_id
    assert claim_all(place) == []
    with closing((then := later(place, 1801)).database):
        unpark_rates(then.database)
        assert [lease.run_id for lease in claim_all(then)] == [high]


def test_a_run_that_goes_on_has_begun_long_ago(place: Stage) -> None:
    start(place, 2)
    lease = claim_all(place)[0]
    place.finish(lease, HandedBack())
    again = place.claim()
    assert again is not None
    assert (again.run_id, again.attempt) == (lease.run_id, 2)


def test_the_turn_of_a_canceled_run_goes_to_the_next(place: Stage) -> None:
    runs = start(place, 4)
    claim_all(place)
    with closing((then := later(place, 1801)).database):
        assert unpark_rates(then.database)
        cancel_run(then.database, then.scope, runs[2], LOCAL_OWNER, then.settings)
        assert unpark_rates(then.database)
        assert [lease.run_id for lease in claim_all(then)] == [runs[3]]


def test_who_waits_for_the_rate_keeps_nobody_else_from_the_key(place: Stage) -> None:
    """The place in line of a concurrency key goes to somebody whose rate allows him to begin."""

    def start_of(team: str) -> str:
        return place.start("both", {"name": "ada"}, tags={"team": team}).run_id

    first, slow, slower, other = [start_of(team) for team in ("red", "red", "red", "blue")]
    [lease] = claim_all(place)
    assert lease.run_id == first
    assert {parked_on(place, each) for each in (slow, slower, other)} == {
        "rate:both/red",
        "concurrency:both/ada",
    }
    finished = finish_attempt(
        place.database, lease, HandedBack(), timedelta(), place.settings, place.claimant
    )
    assert finished.next is not None
    assert finished.next.run_id == first
    place.finish(finished.next)
    [following] = claim_all(place)
    assert following.run_id == other
    assert broken_keys(place) == []


def test_a_rate_whose_next_time_was_forgotten_is_found_by_a_round(place: Stage) -> None:
    start(place, 4)
    claim_all(place)
    with place.database.transaction() as tx:
        tx.run(Sql("update rate_limits set due_at = null"))
    with closing((then := later(place, 7200)).database):
        assert unpark_rates(then.database) == set()
        unpark_forgotten(then.database, Place())
        assert unpark_rates(then.database)
        assert len(claim_all(then)) == 2


def test_what_nobody_uses_any_more_is_deleted(place: Stage) -> None:
    start(place, 1)
    claim_all(place)
    count = Sql("select count(*) from rate_limits")
    with closing((then := later(place, 3 * 86400)).database), place.database.read() as tx:
        assert tx.value(count) == 1
        if then.database.backend == "postgresql":
            delete_expired(then.database)
    with closing((then := later(place, 3 * 86400)).database):
        delete_expired(then.database)
        with then.database.read() as tx:
            assert tx.value(count) == 0
