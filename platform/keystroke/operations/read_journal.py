"""Read what earlier attempts of a run have recorded."""

from __future__ import annotations

from keystroke.domain.lease import Lease
from keystroke.domain.scope import Scope
from keystroke.domain.step import Step, StepKind, StepStatus
from keystroke.store import Database, runs, steps


def read_journal(database: Database, lease: Lease) -> list[Step]:
    """The recorded steps of the lease's run: final ones, those that wait for their next try, and waits that have begun."""
    with database.read() as tx:
        scope = Scope(runs.organization_of(tx, lease.run_id), (lease.project_id,))
        recorded = steps.list_steps(scope, tx, lease.run_id)
    return [step for step in recorded if step.status != StepStatus.RUNNING or step.kind != StepKind.ACTION]
