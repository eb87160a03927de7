"""What a poll goes on from, on its page, with the form that edits it."""

from __future__ import annotations

import json
from typing import Any

from keystroke.operations.api_keys import Principal
from keystroke.operations.set_poll_state import poll_state
from keystroke.store.sources import Source
from keystroke_api.rest.poll_states import state_json
from keystroke_api.services import services
from keystroke_api.ui.trigger_contexts import StatePart
from keystroke_api.ui.wording import time_text


def state_part(
    caller: Principal, source: Source, entered: str | None = None, errors: list[str] | None = None
) -> StatePart | None:
    """The state, and what was entered in its place; None for what keeps no state."""
    if source.manifest.kind != "poll" or not source.manifest.options.get("state_schema"):
        return None
    with services().database.read() as tx:
        shown = state_json(poll_state(tx, source), payloads=caller.scope.payloads)
    text = json.dumps(shown["state"], indent=2, ensure_ascii=False) if entered is None else entered
    return StatePart(shown["state"], shown["version"], _written(shown), text, errors or [])


def _written(shown: dict[str, Any]) -> str:
    if shown["updated_at"] is None:
        return "None yet: the first tick is given none."
    under_way = " A tick that began with it is under way." if shown["under_way"] else ""
    return f"Since {time_text(shown['updated_at'])} UTC, from {shown['updated_by']}.{under_way}"
