"""The journal: records of steps, and what they cost. Written under the attempt's hold on the run, final records once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from keystroke.clock import from_micros, to_micros
from keystroke.domain.payload import decode_payload
from keystroke.domain.scope import Scope
from keystroke.domain.step import Step, StepKind, StepRecord, StepStatus, StepTry
from keystroke.domain.usage import Cost, UsageItem, from_nano, to_nano
from keystroke.store.database import Tx
from keystroke.store.sql import HeldInsert, Sql

# The attempt's hold on the run: the update locks the row if the attempt still has it, and gives the change its number.
_HOLD: Final = """
update runs set events = events + 1 where id = :run_id and attempt = :attempt and status = 'running' returning id, events
"""
# A row that is already final is left alone. An action that began anew began in this attempt; a wait, and an action that is
# tried again, in the one that noted it first: their start is the same.
_RECORD_HELD: Final = """
insert into steps (run_id, event, identity, key, name, kind, status, attempt, digest, input, output, error, tries,
    child_run_id, copied_from, started_at, finished_at, due_at, now_at, began_in)
select held.id, held.events, :identity, :key, :name, :kind, :status, :try, :digest, :input, :output, :error, :tries,
    :child_run_id, :copied_from, :started_at, :finished_at, :due_at, :now_at, :attempt
from {held} where true
on conflict (run_id, identity) do update set status = excluded.status, attempt = excluded.attempt,
    output = excluded.output, error = excluded.error, tries = excluded.tries, finished_at = excluded.finished_at,
    due_at = excluded.due_at, now_at = excluded.now_at, started_at = excluded.started_at, input = excluded.input,
    digest = excluded.digest, event = excluded.event,
    began_in = case when excluded.started_at = steps.started_at then steps.began_in else excluded.began_in end
where steps.status in ('running', 'retrying')
"""
_RECORD: Final = HeldInsert(_HOLD, _RECORD_HELD)
# A group of records: the hold takes as many numbers as there are, then each record has its own.
_HOLD_GROUP: Final = Sql("""
update runs set events = events + :count where id = :run_id and attempt = :attempt and status = 'running'
returning events - :count as taken
""")
_RECORD_OF_GROUP: Final = Sql(
    _RECORD_HELD.replace(
        "{held}", "(select cast(:run_id as text) as id, cast(:event as bigint) as events) held"
    )
)
_NOTE: Final = HeldInsert(_HOLD, """
insert into steps (run_id, event, identity, key, name, kind, status, attempt, digest, input, started_at, began_in)
select held.id, held.events, :identity, :key, :name, :kind, :status, :try, :digest, :input, :started_at, :attempt
from {held} where true
on conflict (run_id, identity) do nothing
""")  # fmt: skip
# A wait begins once: written again after a commit whose answer was lost, it keeps the time that it had.
_BEGIN: Final = HeldInsert(_HOLD, """
insert into steps (run_id, event, identity, key, name, kind, status, attempt, digest, input, child_run_id, started_at, due_at,
    now_at, began_in)
select held.id, held.events, :identity, :key, :name, :kind, :status, :try, :digest, :input, :child_run_id, :started_at,
    coalesce(:due_at, {now} + :delay_us), :now_at, :attempt
from {held} where true
on conflict (run_id, identity) do nothing
""")  # fmt: skip
# In one statement: of a thousand runs that wake at once each ends its sleep.
_END_SLEEP: Final = HeldInsert("""
update runs set events = events + 1 where id = :run_id and attempt = :attempt and status = 'running' and exists (
    select 1 from steps where run_id = :run_id and identity = :identity and status = 'running' and due_at <= {now})
returning id, events
""", """
update steps set status = 'success', event = held.events,
    finished_at = case when {now} < steps.started_at then steps.started_at else {now} end
from {held} where steps.run_id = held.id and steps.identity = :identity and steps.status = 'running'
""")  # fmt: skip
_LEFT: Final = Sql("""
select status, due_at, due_at - {now} as left_us from steps where run_id = :run_id and identity = :identity
and exists (select 1 from runs where id = :run_id and attempt = :attempt and status = 'running')
""")
_COLUMNS: Final = """identity, key, name, kind, status, attempt, digest, input, output, error, tries, child_run_id,
    copied_from, started_at, finished_at, due_at, now_at, event"""
_LIST: Final = Sql(f"""
select {_COLUMNS} from steps
where run_id = :run_id and exists (
    select 1 from runs where id = :run_id and organization_id = :organization_id
    and (cast(:everywhere as integer) = 1 or project_id {{in:projects}}))
order by began_in, started_at, identity
""")
_ADD_USAGE: Final = Sql("""
insert into usage_items (project_id, run_id, step, kind, name, quantity_nano, unit, cost_nano, currency)
values (:project_id, :run_id, :step, :kind, :name, :quantity_nano, :unit, :cost_nano, :currency)
""")
_COST: Final = Sql(
    "select sum(cost_nano) as nano, max(currency) as currency from usage_items where run_id = :run_id"
)
_JOURNAL: Final = Sql(f"""
select {_COLUMNS} from steps where run_id = :run_id and (status <> 'running' or kind <> 'action')
order by began_in, started_at, identity
""")
_LIST_USAGE: Final = Sql("""
select run_id, step, kind, name, quantity_nano, unit, cost_nano, currency from usage_items
where run_id {in:run_ids} and project_id {in:projects} order by id
""")


@dataclass(frozen=True, slots=True)
class Left:
    """Where a wait is: when it is over, and in how many microseconds by the database's clock (0 and less: it is over).

    None where it has no time.
    """

    status: StepStatus
    due_at: datetime | None
    left_us: int | None


def record(tx: Tx, run_id: str, attempt: int, step: Step, texts: dict[str, str | None]) -> bool:
    """Write a step's record; False when the attempt has lost the run (or the record was final already).

    `texts` holds the canonical texts of input, output, error and tries.
    """
    return tx.run_held(_RECORD, _row(run_id, attempt, step, texts)) == 1


def record_all(
    tx: Tx, run_id: str, attempt: int, records: Sequence[tuple[Step, dict[str, str | None]]]
) -> None:
    """`record` for many steps, in a transaction that holds the run (`runs.lock`); those that are final already stay."""
    _record_numbered(tx, run_id, attempt, records)


def record_group(tx: Tx, run_id: str, attempt: int, records: Sequence[StepRecord]) -> bool:
    """Write some records in their order; False when the attempt has lost the run (or one of them was final already).

    Then some may be written: the caller has to roll back.
    """
    written = _record_numbered(tx, run_id, attempt, [(each.step, each.texts) for each in records])
    return written == len(records)


def begin(
    tx: Tx, run_id: str, attempt: int, step: Step, input_text: str | None, delay_us: int | None = None
) -> Left:
    """Record that a wait has begun, over at `step.due_at` or `delay_us` microseconds from now; what is on record stays.

    The transaction holds the run (`runs.lock`). Gives where the wait on record is.
    """
    tx.run_held(_BEGIN, _row(run_id, attempt, step, {"input": input_text}) | {"delay_us": delay_us})
    left = left_of(tx, run_id, attempt, step.identity)
    assert left is not None, "recorded in this transaction"
    return left


def end_sleep(tx: Tx, run_id: str, attempt: int, identity: str) -> bool:
    """Record that a sleep is over; False where it is not yet, or is on record as over, or the attempt has lost the run."""
    return tx.run_held(_END_SLEEP, {"run_id": run_id, "attempt": attempt, "identity": identity}) == 1


def left_of(tx: Tx, run_id: str, attempt: int, identity: str) -> Left | None:
    """Where a wait on record is by the database's clock; None where none is, or the attempt has lost the run."""
    row = tx.row(_LEFT, {"run_id": run_id, "attempt": attempt, "identity": identity})
    return None if row is None else Left(StepStatus(row.status), from_micros(row.due_at), row.left_us)


def note(tx: Tx, run_id: str, attempt: int, step: Step, input_text: str | None) -> None:
    """Show a step as running; what is on record already stays."""
    tx.run_held(_NOTE, _row(run_id, attempt, step, {"input": input_text}))


def add_usage(tx: Tx, project_id: str, run_id: str, items: Sequence[UsageItem]) -> None:
    """Add line items to a run that the transaction holds."""
    tx.run_many(
        _ADD_USAGE,
        [
            {
                "project_id": project_id, "run_id": run_id, "step": item.step, "kind": item.kind, "name": item.name,
                "quantity_nano": to_nano(item.quantity), "unit": item.unit, "cost_nano": to_nano(item.cost),
                "currency": item.currency,
            }
            for item in items
        ],
    )  # fmt: skip


def cost_of(tx: Tx, run_id: str) -> Cost:
    """The sum of a run's line items."""
    row = tx.row(_COST, {"run_id": run_id})
    assert row is not None, "sums always have a row"
    return Cost(from_nano(int(row.nano or 0)), row.currency or "")


def list_steps(scope: Scope, tx: Tx, run_id: str) -> list[Step]:
    """A run's steps in the order of their start; without payloads where the scope may not see them."""
    rows = tx.rows(
        _LIST,
        {
            "run_id": run_id, "organization_id": scope.organization_id,
            "everywhere": int(scope.project_ids is None), "projects": list(scope.project_ids or ()),
        },
    )  # fmt: skip
    return [_step(row, payloads=scope.payloads) for row in rows]


def journal_of(tx: Tx, run_id: str) -> list[Step]:
    """What an attempt of a run goes on from: final steps, those that wait for their next try, and waits that have begun."""
    return [_step(row, payloads=True) for row in tx.rows(_JOURNAL, {"run_id": run_id})]


def list_usage(
    scope: Scope, tx: Tx, run_ids: Sequence[str], project_ids: Sequence[str]
) -> dict[str, list[UsageItem]]:
    """The line items of some runs, by run id; `project_ids` are those that the scope was resolved to."""
    allowed = [each for each in project_ids if scope.project_ids is None or each in scope.project_ids]
    found: dict[str, list[UsageItem]] = {}
    for row in tx.rows(_LIST_USAGE, {"run_ids": list(run_ids), "projects": allowed}):
        found.setdefault(row.run_id, []).append(
            UsageItem(
                row.kind,
                row.name,
                from_nano(row.quantity_nano),
                row.unit,
                from_nano(row.cost_nano),
                row.currency,
                row.step,
            )
        )
    return found


def _record_numbered(
    tx: Tx, run_id: str, attempt: int, records: Sequence[tuple[Step, dict[str, str | None]]]
) -> int:
    """How many were written. The run's row is written once: each of its versions would be walked over by the next."""
    taken = tx.value(_HOLD_GROUP, {"run_id": run_id, "attempt": attempt, "count": len(records)})
    if taken is None:
        return 0
    rows = [
        {**_row(run_id, attempt, step, texts), "event": number}
        for number, (step, texts) in enumerate(records, int(taken) + 1)
    ]
    return tx.run_many(_RECORD_OF_GROUP, rows)


def _row(run_id: str, attempt: int, step: Step, texts: dict[str, str | None]) -> dict[str, Any]:
    return {
        "run_id": run_id, "attempt": attempt, "identity": step.identity, "key": step.key, "name": step.name,
        "kind": step.kind, "status": step.status, "try": step.attempt, "digest": step.digest,
        "input": texts.get("input"), "output": texts.get("output"), "error": texts.get("error"),
        "tries": texts.get("tries"), "child_run_id": step.child_run_id, "copied_from": step.copied_from,
        "started_at": to_micros(step.started_at), "finished_at": to_micros(step.finished_at),
        "due_at": to_micros(step.due_at), "now_at": to_micros(step.now),
    }  # fmt: skip


def _step(row: Any, *, payloads: bool) -> Step:
    return Step(
        identity=row.identity, key=row.key, name=row.name, kind=StepKind(row.kind), status=StepStatus(row.status),
        attempt=row.attempt, digest=row.digest, started_at=from_micros(row.started_at),
        finished_at=from_micros(row.finished_at), input=decode_payload(row.input) if payloads else None,
        output=decode_payload(row.output) if payloads else None, error=decode_payload(row.error),
        child_run_id=row.child_run_id, copied_from=row.copied_from, tries=_tries(decode_payload(row.tries)),
        due_at=from_micros(row.due_at), now=from_micros(row.now_at), event=row.event,
    )  # fmt: skip


def tries_json(tries: Sequence[StepTry]) -> list[dict[str, Any]]:
    """Failed tries as they are kept with a step: times as microseconds."""
    return [
        {
            "number": each.number,
            "error": each.error,
            "from": to_micros(each.started_at),
            "to": to_micros(each.finished_at),
        }
        for each in tries
    ]


def _tries(data: list[dict[str, Any]] | None) -> tuple[StepTry, ...]:
    return tuple(
        StepTry(each["number"], each["error"], from_micros(each["from"]), from_micros(each["to"]))
        for each in data or ()
    )
