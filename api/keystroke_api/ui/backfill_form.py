"""Backfills on the page of a schedule: the form, and the newest ones with how far they are."""

from __future__ import annotations

from typing import Final

from keystroke.domain.backfill import Backfill
from keystroke.operations.api_keys import Principal
from keystroke.store import backfills
from keystroke.store.sources import Source
from keystroke_api.services import services
from keystroke_api.ui.trigger_contexts import BackfillPart, BackfillRow
from keystroke_api.ui.wording import counted

FIELDS: Final = ("from", "to", "reprocess")
_NEWEST: Final = 5
#: The status whose mark and colour a backfill has.
_MARKS: Final = {"running": "running", "completed": "success", "canceled": "canceled", "failed": "failed"}


def backfill_part(
    caller: Principal, source: Source, entered: dict[str, str] | None = None, *, said: str = "", errors: list[str] | None = None
) -> BackfillPart | None:  # fmt: skip
    """The form and the newest ones; None for what is no schedule."""
    if source.manifest.kind != "schedule":
        return None
    with services().database.read() as tx:
        found = backfills.list_backfills(caller.scope, tx, source, limit=_NEWEST)
    rows = [_row(source, each) for each in found]
    return BackfillPart(entered or dict.fromkeys(FIELDS, ""), said, errors or [], rows)


def _row(source: Source, backfill: Backfill) -> BackfillRow:
    done = backfill.fired + backfill.skipped + backfill.failed
    words = {
        "running": f"{done:,} of {counted(backfill.total, 'time')}", "completed": f"{counted(backfill.fired, 'time')} fired",
        "canceled": f"Stopped after {done:,} of {counted(backfill.total, 'time')}",
        "failed": backfill.error or "Failed",
    }[backfill.status]  # fmt: skip
    url = f"/triggers/{source.id}/backfills/{backfill.id}/cancel" if backfill.status == "running" else ""
    return BackfillRow(backfill.as_json(), _MARKS[backfill.status], words, url)
