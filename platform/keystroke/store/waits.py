"""What runs at rest wait for: answers to hooks, and the ends of children. They meet on the waiting run's row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from keystroke.domain.states import Reason, Status
from keystroke.store.database import Tx
from keystroke.store.sql import Sql

_RESTING: Final = (Status.SLEEPING, Status.WAITING_ON_HOOK)
#: Why a run rests that waits for children, and perhaps for answers beside.
_FOR_CHILDREN: Final = (Reason.CHILD_RUNS, Reason.HOOK)
#: Groups of children's ids, by the step that waits for all of a group.
Groups = Sequence[tuple[str, Sequence[str]]]

_ANSWERED: Final = Sql("select 1 from hooks where id {in:hooks} and status <> 'waiting' limit 1")
_AWAIT: Final = Sql("""
update hooks set awaited = case when id {in:hooks} then 1 else 0 end where run_id = :run_id and status = 'waiting'
""")
_ACTIVE: Final = Sql("""
select id from runs where id {in:children} and status in ('queued', 'running', 'sleeping', 'waiting_on_hook')
""")
_FORGET: Final = Sql("delete from child_waits where run_id = :run_id")
_EXPECT: Final = Sql("""
insert into child_waits (run_id, step, child_run_id) values (:run_id, :step, :child_run_id)
""")
_HOLD_OTHERS: Final = Sql("""
select id from runs where id {in:children} and coalesce(parent_run_id, '') <> :run_id order by id {for_update}
""")
_REST: Final = Sql("select pg_advisory_xact_lock(hashtextextended(:name, 0))")
_END: Final = Sql("select pg_advisory_xact_lock_shared(hashtextextended(:name, 0))")
_STATUS: Final = Sql("select status from runs where id = :run_id")
_LOCK: Final = Sql(
    "select status, status_reason, project_id, queue from runs where id = :run_id {for_update}"
)
_WAITERS: Final = Sql("select distinct run_id from child_waits where child_run_id = :child_run_id")
_ENDED: Final = Sql("""
delete from child_waits where run_id = :run_id and child_run_id = :child_run_id returning step
""")
_LEFT: Final = Sql("select 1 from child_waits where run_id = :run_id and step = :step limit 1")
# Who waits at all is few; whom nobody has told of an end is nobody, as a rule.
_FORGOTTEN: Final = Sql("""
select child_waits.run_id, child_waits.child_run_id from child_waits
join runs waiting on waiting.id = child_waits.run_id and waiting.status in ('sleeping', 'waiting_on_hook')
left join runs child on child.id = child_waits.child_run_id
where child.id is null or child.status in ('success', 'failed', 'canceled')
order by child_waits.child_run_id limit :limit
""")


@dataclass(frozen=True, slots=True)
class Waiter:
    """A run that may wait for a child that has ended: whether a group of its wait is complete now.

    A claim passes over a row that is locked, as this one was: of a run found queued, (project id, queue) is to be woken again.
    """

    is_over: bool = False
    passed_over: tuple[tuple[str, str], ...] = ()


def is_over(tx: Tx, hooks: Sequence[str], children: Groups) -> bool:
    """Whether one of the hooks is answered or expired, or all children of one group have ended.

    Read after the waiting run's row was locked: whoever answers or ends later finds the run at rest.
    """
    if hooks and tx.row(_ANSWERED, {"hooks": list(hooks)}) is not None:
        return True
    active = _active(tx, children)
    return any(active.isdisjoint(group) for _, group in children)


def expect(tx: Tx, run_id: str, hooks: Sequence[str], children: Groups) -> None:
    """Note what a run that comes to rest waits for, in place of what it waited for before."""
    tx.run(_FORGET, {"run_id": run_id})
    if hooks:
        tx.run(_AWAIT, {"run_id": run_id, "hooks": list(hooks)})
    active = _active(tx, children)
    tx.run_many(
        _EXPECT,
        [
            {"run_id": run_id, "step": step, "child_run_id": child}
            for step, group in children
            for child in group
            if child in active
        ],
    )


def come_to_rest(tx: Tx, run_id: str, children: Groups) -> None:
    """Before a run rests until children have ended, and before its row is locked: their ends come before this, or see it.

    At the end of a child that another run has started nobody thinks of this run: so that child's row is locked here.
    """
    every = _all_of(children)
    if every:
        tx.rows(_HOLD_OTHERS, {"children": every, "run_id": run_id})
        _meet(tx, _REST, run_id)


def _meet(tx: Tx, lock: Sql, run_id: str) -> None:
    """Ends of a run's children pass each other, and not the run while it comes to rest. On SQLite writers are alone anyway.

    It is not the run's row that is locked for this: a run may start children while others of them end.
    """
    if tx.backend == "postgresql":
        tx.row(lock, {"name": f"children of {run_id}"})


def waiters(tx: Tx, child_run_id: str) -> set[str]:
    """The runs that have come to rest waiting for a run that may not be their own child."""
    return {row.run_id for row in tx.rows(_WAITERS, {"child_run_id": child_run_id})}


def end_of_child(tx: Tx, run_id: str, child_run_id: str) -> Waiter:
    """A child has ended: what that means to a run that may rest and wait for it.

    A run that does not rest will look for itself when it is about to. One that rests has its row locked before its waits are
    looked at, so that two last children do not miss each other.
    """
    _meet(tx, _END, run_id)
    if tx.value(_STATUS, {"run_id": run_id}) not in _RESTING:
        return Waiter()
    row = tx.row(_LOCK, {"run_id": run_id})
    if row is None or row.status not in (*_RESTING, Status.QUEUED):
        return Waiter()
    if row.status == Status.QUEUED:
        return Waiter(passed_over=((row.project_id, row.queue),))
    ended = tx.rows(_ENDED, {"run_id": run_id, "child_run_id": child_run_id})
    if row.status_reason not in _FOR_CHILDREN:
        return Waiter()  # it rests for something else since
    left = [tx.row(_LEFT, {"run_id": run_id, "step": each.step}) for each in ended]
    return Waiter(is_over=None in left)


def forgotten(tx: Tx, limit: int) -> list[tuple[str, str]]:
    """Runs at rest, each with a child that it waits for and that has ended or is gone, since whoever ended it told nobody."""
    return [(row.run_id, row.child_run_id) for row in tx.rows(_FORGOTTEN, {"limit": limit})]


def _all_of(children: Groups) -> list[str]:
    return sorted({child for _, group in children for child in group})


def _active(tx: Tx, children: Groups) -> set[str]:
    every = _all_of(children)
    return {row.id for row in tx.rows(_ACTIVE, {"children": every})} if every else set()
