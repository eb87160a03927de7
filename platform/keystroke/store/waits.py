"""What runs at rest wait for: answers to hooks, and the ends of children. They meet on the waiting run's row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from keystroke.store.database import Tx
from keystroke.store.sql import Sql

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
_LOCK_RESTING: Final = Sql("""
select id from runs where id = :run_id and status in ('sleeping', 'waiting_on_hook') {for_update}
""")
_ENDED: Final = Sql("""
delete from child_waits where run_id = :run_id and child_run_id = :child_run_id returning step
""")
_LEFT: Final = Sql("select distinct step from child_waits where run_id = :run_id and step {in:steps}")


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


def end_of_child(tx: Tx, parent_run_id: str, child_run_id: str) -> bool:
    """A child has ended: True when its parent rests, waited for it, and a group of that wait is complete now.

    Locks the parent's row before it looks, so that two last children do not miss each other.
    """
    if tx.row(_LOCK_RESTING, {"run_id": parent_run_id}) is None:
        return False
    ended = tx.rows(_ENDED, {"run_id": parent_run_id, "child_run_id": child_run_id})
    steps = {row.step for row in ended}
    if not steps:
        return False
    left = {row.step for row in tx.rows(_LEFT, {"run_id": parent_run_id, "steps": sorted(steps)})}
    return bool(steps - left)


def _active(tx: Tx, children: Groups) -> set[str]:
    every = sorted({child for _, group in children for child in group})
    return {row.id for row in tx.rows(_ACTIVE, {"children": every})} if every else set()
