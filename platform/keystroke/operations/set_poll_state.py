"""Show what a poll goes on from, and edit it.

An edit is never lost, and nothing is started for a state that was edited away: both the edit and the end of a tick hold the
source's row. A tick that began before the edit and ends behind it finds that the state is not the one that it was given; it
ends as an error without starting anything, and the poll looks again at once, from the edited state (`record_poll`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from keystroke.box import Box
from keystroke.clock import rfc3339
from keystroke.domain.actor import Actor
from keystroke.domain.editing import Edited, leaves
from keystroke.domain.payload import check_depth, decode_payload, encode_payload
from keystroke.domain.secrets import SEALED, open_sealed
from keystroke.errors import (
    InvalidState,
    PathError,
    SecretUnreadable,
    StateChanged,
    TriggerRetired,
    WrongTriggerKind,
)
from keystroke.operations.check_input import fit_errors
from keystroke.operations.keep_payload import seal_named
from keystroke.settings import Settings
from keystroke.store import Database, Tx, access, polls, sources
from keystroke.store.access import Project
from keystroke.store.polls import PollState
from keystroke.store.sources import Source

#: The version of a state that is not there.
NONE_YET: Final = "none"


@dataclass(frozen=True, slots=True)
class ShownState:
    """What a poll goes on from: `value` None before its first state. `under_way` is a tick that has not ended.

    `version` names this state, for an edit of it: the time at which it was written, or NONE_YET.
    """

    value: Any
    version: str
    written: PollState | None
    schema: dict[str, Any]
    under_way: str | None


@dataclass(frozen=True, slots=True)
class StateEdit:
    """A state in place of the one there is: None has the poll begin anew. Where a `version` is named, only in place of that one.

    Where it says `[redacted]`, as the recorded one is shown, that value stays.
    """

    value: Any
    actor: Actor
    version: str | None = None


def poll_state(tx: Tx, source: Source) -> ShownState:
    """What a poll goes on from, its secrets sealed. Raises WrongTriggerKind for what keeps no state."""
    schema, written = _schema(source), polls.state_of(tx, source.id)
    value = None if written is None else decode_payload(written.body)
    return ShownState(value, version_of(written), written, schema, polls.unfinished(tx, source.id))


def version_of(written: PollState | None) -> str:
    """The name of a state among those that were there before and will be after it."""
    return NONE_YET if written is None else rfc3339(written.updated_at)


def set_poll_state(
    database: Database, project: Project, source_id: str, edit: StateEdit, settings: Settings, box: Box | None
) -> ShownState:
    """Replace it; audited. Raises WrongTriggerKind, TriggerRetired, StateChanged, InvalidState, NotJson, PayloadTooLarge."""
    check_depth(edit.value, what="state")
    with database.transaction() as tx:
        source = sources.lock_source(tx, source_id)
        if source.retired_at is not None:
            raise TriggerRetired(trigger=source.slug)
        shown = poll_state(tx, source)
        if edit.version is not None and edit.version != shown.version:
            raise StateChanged(trigger=source.slug, version=edit.version)
        if edit.value is None:
            polls.drop_state(tx, source.id)
        else:
            polls.put_state(
                tx, source.id, _kept(source, shown, edit, settings, box), edit.actor.name or edit.actor.id
            )
        target = f"{project.slug}/{source.slug}"
        detail = "emptied" if edit.value is None else None
        access.audit(tx, project.organization_id, edit.actor, "trigger.set_state", target, detail)
        return poll_state(tx, source)


def _schema(source: Source) -> dict[str, Any]:
    kind, schema = source.manifest.kind, source.manifest.options.get("state_schema")
    if kind != "poll" or not schema:
        raise WrongTriggerKind(trigger=source.slug, kind=kind, why="it keeps no state.")
    found: dict[str, Any] = schema
    return found


def _kept(source: Source, shown: ShownState, edit: StateEdit, settings: Settings, box: Box | None) -> str:
    """The text of the edited state, checked by the published schema, its secrets sealed."""
    what = f"the poll {source.slug}"
    if f'"{SEALED}":' in encode_payload(edit.value, what="state", limit=settings.payload_limit):
        raise InvalidState(what=what, errors=[PathError("$", f"the key {SEALED} is reserved")])
    edited = Edited(edit.value, shown.value, frozenset(key.lower() for key in settings.redact))
    errors = edited.unclear or _errors(shown.schema, edited, box)
    if errors:
        raise InvalidState(what=what, errors=errors)
    sealed = seal_named(shown.schema, edited.value, box)
    return encode_payload(sealed, what="state", limit=settings.payload_limit)


def _errors(schema: dict[str, Any], edited: Edited, box: Box | None) -> list[PathError]:
    """By the schema, with what was kept opened: it is not told where something is wrong with it."""
    value, kept = edited.value, edited.kept
    try:
        if box is not None:
            value, kept = open_sealed(value, box.decrypt), open_sealed(kept, box.decrypt)
    except SecretUnreadable as error:
        return [PathError("$", str(error))]
    hidden = frozenset(leaf for leaf in leaves(kept) if isinstance(leaf, str | int | float))
    return fit_errors(schema, value, hidden)
