"""Record usage outside of a step: a recorded call like any other, so that nothing counts twice on replay."""

from __future__ import annotations

from collections.abc import Sequence

from keystroke.domain.lease import Lease
from keystroke.domain.step import Step
from keystroke.domain.usage import Cost, UsageItem
from keystroke.operations.record_step import record_step
from keystroke.settings import Settings
from keystroke.store import Database


def record_usage(
    database: Database, lease: Lease, call: Step, items: Sequence[UsageItem], settings: Settings
) -> Cost | None:
    """Record the call under its identity together with its items; see `record_step`. Raises LeaseLost."""
    return record_step(database, lease, call, settings, items)
