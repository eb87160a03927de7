"""Limits when several decide on them at once: many claimers, and two that meet at a lock."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import event

from keystroke.domain.actor import LOCAL_OWNER, SYSTEM, Trigger
from keystroke.domain.lease import Claimant, Lease
from keystroke.domain.outcome import Completed, HandedBack, Outcome, Suspended
from keystroke.domain.states import CANCEL_AT_REST, COMPLETE, Reason, Status
from keystroke.operations.cancel_run import cancel_run
from keystroke.operations.claim_run import claim_run
from keystroke.operations.claiming import claim_next
from keystroke.operations.finish_attempt import finish_attempt
from keystroke.operations.moving import move_run
from keystroke.operations.start_run import StartRequest, start_in, start_runs
from keystroke.operations.unpark_runs import Place, unpark_forgotten
from keystroke.operations.wake_due import wake_due
from keystroke.settings import Settings
from keystroke.store import Database, limits, runs
from support.blocking import blocked
from support.limited import broken_keys, limited, paced, parked_on, stage_of, states
from support.starts import Stage

RUNS = 1000
CLAIMERS = 8
_KEY = "concurrency:one/ada"


@pytest.fixture
def place(database: Database, settings: Settings) -> Stage:
    """A stage with the workflow `four` (four of a name at once), `one`, `skipped`, `replaced` and `paced`."""
    return _stage(database, settings)


def _stage(database: Database, settings: Settings) -> Stage:
    return stage_of(
        database, settings, limited("four", 4), limited("one", 1), limited("skipped", 1, "skip"),
        limited("replaced", 1, "replace"), paced("paced", 2, 3600),
    )  # fmt: skip


@pytest.fixture
def shared(postgresql_database: Database, postgresql_settings: Settings) -> Stage:
    """The same where several write at once; SQLite lets in one writer at a time, so that nobody meets at a key."""
    return _stage(postgresql_database, postgresql_settings)


class Claimers:
    """Children that claim and finish until everything has ended, each with a seed of its own."""

    def __init__(self, stage: Stage) -> None:
        """Nobody has begun."""
        self.stage = stage
        self.left = RUNS
        self.lock = threading.Lock()
        self.broken: set[str] = set()

    def work(self, seed: int) -> None:
        """Claim, and end each attempt in one way or another."""
        chance = random.Random(seed)
        claimant = replace(self.stage.claimant, slot=seed)
        lease = None
        while self.left > 0:
            lease = (
                claim_run(self.stage.database, claimant)
                if lease is None
                else self.end(lease, chance, claimant)
            )

    def end(self, lease: Lease, chance: random.Random, claimant: Claimant) -> Lease | None:
        """Most complete; some are handed back or sleep first."""
        first = chance.random() if lease.attempt == 1 else 1.0
        outcome: Outcome = Completed(1)
        if first < 0.1:
            outcome = HandedBack()
        elif first < 0.2:
            outcome = Suspended(Reason.SLEEP, timedelta(milliseconds=1))
        stage = self.stage
        finished = finish_attempt(stage.database, lease, outcome, timedelta(), stage.settings, claimant)
        with self.lock:
            self.left -= finished.status is Status.SUCCESS
        return finished.next

    def watch(self) -> None:
        """Look at the promises of the keys as often as possible, and wake who has slept."""
        while self.left > 0:
            self.broken.update(broken_keys(self.stage))
            wake_due(self.stage.database)


def test_a_limit_is_never_exceeded_and_no_place_is_empty_while_runs_wait(place: Stage) -> None:
    requests = [
        StartRequest("four", {"name": "ada" if at % 3 else "bob"}, Trigger("api", "API"), LOCAL_OWNER)
        for at in range(RUNS)
    ]
    start_runs(place.database, place.project, requests, place.settings, place.box)
    claimers = Claimers(place)
    with ThreadPoolExecutor(CLAIMERS + 1) as pool:
        watching = pool.submit(claimers.watch)
        for working in [pool.submit(claimers.work, seed) for seed in range(CLAIMERS)]:
            working.result(timeout=100)
        watching.result(timeout=10)
    assert claimers.broken == set()
    assert {row.status for row in states(place)} == {"success"}


def test_a_rate_is_never_exceeded_by_claims_at_once(place: Stage) -> None:
    for _ in range(8):
        place.start("paced")
    with ThreadPoolExecutor(CLAIMERS) as pool:
        leases = [each.result() for each in [pool.submit(place.claim) for _ in range(CLAIMERS)]]
    assert sum(lease is not None for lease in leases) == 2
    assert sum(row.parked_on == "rate:paced" for row in states(place)) == 6


def _start(stage: Stage, count: int, workflow: str = "one") -> list[str]:
    return [stage.start(workflow, {"name": "ada"}).run_id for _ in range(count)]


def test_a_run_without_limits_is_claimed_in_one_round_trip(shared: Stage) -> None:
    shared.start()
    shared.start()
    statements: list[str] = []
    event.listen(
        shared.database.engine, "before_cursor_execute", lambda *call: statements.append(call[2].split()[0])
    )
    lease = shared.claim()
    assert lease is not None
    assert (lease.more, statements) == (True, ["begin", "with", "commit"])
    statements.clear()
    _start(shared, 1)
    statements.clear()
    assert finish_attempt(
        shared.database, lease, Completed(1), timedelta(), shared.settings, shared.claimant
    ).next
    assert statements == ["begin", "with", "with", "commit"]


def test_a_claim_passes_over_a_key_that_somebody_decides_on_and_comes_back(
    shared: Stage, second: ThreadPoolExecutor
) -> None:
    [limited_run] = _start(shared, 1)
    with shared.database.transaction() as tx:
        limits.lock(tx, shared.project.id, _KEY)
        with shared.database.transaction() as other:
            claimed = claim_next(other, shared.claimant)
        assert (claimed.lease, claimed.again) == (None, True)
        free = shared.start().run_id
        lease = second.submit(shared.claim).result(timeout=10)
        assert lease is not None
        assert (lease.run_id, lease.more) == (free, True)
        waiting = second.submit(shared.claim)
    found = waiting.result(timeout=10)
    assert found is not None
    assert found.run_id == limited_run


def test_who_parks_first_is_found_by_who_frees_the_place(place: Stage, second: ThreadPoolExecutor) -> None:
    """The finish has not been counted by the claim, waits for the key, and sees what was parked meanwhile."""
    first, other = _start(place, 2)
    lease = place.claim()
    assert lease is not None
    assert lease.run_id == first
    with place.database.transaction() as tx:
        assert claim_next(tx, place.claimant).lease is None
        finished = blocked(place.database, second, lambda: place.finish(lease))
    assert finished.result(timeout=10).woken == ((place.project.id, "default"),)
    assert parked_on(place, other) is None


def test_who_frees_the_place_first_leaves_nobody_parked(shared: Stage, second: ThreadPoolExecutor) -> None:
    """The claim does not get the key, parks nobody, and looks again."""
    _, other = _start(shared, 2)
    lease = shared.claim()
    assert lease is not None
    with shared.database.transaction() as tx:
        limits.lock(tx, shared.project.id, _KEY)
        claiming = second.submit(shared.claim)
        place_freed = limits.unpark(tx, shared.project.id, "one/ada")
        assert place_freed is None, "nobody is parked yet"
    assert claiming.result(timeout=10) is None
    assert parked_on(shared, other) == _KEY
    shared.finish(lease)
    assert parked_on(shared, other) is None


def test_a_cancel_of_a_parked_run_and_a_finish_do_not_wait_for_each_other(
    shared: Stage, second: ThreadPoolExecutor
) -> None:
    """The cancel holds the row that would be next; the finish passes over it, and the one behind it is next."""
    _, parked, behind = _start(shared, 3)
    lease = shared.claim()
    assert lease is not None
    assert shared.claim() is None
    with shared.database.transaction() as tx:
        assert runs.move(tx, CANCEL_AT_REST, parked, actor=LOCAL_OWNER)
        second.submit(shared.finish, lease).result(timeout=10)
    assert parked_on(shared, behind) is None
    assert broken_keys(shared) == []


@pytest.mark.parametrize(
    ("workflow", "statuses"),
    [("skipped", [Status.QUEUED, Status.CANCELED]), ("replaced", [Status.CANCELED, Status.QUEUED])],
)
def test_of_two_starts_at_once_one_has_the_place(
    place: Stage, second: ThreadPoolExecutor, workflow: str, statuses: list[Status]
) -> None:
    request = StartRequest(workflow, {"name": "ada"}, Trigger("api", "API"), LOCAL_OWNER)
    with place.database.transaction() as tx:
        first = start_in(tx, place.project, request, place.settings, place.box)
        started = blocked(place.database, second, lambda: place.start(workflow, {"name": "ada"}))
    other = started.result(timeout=10)
    assert [place.run(each.run_id).status for each in (first, other)] == statuses


def test_a_run_is_replaced_while_it_finishes(shared: Stage, second: ThreadPoolExecutor) -> None:
    """The start waits for the row, not for the key, and finds the place free."""
    lease = shared.start_and_claim("replaced", value={"name": "ada"})
    with shared.database.transaction() as tx:
        assert runs.lock(tx, lease.run_id, lease.attempt)
        started = blocked(shared.database, second, lambda: shared.start("replaced", {"name": "ada"}))
        assert move_run(tx, COMPLETE, lease.run_id, actor=SYSTEM, attempt=lease.attempt)
    other = started.result(timeout=10)
    assert other.canceled == ()
    assert shared.run(other.run_id).status is Status.QUEUED


def test_a_round_leaves_a_key_alone_that_somebody_decides_on(shared: Stage) -> None:
    _start(shared, 2)
    lease = shared.claim()
    assert lease is not None
    assert shared.claim() is None
    with shared.database.transaction() as tx:
        limits.lock(tx, shared.project.id, _KEY)
        assert unpark_forgotten(shared.database, Place())[0] == set()


def test_a_cancel_and_a_claim_of_runs_with_both_limits_do_not_wait_for_each_other(
    postgresql_database: Database, postgresql_settings: Settings, second: ThreadPoolExecutor
) -> None:
    """The claim has the key and comes to the rate; the cancel of one that is parked on the rate needs both, too."""
    both = limited("both", 5, rate_limit={"limit": 1, "per": 3600, "key": None})
    stage = stage_of(postgresql_database, postgresql_settings, both)
    assert stage.start_and_claim("both", value={"name": "ada"})
    parked = stage.start("both", {"name": "ada"}).run_id
    assert stage.claim() is None
    assert parked_on(stage, parked) == "rate:both"
    stage.start("both", {"name": "ada"})
    with stage.database.transaction() as tx:
        assert limits.try_lock(tx, stage.project.id, "concurrency:both/ada")
        canceled = blocked(
            stage.database, second,
            lambda: cancel_run(stage.database, stage.scope, parked, LOCAL_OWNER, stage.settings),
        )  # fmt: skip
        assert claim_next(tx, stage.claimant).lease is None
    assert canceled.result().status is Status.CANCELED
