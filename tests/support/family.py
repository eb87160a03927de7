"""A run with relatives and waits: it slept, asked, and started children; one of its replays is on record too."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from keystroke.box import Box
from keystroke.domain.failure import Failure
from keystroke.domain.lineage import Lineage
from keystroke.domain.outcome import Completed, Failed
from keystroke.domain.states import Reason
from keystroke.domain.step import StepStatus
from keystroke.operations.record_step import record_step
from support.replays import Recorder, replay
from support.starts import Stage


def failed_family(stage: Stage, **changes: Any) -> dict[str, str]:
    """Ids: `parent`, whose last step failed after a sleep, an answer and a child; `child`; `replay` from that step."""
    value = {"name": "Grace Hopper", "email": "grace@example.com", "password": "navy", "seats": 3, "plan": "team",
             "newsletter": True, "labels": ["navy", "cobol"], **changes}  # fmt: skip
    stage.box = Box(stage.settings.secret_key)
    lease = stage.start_and_claim("signup-pipeline", value=value, tags={"customer": "acme"})
    recorder = Recorder(stage, lease)
    recorder.step("research#0", output={"findings": "Grace works at example.com."})
    recorder.step("sleep#0", kind="sleep", lasts=40, due_at=recorder.at + timedelta(seconds=41))
    recorder.step("hook:approval#0", kind="hook", begins=41, lasts=15, output={"approved": True})
    child = stage.start(
        "charge-card", {"customer": "Grace"}, lineage=Lineage(lease.run_id, "run:charge-card#0", lease.run_id)
    )
    recorder.step(
        "run:charge-card#0", kind="workflow", begins=16, lasts=9, child_run_id=child.run_id, output="receipt"
    )
    claimed = stage.claim()
    assert claimed
    assert claimed.run_id == child.run_id
    stage.finish(claimed, Completed("receipt"))
    error = Failure("MailRefused", "grace@example.com does not exist", step="mail#0")
    recorder.step("mail#0", "failed", begins=10, lasts=2, error=error.as_json())
    stage.finish(lease, Failed(error, Reason.USER_ERROR, counts=False))
    again = replay(stage, lease.run_id, "mail#0").run_id
    return {"parent": lease.run_id, "child": child.run_id, "replay": again}


def waiting_run(stage: Stage) -> str:
    """A run that is at work and waits in three branches: until a time, for an answer, for a child."""
    lease = stage.start_and_claim("long-report", value={"sections": 3}, priority=10)
    recorder = Recorder(stage, lease)
    recorder.step("0/sleep#0", "running", "sleep", due_at=recorder.at + timedelta(hours=9))
    hook = recorder.step("1/hook:approval#0", "running", "hook")
    child = stage.start("charge-card", {}, lineage=Lineage(lease.run_id, "2/run:charge-card#0", lease.run_id))
    recorder.step("2/run:charge-card#0", "running", "workflow", child_run_id=child.run_id)
    declined = replace(
        hook,
        identity="3/hook:late#0",
        status=StepStatus.FAILED,
        finished_at=recorder.at + timedelta(seconds=5),
    )
    record_step(stage.database, lease, declined, stage.settings)
    return lease.run_id
