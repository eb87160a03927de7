"""Admit a run: its first attempt has validated the input, and that is the input from now on."""

from __future__ import annotations

from typing import Any

from keystroke.crashpoints import crash_point
from keystroke.domain.lease import Lease
from keystroke.domain.payload import encode_payload
from keystroke.errors import LeaseLost
from keystroke.settings import Settings
from keystroke.store import Database, claims


def admit_run(database: Database, lease: Lease, value: Any, settings: Settings) -> None:
    """Record the validated input with its defaults filled. Raises LeaseLost, PayloadTooLarge."""
    text = encode_payload(value, what="input", limit=settings.payload_limit)
    with database.transaction() as tx:
        if not claims.admit(tx, lease.run_id, lease.attempt, text):
            raise LeaseLost(run_id=lease.run_id, attempt=lease.attempt)
        crash_point("run-admitting")
    crash_point("run-admitted")
