"""What a list says of a run that is still going on."""

from __future__ import annotations

from datetime import UTC, datetime

from keystroke.domain.filters import Page, RunFilter
from keystroke.domain.step import Step, StepKind, StepStatus
from keystroke.operations.record_step import record_step
from keystroke.store import history
from support.starts import Stage


def test_steps_of_a_running_run_are_counted_and_filtered(stage: Stage) -> None:
    lease, now = stage.start_and_claim(), datetime.now(UTC)
    for number in range(3):
        step = Step(f"a#{number}", "a", "a", StepKind.ACTION, StepStatus.SUCCESS, 1, "d", now, now)
        record_step(stage.database, lease, step, stage.settings)

    def listed(wanted: RunFilter) -> list[int]:
        with stage.database.read() as tx:
            return [run.step_count for run in history.list_runs(stage.scope, tx, wanted, Page()).runs]

    for _ in ("running", "ended"):
        assert listed(RunFilter()) == listed(RunFilter(min_steps=3, max_steps=3)) == [3]
        assert listed(RunFilter(min_steps=4)) == listed(RunFilter(max_steps=2)) == []
        stage.finish(lease)
