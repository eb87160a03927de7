"""Record a step: committed before the code after it runs."""

from __future__ import annotations

from collections.abc import Sequence

from keystroke.crashpoints import crash_point
from keystroke.domain.lease import Lease
from keystroke.domain.payload import encode_payload
from keystroke.domain.step import Step, StepRecord
from keystroke.domain.usage import Cost, UsageItem
from keystroke.errors import LeaseLost
from keystroke.settings import Settings
from keystroke.store import Database, Tx, steps


def record_step(
    database: Database, lease: Lease, step: Step, settings: Settings, usage: Sequence[UsageItem] = ()
) -> Cost | None:
    """Write the step's record with the usage of this try.

    Where the run has a budget, and usage came along, gives what the run has cost by now. Raises LeaseLost, PayloadTooLarge,
    NotJson; then nothing was written.
    """
    texts = texts_of(step, settings.payload_limit)
    cost = None
    crash_point("step-recording")
    if not usage:
        with database.held() as tx:
            recorded = steps.record(tx, lease.run_id, lease.attempt, step, texts)
    else:
        with database.transaction() as tx:
            recorded = steps.record(tx, lease.run_id, lease.attempt, step, texts)
            if recorded:
                steps.add_usage(tx, lease.project_id, lease.run_id, usage)
                cost = None if lease.budget is None else steps.cost_of(tx, lease.run_id)
    if not recorded:
        raise LeaseLost(run_id=lease.run_id, attempt=lease.attempt)
    crash_point("step-recorded")
    return cost


def as_record(step: Step, usage: Sequence[UsageItem], settings: Settings) -> StepRecord:
    """The step as `record_steps` writes it. Raises PayloadTooLarge, NotJson."""
    return StepRecord(step, texts_of(step, settings.payload_limit), tuple(usage))


def record_steps(database: Database, lease: Lease, records: Sequence[StepRecord]) -> None:
    """Write a group of records, all or none of them. Raises LeaseLost."""
    with database.transaction() as tx:
        write_records(tx, lease, records)
        crash_point("step-recording")
    crash_point("step-recorded")


def write_records(tx: Tx, lease: Lease, records: Sequence[StepRecord]) -> None:
    """The same in a transaction of the caller's, which LeaseLost has to roll back."""
    if not steps.record_group(tx, lease.run_id, lease.attempt, records):
        raise LeaseLost(run_id=lease.run_id, attempt=lease.attempt)
    steps.add_usage(tx, lease.project_id, lease.run_id, [item for each in records for item in each.usage])


def note_running_steps(database: Database, lease: Lease, running: Sequence[Step], settings: Settings) -> None:
    """Show steps that take their time as running; never overwrites what is on record."""
    with database.transaction() as tx:
        for step in running:
            text = texts_of(step, settings.payload_limit)["input"]
            steps.note(tx, lease.run_id, lease.attempt, step, text)


def texts_of(step: Step, limit: int) -> dict[str, str | None]:
    """The canonical texts of what a step's record holds. Raises PayloadTooLarge, NotJson."""

    def text(value: object, what: str) -> str | None:
        return (
            None
            if value is None
            else encode_payload(value, what=f"{what} of step {step.identity}", limit=limit)
        )

    return {
        "input": text(step.input, "input"),
        "output": text(step.output, "output"),
        "error": text(step.error, "error"),
        "tries": text(steps.tries_json(step.tries) or None, "tries"),
    }
