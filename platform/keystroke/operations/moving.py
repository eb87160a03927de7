"""Moves of a run together with what follows from them: the parent that waited for it goes on, a place in a limit is free.

Every operation moves runs through here, in its own transaction. The hot path pays nothing: what follows is looked at only
where the moved row says that there may be something.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from keystroke.domain.actor import SYSTEM, Actor
from keystroke.domain.states import CANCEL_AT_REST, CHILDREN_ENDED, Status, Transition
from keystroke.settings import Settings
from keystroke.store import Tx, limits, rates, runs, waits
from keystroke.store.limits import CONCURRENCY
from keystroke.store.runs import Changes, Moved


def move_run(tx: Tx, transition: Transition, run_id: str, **how: Any) -> Moved | None:
    """`runs.move` and what follows; None when the move did not win.

    `woken` of the result names the queues, as (project id, queue), in which other runs may go on: wake them after the commit.
    """
    moved = runs.move(tx, transition, run_id, **how)
    if moved is None:
        return None
    woken = moved.woken
    if moved.status.terminal:
        for waiting in _may_wait(tx, moved):
            woken += tell_waiter(tx, waiting, run_id)
    moved = _free_place(tx, transition, replace(moved, woken=woken))
    if transition is CANCEL_AT_REST and moved.rate_key is not None and not moved.begun:
        # Behind the key's lock: a claim that has this comes to the limit's row, too.
        rates.hurry(tx, moved.project_id, moved.rate_key)
    return moved


def move_runs(tx: Tx, transition: Transition, run_ids: Sequence[str], *, actor: Actor) -> list[Moved]:
    """Move many at once; those whose move won. For moves that nothing follows: nobody's end, and nobody's place."""
    if transition.target.terminal or Status.RUNNING in transition.sources:
        raise ValueError(f"{transition.name} has to be followed up run by run")
    return runs.move_all(tx, transition, run_ids, actor=actor)


def default_retention(settings: Settings) -> Changes:
    """What an end without an attempt writes: just how long the run is kept."""
    return Changes(retention_us=round(settings.retention * 1_000_000))


def _free_place(tx: Tx, transition: Transition, moved: Moved) -> Moved:
    """Let the best run that is parked on the key have the place of one that ran, or was on its way to run.

    Comes behind all runs: who holds a key's lock waits for no row of theirs (`store.limits`).
    """
    at_rest = transition is CANCEL_AT_REST
    if moved.concurrency_key is None or not (at_rest or Status.RUNNING in transition.sources):
        return moved
    limits.lock(tx, moved.project_id, CONCURRENCY + moved.concurrency_key)
    unparked = limits.unpark(tx, moved.project_id, moved.concurrency_key)
    if unparked is None:
        return moved
    return replace(
        moved, unparked=unparked.run_id, woken=(*moved.woken, (unparked.project_id, unparked.queue))
    )


def _may_wait(tx: Tx, moved: Moved) -> list[str]:
    """The parent; and, where the run has a key by which others can take it for their child, whoever did and waits."""
    parent = {moved.parent_run_id} if moved.parent_run_id is not None else set()
    return sorted(parent | (waits.waiters(tx, moved.run_id) if moved.keyed else set()))


def tell_waiter(tx: Tx, waiting_run_id: str, run_id: str) -> tuple[tuple[str, str], ...]:
    """Queue a run, if the one that has ended was the last child of a group that it waits for; the queues to wake."""
    waiter = waits.end_of_child(tx, waiting_run_id, run_id)
    if not waiter.is_over:
        return waiter.passed_over
    moved = move_run(tx, CHILDREN_ENDED, waiting_run_id, actor=SYSTEM)
    return () if moved is None else ((moved.project_id, moved.queue), *moved.woken)
