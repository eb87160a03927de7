"""What operators set on sources and attachments; it stays as it is when the project is deployed anew."""

from __future__ import annotations

from typing import Final

from keystroke.store.database import Tx
from keystroke.store.sql import Sql

_DISABLE: Final = Sql(
    "update sources set disabled_at = {now}, updated_at = {now} where id = :id and disabled_at is null"
)
_ENABLE: Final = Sql(
    "update sources set disabled_at = null, updated_at = {now} where id = :id and disabled_at is not null"
)
_PAUSE: Final = Sql("""
update sources set paused_until = :until, pause_reason = :reason, updated_at = {now} where id = :id and :until > {now}
""")
_RESUME: Final = Sql("""
update sources set paused_until = null, pause_reason = null, updated_at = {now}
where id = :id and paused_until is not null
""")
_ARM: Final = Sql("""
update sources set armed_at = {now}, failures = 0, passed = 0, next_at = :next_at, due_at = :due_at, updated_at = {now}
where id = :id
""")
_DISABLE_ATTACHMENT: Final = Sql("""
update attachments set disabled_at = {now}
where source_id = :source_id and workflow = :workflow and retired_at is null and disabled_at is null
""")
_ENABLE_ATTACHMENT: Final = Sql("""
update attachments set disabled_at = null
where source_id = :source_id and workflow = :workflow and retired_at is null and disabled_at is not null
""")


def set_disabled(tx: Tx, source_id: str, disabled: bool) -> bool:
    """Switch a source off or on; False where it is so already."""
    return tx.run(_DISABLE if disabled else _ENABLE, {"id": source_id}) == 1


def pause(tx: Tx, source_id: str, until: int, reason: str) -> bool:
    """Let it rest until then (microseconds); False where that is not in the future."""
    return tx.run(_PAUSE, {"id": source_id, "until": until, "reason": reason}) == 1


def resume(tx: Tx, source_id: str) -> bool:
    """End a pause; False where there is none."""
    return tx.run(_RESUME, {"id": source_id}) == 1


def arm(tx: Tx, source_id: str, next_at: int | None, due_at: int | None) -> None:
    """Let it begin anew: from now on failures and successes count, and it fires at this time next (microseconds)."""
    tx.run(_ARM, {"id": source_id, "next_at": next_at, "due_at": due_at})


def set_attachment_disabled(tx: Tx, source_id: str, workflow: str, disabled: bool) -> bool:
    """Switch one attachment off or on; False where it is so already."""
    sql = _DISABLE_ATTACHMENT if disabled else _ENABLE_ATTACHMENT
    return tx.run(sql, {"source_id": source_id, "workflow": workflow}) == 1
