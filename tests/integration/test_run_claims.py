"""Which code may claim a run while versions change, and an end whose answer was lost; on SQLite and PostgreSQL alike."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keystroke.domain.outcome import Completed, HandedBack, Outcome
from keystroke.operations.claim_run import claim_run
from keystroke.operations.fleet_state import register_worker, stop_worker
from keystroke.operations.recover_runs import recover_attempt
from keystroke.store import history
from support.starts import GREET, Stage, publish


def test_a_run_of_a_new_workflow_waits_for_a_worker_that_has_it(stage: Stage) -> None:
    old = replace(stage.claimant, workflows=("greet", "retried"))
    newer = publish(stage.database, replace(GREET, slug="novel"), digest="two")
    stage.project = newer
    stage.start("novel")
    assert claim_run(stage.database, old) is None, "the old code could only fail it"
    another = stage.another_worker()
    current = replace(another, deployment_id=newer.current_deployment_id or "", workflows=("novel",))
    assert claim_run(stage.database, current) is not None


def test_a_run_of_a_workflow_that_is_gone_is_taken_by_the_current_code(stage: Stage) -> None:
    stage.start("greet")
    newer = publish(stage.database, replace(GREET, slug="novel"), digest="two")
    another = stage.another_worker()
    current = replace(another, deployment_id=newer.current_deployment_id or "", workflows=("novel",))
    assert claim_run(stage.database, current) is not None, "to say that it is gone"


@pytest.mark.parametrize("outcome", [Completed({"greeting": "hello"}), HandedBack()])
def test_an_end_whose_answer_was_lost_is_not_taken_for_a_lost_run(stage: Stage, outcome: Outcome) -> None:
    lease = stage.start_and_claim()
    told = stage.finish(lease, outcome)
    assert stage.finish(lease, outcome) == told, (
        "the same again, as after a connection that broke at the commit"
    )
    with stage.database.read() as tx:
        entries = [each.transition for each in history.list_timeline(stage.scope, tx, lease.run_id)]
    assert len(entries) == len(set(entries)), "recorded once"


def test_a_run_is_not_left_to_code_whose_workers_serve_other_queues(stage: Stage) -> None:
    lease = stage.start_and_claim()
    newer = publish(stage.database, GREET, digest="two")
    current = replace(stage.another_worker(), deployment_id=newer.current_deployment_id or "")
    stop_worker(stage.database, stage.claimant.worker_id)
    stop_worker(stage.database, current.worker_id)
    register_worker(stage.database, stage.project.id, stage.claimant.deployment_id, ("elsewhere",), 1)
    recover_attempt(stage.database, lease.run_id, lease.attempt, stage.settings)
    assert claim_run(stage.database, current) is not None
