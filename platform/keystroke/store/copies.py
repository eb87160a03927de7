"""Copies of a run's steps, with which a replay from one of them begins."""

from __future__ import annotations

from typing import Any, Final

from keystroke.domain.scope import Scope
from keystroke.store.database import Tx
from keystroke.store.sql import Sql

_COPIED: Final = """identity, key, name, kind, status, attempt, digest, input, output, error, tries, child_run_id, started_at,
    finished_at, due_at, now_at"""
# Steps are in the order of their start: the attempt, the time in it by its worker's clock, then the record. The answer to a
# hook comes from outside, perhaps because of what the step did: it is kept if it was on record before the step was. A child
# that has ended has its result, although nobody has asked for it yet.
_BEFORE: Final = """
    done.run_id = :source_id and (done.status in ('success', 'failed') or done.kind = 'workflow' and exists (
        select 1 from runs child where child.id = done.child_run_id and child.status in ('success', 'failed', 'canceled')))
    and (done.began_in, done.started_at, done.event) < (named.began_in, named.started_at, named.event)
    and (done.kind <> 'hook' or done.event < named.event)
"""
# Copies have numbers like other events of the new run, and began before its first attempt, in the same order.
_COPY: Final = Sql(f"""
insert into steps (run_id, event, began_in, copied_from, {_COPIED})
select :run_id, 1 + row_number() over (order by done.began_in, done.started_at, done.event),
    done.began_in - source.attempt, done.run_id, {", ".join(f"done.{name.strip()}" for name in _COPIED.split(","))}
from steps done
join runs source on source.id = done.run_id
join steps named on named.run_id = done.run_id and named.identity = :from_step
where {_BEFORE}
""")
_COUNT: Final = Sql("""
update runs set events = events + copied.number, step_count = copied.number
from (select count(*) as number from steps where run_id = :run_id) copied where runs.id = :run_id
""")
_INPUT: Final = Sql("select body from run_payloads where run_id = :run_id and name = 'input'")
_TRIGGER: Final = Sql("select body from run_payloads where run_id = :run_id and name = 'trigger'")
# Of a replay it is that of the run that it replays, however many there are in between.
_ATTACHMENT: Final = Sql("""
with recursive line (number, replay_of, behind_transform) as (
    select 1, replay_of, behind_transform from runs where id = :run_id
    union all
    select number + 1, runs.replay_of, runs.behind_transform from runs join line on runs.id = line.replay_of
    where line.behind_transform is null and number < 1000
)
select behind_transform from line where behind_transform is not null
""")
_SEED: Final = Sql("select seed from runs where id = :run_id")
_FAILED: Final = Sql("""
select identity from steps where run_id = :run_id and status = 'failed' and exists (
    select 1 from runs where id = :run_id and organization_id = :organization_id
    and (cast(:everywhere as integer) = 1 or project_id {in:projects}))
order by began_in, started_at, event limit 1
""")
_STEPS: Final = Sql("""
select identity, status from steps where run_id = :run_id order by began_in, started_at, event
""")


def find_failed_step(scope: Scope, tx: Tx, run_id: str) -> str | None:
    """The identity of the first step of a run that failed."""
    parameters = {
        "run_id": run_id, "organization_id": scope.organization_id, "everywhere": int(scope.project_ids is None),
        "projects": list(scope.project_ids or ()),
    }  # fmt: skip
    identity = tx.value(_FAILED, parameters)
    return None if identity is None else str(identity)


def copy_steps(tx: Tx, source_id: str, run_id: str, from_step: str) -> None:
    """Give a run that nobody has claimed yet copies of the final steps that came before a step of the source.

    What "before" means is said in `operations.replay_run`.
    """
    tx.run(_COPY, {"source_id": source_id, "run_id": run_id, "from_step": from_step})
    tx.run(_COUNT, {"run_id": run_id})


def recorded_input(tx: Tx, run_id: str) -> str | None:
    """The canonical text of a run's input, secrets sealed; None where it is not on record."""
    text = tx.value(_INPUT, {"run_id": run_id})
    return None if text is None else str(text)


def trigger_payload(tx: Tx, run_id: str) -> str | None:
    """The canonical text of what the trigger brought, secrets sealed; None where it brought nothing."""
    text = tx.value(_TRIGGER, {"run_id": run_id})
    return None if text is None else str(text)


def attachment_of(tx: Tx, run_id: str) -> str | None:
    """The id of the attachment whose transform made the input, or was to make it; None where there is none."""
    found = tx.value(_ATTACHMENT, {"run_id": run_id})
    return None if found is None else str(found)


def seed_of(tx: Tx, run_id: str) -> str:
    """What the random values of a run derive from."""
    return str(tx.value(_SEED, {"run_id": run_id}))


def identities_of(tx: Tx, run_id: str) -> list[tuple[str, str]]:
    """Identity and status of a run's steps, in the order of their start."""
    rows: Any = tx.rows(_STEPS, {"run_id": run_id})
    return [(row.identity, row.status) for row in rows]
