"""Runs by what started them: types, attachments and other raw values; and that the index of attachments is used."""

from __future__ import annotations

import os

import pytest

from keystroke.domain.filters import Page, RunFilter
from keystroke.store import history
from keystroke.store.run_filters import conditions_of
from keystroke.store.sql import Sql
from support.transformed import MakeTriggered, TriggeredRig

#: Runs among which those of an attachment are looked for; 100 000 are more than a few seconds' work.
RUNS = int(os.environ.get("KEYSTROKE_TEST_TRIGGER_RUNS", "5000"))
_FLOWS = """
    @workflow("write")
    def write(letter: dict) -> None: ...

    webhook("leads", "leads", verify=open_endpoint()).attach(write)
    schedule("nightly", "0 2 * * *", payload={}).attach(write)
"""
_FILL = Sql("""
insert into runs (id, events, organization_id, project_id, kind, workflow, workflow_name, queue, priority, status,
    max_attempts, due_at, created_at, queued_at, updated_at, trigger_type, trigger_label, trigger_value, fired_at,
    actor_type, actor_id, actor_name, root_run_id, seed, trace_id)
select 'run_' || lpad(number::text, 26, '0'), 1, organization_id, project_id, kind, workflow, workflow_name, queue,
    priority, 'success', max_attempts, null, created_at, queued_at, updated_at,
    case when number % 2 = 0 then 'webhook' else 'api' end, trigger_label,
    case when number % 2 = 1 then 'api' when number % 1000 = 0 then 'rare:write' else 'leads:write' end, fired_at,
    actor_type, actor_id, actor_name, root_run_id, seed, trace_id
from runs, generate_series(1, :number) number where id = :run_id
""")


@pytest.fixture
def rig(make_triggered: MakeTriggered) -> TriggeredRig:
    """The project above."""
    return make_triggered(_FLOWS)


def _listed(rig: TriggeredRig, *trigger: str) -> list[str]:
    with rig.database.read() as tx:
        found = history.list_runs(rig.stage.scope, tx, RunFilter(trigger=trigger), Page())
    return [run.id for run in found.runs]


def test_types_attachments_and_raw_values(rig: TriggeredRig) -> None:
    posted, ticked = rig.bring("leads", {}), rig.bring("nightly", {})
    started = rig.start("write", {})
    assert _listed(rig, "webhook") == _listed(rig, "leads:write") == [posted]
    assert _listed(rig, "schedule", "leads:write") == [ticked, posted]
    assert _listed(rig, "nightly:write", "api") == [started, ticked]
    assert _listed(rig, "leads:other") == _listed(rig, "leads") == _listed(rig, f"replay:{posted}") == []


def test_the_index_of_attachments_is_used(rig: TriggeredRig) -> None:
    if rig.database.backend != "postgresql":
        pytest.skip("plans are PostgreSQL's")
    with rig.database.transaction() as tx:
        tx.run(_FILL, {"number": RUNS, "run_id": rig.bring("leads", {})})
        tx.run(Sql("analyze runs"), {})
        conditions = conditions_of(RunFilter(trigger=("rare:write",)))
        conditions.add_choice("runs.project_id", "projects", [rig.stage.project.id])
        listed = Sql(f"explain analyze select id from runs where {conditions.text} order by id desc limit 51")
        plan = "\n".join(row[0] for row in tx.rows(listed, conditions.parameters))
    assert "runs_by_trigger" in plan, plan
    assert len(_listed(rig, "rare:write")) == min(RUNS // 1000, 50)
