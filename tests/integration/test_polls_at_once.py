"""Two who meet at a poll: its row is locked first by whoever makes a tick of it, ends one, or edits its state."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from keystroke.operations.queue_tick import queue_due_ticks
from keystroke.store import Database, limits, polls, sources, tick_claims
from support.blocking import blocked
from support.poll_rig import INVOICES, MakePolls, PollRig

GROUP = """
@poll("a", every="5m", group="both")
def a():
    return [1]

@poll("b", every="5m", group="both")
def b():
    return [2]
a.attach(anything)
b.attach(anything)
"""
LIMITED_GROUP = """
from keystroke import Concurrency

@workflow("early", concurrency=Concurrency(1, policy="replace"))
def early(payload) -> None: ...

@workflow("late", concurrency=Concurrency(1, policy="replace"))
def late(payload) -> None: ...

@poll("a", every="5m", group="both")
def a():
    return [1]

@poll("b", every="5m", group="both")
def b():
    return [2]
a.attach(late)
b.attach(early)
"""


@pytest.fixture
def rig(make_polls: MakePolls) -> PollRig:
    rig = make_polls(INVOICES)
    rig.given["invoices"] = [1]
    return rig


def test_many_beats_make_one_tick(rig: PollRig) -> None:
    """None of them waits, and none makes a second one, on record as skipped or not."""
    with ThreadPoolExecutor(4) as beats:
        made = list(beats.map(lambda _: queue_due_ticks(rig.database).queued, range(12)))
    assert len([each for queued in made for each in queued]) == 1
    assert len(rig.ticks()) == 1


@pytest.mark.parametrize("text", [INVOICES, GROUP])
def test_a_beat_passes_over_a_poll_that_somebody_has_locked(make_polls: MakePolls, text: str) -> None:
    rig = make_polls(text)
    if rig.database.backend == "sqlite":
        pytest.skip("one writer at a time")
    with closing(Database.from_settings(rig.settings)) as other, other.transaction() as tx:
        sources.lock_source(tx, rig.source("invoices" if text is INVOICES else "b").id)
        assert rig.queue() == []
    assert len(rig.queue()) == 1


def test_an_edit_waits_for_the_end_of_a_tick_and_stays(rig: PollRig, second: ThreadPoolExecutor) -> None:
    rig.queue()
    lease = rig.claim()
    result = rig.execute(lease)
    with rig.database.transaction() as tx:
        sources.lock_source(tx, lease.source_id)
        ended = blocked(rig.database, second, lambda: rig.finish(lease, result))
        polls.put_state(tx, lease.source_id, json.dumps({"at": 9}), "ada")
    assert ended.result(10).won
    assert (rig.state("invoices"), rig.runs()) == ({"at": 9}, [])


def test_an_attempt_that_was_taken_for_dead_finds_its_tick_in_other_hands(
    rig: PollRig, second: ThreadPoolExecutor
) -> None:
    rig.queue()
    first = rig.claim()
    late = rig.execute(first)
    with rig.database.transaction() as tx:
        assert tick_claims.requeue(tx, first.tick_id, first.attempt, lost=True)
        blocked_end = blocked(rig.database, second, lambda: rig.finish(first, late))
    assert not blocked_end.result(10).won
    again = rig.claim()
    assert rig.finish(again, rig.execute(again)).won
    assert not rig.finish(first, late).won
    assert len(rig.runs()) == 1


def test_an_end_that_is_told_twice_counts_once(rig: PollRig) -> None:
    """The answer to the first was lost."""
    rig.queue()
    lease = rig.claim()
    result = rig.execute(lease)
    assert rig.finish(lease, result).won
    assert rig.finish(lease, result).won
    assert len(rig.runs()) == 1


def test_a_beat_beside_the_end_of_a_groups_tick(make_polls: MakePolls) -> None:
    rig = make_polls(GROUP)
    for _ in range(5):
        rig.queue()
        lease = rig.claim()
        result = rig.execute(lease)
        rig.advance(300)
        with ThreadPoolExecutor(2) as both:
            ended = both.submit(rig.finish, lease, result)
            queued = both.submit(rig.queue)
            assert ended.result(20).won
            queued.result(20)
        if all(row.status == "ended" for row in rig.ticks()):
            rig.advance(300)
        else:
            rig.work()
            rig.advance(300)
    assert {row.outcome for row in rig.ticks()} <= {"fired", "skipped_overlap"}
    times = [sorted(row.scheduled_at for row in rig.ticks(slug)) for slug in ("a", "b")]
    assert times[0] == times[1]


def test_the_runs_of_a_group_take_the_locks_of_their_limits_in_the_order_of_all_starts(
    make_polls: MakePolls, second: ThreadPoolExecutor
) -> None:
    """Its first poll starts what comes last in that order: whoever starts both would wait in a circle with it."""
    rig = make_polls(LIMITED_GROUP)
    if rig.database.backend == "sqlite":
        pytest.skip("one writer at a time")
    rig.queue()
    lease = rig.claim()
    result = rig.execute(lease)
    project_id = rig.stage.project.id
    with rig.database.transaction() as tx:
        limits.lock(tx, project_id, "admission:early")
        ended = blocked(rig.database, second, lambda: rig.finish(lease, result))
        limits.lock(tx, project_id, "admission:late")
    assert ended.result(10).won
    assert len(rig.runs()) == 2


def test_the_end_of_a_tick_says_which_running_runs_its_own_ones_replace(make_polls: MakePolls) -> None:
    """Their workers are told at once, instead of with their next heartbeat."""
    rig = make_polls(LIMITED_GROUP)
    rig.tick()
    leases = [rig.stage.claim() for _ in range(2)]
    running = {(each.worker_id, each.id, each.attempt) for each in leases if each is not None}
    rig.advance(300)
    rig.queue()
    lease = rig.claim()
    finished = rig.finish(lease, rig.execute(lease))
    assert {(each.worker_id, each.run_id, each.attempt) for each in finished.canceled} == running
    assert len(running) == 2
