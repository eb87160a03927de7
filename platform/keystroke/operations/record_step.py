"""Record a step: committed before the code after it runs."""

from __future__ import annotations

from collections.abc import Sequence

from keystroke.domain.lease import Lease
from keystroke.domain.payload import encode_payload
from keystroke.domain.step import Step
from keystroke.domain.usage import UsageItem
from keystroke.errors import LeaseLost
from keystroke.settings import Settings
from keystroke.store import Database, steps


def record_step(
    database: Database, lease: Lease, step: Step, settings: Settings, usage: Sequence[UsageItem] = ()
) -> None:
    """Write the step's record with the usage of this try.

    Raises LeaseLost, PayloadTooLarge, NotJson; then nothing was written.
    """
    texts = texts_of(step, settings.payload_limit)
    if not usage:
        with database.held() as tx:
            recorded = steps.record(tx, lease.run_id, lease.attempt, step, texts)
    else:
        with database.transaction() as tx:
            recorded = steps.record(tx, lease.run_id, lease.attempt, step, texts)
            if recorded:
                steps.add_usage(tx, lease.project_id, lease.run_id, usage)
    if not recorded:
        raise LeaseLost(run_id=lease.run_id, attempt=lease.attempt)


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
