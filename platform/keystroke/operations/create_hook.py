"""Create a hook: the row that is answered and the record of the step that waits, in one transaction."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from keystroke import ids
from keystroke.crashpoints import crash_point
from keystroke.domain.lease import Lease
from keystroke.domain.payload import encode_payload
from keystroke.domain.step import Step
from keystroke.errors import LeaseLost
from keystroke.settings import Settings
from keystroke.store import Database, hooks, runs, steps

_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class HookRequest:
    """A hook to be made. `token` is what its link ends in, `key_id` the key that the token derives from.

    `base` is what the link begins with: it is recorded, since a link that a replay makes otherwise would be another argument
    of the step that sends it.
    """

    name: str
    token: str
    key_id: str
    schema: dict[str, Any]
    timeout: timedelta | None
    one_click: bool
    base: str = ""


def create_hook(
    database: Database, lease: Lease, step: Step, request: HookRequest, settings: Settings
) -> Step:
    """Insert the hook and record its step as begun; gives the step on record. Doing it again changes nothing.

    `step.input` becomes `{hook, key_id, base}`: with these a replay finds the hook and makes its link again. Raises LeaseLost,
    PayloadTooLarge (a schema beyond all measure); then nothing was written.
    """
    encode_payload(request.schema, what=f"schema of hook {request.name}", limit=settings.payload_limit)
    schema = json.dumps(
        request.schema, ensure_ascii=False
    )  # its fields in their order, since a form is made of them
    new = hooks.NewHook(
        id=ids.new("hook"), project_id=lease.project_id, run_id=lease.run_id, step=step.identity, name=request.name,
        token_hash=hashlib.sha256(request.token.encode()).hexdigest(), key_id=request.key_id, schema_text=schema,
        one_click=request.one_click,
        timeout_us=None if request.timeout is None else request.timeout // _MICROSECOND,
    )  # fmt: skip
    with database.transaction() as tx:
        if runs.lock(tx, lease.run_id, lease.attempt) is None:
            raise LeaseLost(run_id=lease.run_id, attempt=lease.attempt)
        hook = hooks.insert(tx, new)
        named = {"hook": hook.id, "key_id": hook.key_id, "base": request.base}
        begun = replace(step, input=named, due_at=hook.expires_at)
        steps.begin(
            tx, lease.run_id, lease.attempt, begun, encode_payload(begun.input, what="input of a hook")
        )
        crash_point("hook-creating")
    crash_point("hook-created")
    return begun
