"""The time of an attempt that was lost counts, and a run that has used up what it may work is not attempted again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from keystroke.domain.states import Reason, Status
from keystroke.operations.recover_runs import recover_attempt
from keystroke.settings import Settings
from keystroke.store import Database
from support.starts import GREET, make_stage


def test_recovery_counts_the_time_of_a_lost_attempt_and_ends_a_run_without_any_left(
    database: Database, settings: Settings
) -> None:
    stage = make_stage(database, settings, replace(GREET, timeout=10.0))
    lease = stage.start_and_claim()
    lost = recover_attempt(stage.database, lease.run_id, lease.attempt, stage.settings, timedelta(seconds=6))
    assert lost is not None
    assert lost.status is Status.QUEUED
    assert stage.run(lease.run_id).active_ms == 6_000
    again = stage.claim()
    assert again is not None
    lost = recover_attempt(
        stage.database, again.run_id, again.attempt, stage.settings, timedelta(seconds=4.5)
    )
    assert lost is not None
    run = stage.run(lease.run_id)
    assert (lost.status, run.status, run.status_reason, run.recoveries) == (
        "failed",
        "failed",
        Reason.TIMEOUT,
        1,
    )
    assert run.error is not None
    assert run.error["message"] == "The run worked for 10.5 s, all attempts together; its timeout is 10 s."
