"""The reason of a cancel stands in its request, and is that of the end."""

from __future__ import annotations

import pytest

from keystroke.domain.actor import LOCAL_OWNER, SYSTEM
from keystroke.domain.states import Reason, Status
from keystroke.operations.cancel_run import cancel_run, cancel_within
from keystroke.operations.recover_runs import recover_attempt
from keystroke.store import history
from support.starts import Stage


@pytest.mark.parametrize("lost", [False, True])
def test_a_running_run_ends_with_the_reason_of_the_first_request(stage: Stage, lost: bool) -> None:
    lease = stage.start_and_claim()
    with stage.database.transaction() as tx:
        asked = cancel_within(tx, lease.run_id, SYSTEM, Reason.CANCELED_BY_PARENT, stage.settings)
    assert asked is not None
    assert (asked.status, asked.worker_id) == (Status.RUNNING, lease.worker_id)
    cancel_run(stage.database, stage.scope, lease.run_id, LOCAL_OWNER, stage.settings)

    if lost:
        recover_attempt(stage.database, lease.run_id, lease.attempt, stage.settings)
    else:
        stage.finish(lease)

    run = stage.run(lease.run_id)
    assert (run.status, run.status_reason) == (Status.CANCELED, Reason.CANCELED_BY_PARENT)
    with stage.database.read() as tx:
        assert history.list_timeline(stage.scope, tx, lease.run_id)[-1].actor == SYSTEM


def test_a_resting_run_is_canceled_with_the_reason_and_one_that_has_ended_is_left_alone(stage: Stage) -> None:
    started = stage.start()
    for expected in (Status.CANCELED, None):
        with stage.database.transaction() as tx:
            asked = cancel_within(tx, started.run_id, SYSTEM, Reason.CONCURRENCY_REPLACED, stage.settings)
        assert (asked and asked.status) == expected
    assert stage.run(started.run_id).status_reason is Reason.CONCURRENCY_REPLACED
