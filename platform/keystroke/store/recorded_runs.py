"""Runs as a rehearsal needs them: with the recorded input and steps as they are, nothing redacted."""

from __future__ import annotations

import json
from typing import Final

from keystroke.clock import from_micros
from keystroke.domain.actor import Trigger
from keystroke.domain.payload import decode_payload
from keystroke.domain.recorded_run import RecordedRun
from keystroke.domain.scope import Scope
from keystroke.domain.states import Status
from keystroke.errors import RunNotFound
from keystroke.store.database import Tx
from keystroke.store.sql import Sql
from keystroke.store.steps import list_steps

_RUN: Final = Sql("""
select id, workflow, status, attempt, admitted_at, seed, tags, deployment_id, trigger_type,
    trigger_label, trigger_value, trigger_id, fired_at, scheduled_at, previous_fire_at, missed,
    (select body from run_payloads where run_id = runs.id and name = 'input') as input,
    (select body from run_payloads where run_id = runs.id and name = 'trigger') as payload
from runs where id = :run_id and organization_id = :organization_id
    and (cast(:everywhere as integer) = 1 or project_id {in:projects})
""")


def get_recorded_run(scope: Scope, tx: Tx, run_id: str) -> RecordedRun:
    """One run with its steps in the order of their start. Raises RunNotFound, also where the scope sees no payloads."""
    row = tx.row(
        _RUN,
        {
            "run_id": run_id, "organization_id": scope.organization_id,
            "everywhere": int(scope.project_ids is None), "projects": list(scope.project_ids or ()),
        },
    )  # fmt: skip
    if row is None or not scope.payloads:
        raise RunNotFound(run_id=run_id)
    return RecordedRun(
        id=row.id, workflow=row.workflow, status=Status(row.status), attempt=row.attempt,
        input=decode_payload(row.input), admitted=row.admitted_at is not None, seed=row.seed,
        trigger=Trigger(
            row.trigger_type, row.trigger_label, row.trigger_value, row.trigger_id, decode_payload(row.payload),
            from_micros(row.fired_at), from_micros(row.scheduled_at), from_micros(row.previous_fire_at), row.missed,
        ),
        steps=tuple(list_steps(scope, tx, run_id)), tags=json.loads(row.tags or "{}"), deployment=row.deployment_id,
    )  # fmt: skip
