"""Give a run away as it is recorded, with a line in the audit log: nothing of it is redacted."""

from __future__ import annotations

from keystroke.domain.actor import Actor
from keystroke.domain.recorded_run import RecordedRun
from keystroke.domain.scope import Scope
from keystroke.store import Database, access
from keystroke.store.recorded_runs import get_recorded_run


def read_recorded_run(database: Database, scope: Scope, actor: Actor, run_id: str) -> RecordedRun:
    """The run's recorded input and steps; typed secrets in them stay encrypted. Raises RunNotFound."""
    with database.transaction() as tx:
        recorded = get_recorded_run(scope, tx, run_id)
        access.audit(tx, scope.organization_id, actor, "run.journal", run_id)
        return recorded
