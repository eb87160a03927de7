"""Replaying a run from its page: as it was, from a step, or with its input edited."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

from flask import Response, redirect, request

from keystroke.domain.secrets import REDACTED
from keystroke.domain.step import TRANSFORM_MARK, StepKind
from keystroke.errors import InputNotRecorded, NoFailedStep, StepNotFound, WorkflowNotFound
from keystroke.operations.api_keys import Principal
from keystroke.operations.replay_run import EditedInput, ReplayRequest
from keystroke.store import access, deployments
from keystroke_api.replaying import replay
from keystroke_api.rest.reading import read_run, whole_run_id
from keystroke_api.services import services
from keystroke_api.ui.address import Address
from keystroke_api.ui.contexts import Choice, Field, ReplayPage
from keystroke_api.ui.entry import REFUSALS, Entry
from keystroke_api.ui.notices import leave_notice
from keystroke_api.ui.refilling import kept_secrets, refilled
from keystroke_api.ui.returning import way_back
from keystroke_api.ui.schema_fields import fields_of
from keystroke_api.ui.showing import show

_MOST_STEPS: Final = 200
_KEPT: Final = "It is on record: leave it empty to keep it."
#: Why a run cannot be replayed in that way, which its own page can say.
_CANNOT: Final = (StepNotFound, NoFailedStep, WorkflowNotFound, InputNotRecorded)
_HIDDEN: Final = "The input is hidden from you, so you cannot edit it. You can replay the run as it was."


def get_replay_page(caller: Principal, run_id: str) -> Response:
    """The form with the input of a run, to be edited and replayed."""
    with services().database.read() as tx:
        whole = whole_run_id(caller.scope, tx, run_id)
    if not caller.scope.payloads:
        return leave_notice(redirect(f"/history/{whole}"), _HIDDEN)
    return _shown(caller, whole, request.args.get("from_step", ""), None, request.args.get("input") == "json")


def replay_from_page(caller: Principal, run_id: str) -> Response:
    """The buttons and the form that replay a run; what they lead to is the new run's page."""
    from_step = request.form.get("from_step", "")
    wanted = ReplayRequest(run_id, caller.actor, from_step or None)
    if "edited" in request.form:
        return _replay_edited(caller, wanted)
    try:
        return _leading_to(replay(caller, wanted).run_id, wanted)
    except _CANNOT as refused:
        return leave_notice(redirect(way_back(f"/history/{run_id}"), 303), str(refused))


def _replay_edited(caller: Principal, wanted: ReplayRequest) -> Response:
    """Where what was entered does not fit, the form comes back with it and says why."""
    record = read_run(caller, wanted.run_id)
    if not caller.scope.payloads:
        return leave_notice(redirect(f"/history/{wanted.run_id}", 303), _HIDDEN)
    schema = _schema(caller, record)
    kept = {name: REDACTED for name in kept_secrets(schema, record["input"]) if not request.form.get(name)}
    entry = Entry(entered={**request.form.to_dict(), **kept}, json=request.form.get("json"))
    value = entry.read(schema)
    if not entry.refused:
        try:
            started = replay(caller, dataclasses.replace(wanted, input=EditedInput(value)))
        except (*REFUSALS, *_CANNOT) as refused:
            entry.refuse(refused)
        else:
            return _leading_to(started.run_id, wanted)
    return _shown(caller, wanted.run_id, wanted.from_step or "", entry, False)


def _leading_to(new_run_id: str, wanted: ReplayRequest) -> Response:
    text = f"This is a replay of {wanted.run_id}."
    if wanted.from_step and wanted.from_step.startswith(TRANSFORM_MARK):
        text = f"This is a replay of {wanted.run_id}: its transform makes the input again."
    elif wanted.from_step:
        text = f"This is a replay of {wanted.run_id} from {wanted.from_step}: the steps before it are copies."
    return leave_notice(redirect(f"/history/{new_run_id}", 303), text)


def _shown(caller: Principal, run_id: str, from_step: str, entry: Entry | None, as_json: bool) -> Response:
    record = read_run(caller, run_id, frozenset({"steps"}))
    schema = _schema(caller, record)
    filled = refilled(schema, record["input"])
    if entry is None:
        text = json.dumps(record["input"], indent=2, ensure_ascii=False)
        entry = Entry(entered=filled, json=text if as_json or filled is None else None)
        entry.whole.extend(_unknown(record["steps"], from_step))
    page = ReplayPage(
        record={name: record[name] for name in ("id", "workflow", "workflow_name", "project", "status")},
        url=f"/history/{run_id}", from_step=from_step, steps=_choices(record["steps"], from_step),
        fields=_fields(schema, record["input"], entry) if entry.json is None else [], as_json=entry.json,
        switch_url=_switch_url(run_id, from_step, entry) if filled is not None else "", errors=entry.whole,
    )  # fmt: skip
    title = f"Edit and replay · {record['workflow_name']} · {run_id[-6:]}"
    return show("replay.html", page, title=title, section="history", status=422 if entry.refused else 200)


def _schema(caller: Principal, record: dict[str, Any]) -> dict[str, Any]:
    """The input schema that the replay will be checked by. Raises WorkflowNotFound."""
    with services().database.read() as tx:
        project = access.get_project(caller.scope, tx, record["project"])
        return deployments.get_workflow(caller.scope, tx, project, record["workflow"]).input_schema


def _unknown(steps: Sequence[dict[str, Any]], from_step: str) -> list[str]:
    """What to say of a link to a step that is not on record: the form would begin at the beginning."""
    if not from_step or any(step["identity"] == from_step for step in steps):
        return []
    return [f"This run has no step {from_step} on record: choose where to start from."]


def _choices(steps: Sequence[dict[str, Any]], from_step: str) -> list[Choice]:
    """Where a replay can begin: at the beginning, or at a step; of very many the newest and the chosen one.

    Not with a transform: what it would make is the input that is edited.
    """
    identities = [step["identity"] for step in steps if step["kind"] != StepKind.TRANSFORM]
    offered = [
        each for at, each in enumerate(identities) if each == from_step or at >= len(identities) - _MOST_STEPS
    ]
    return [
        Choice("", "the beginning: everything is executed", not from_step),
        *(Choice(each, each, each == from_step) for each in offered),
    ]


def _fields(schema: dict[str, Any], shown: Any, entry: Entry) -> list[Field]:
    kept = frozenset(kept_secrets(schema, shown))
    return [_told(each, kept) for each in fields_of(schema, entry.entered, entry.by_field)]


def _told(field: Field, kept: frozenset[str]) -> Field:
    """The field of a secret says that it can be left alone."""
    if field.kind == "group":
        return dataclasses.replace(field, fields=[_told(each, kept) for each in field.fields])
    if field.name not in kept:
        return field
    return dataclasses.replace(field, required=False, help=" ".join(filter(None, (field.help, _KEPT))))


def _switch_url(run_id: str, from_step: str, entry: Entry) -> str:
    here = Address(f"/history/{quote(run_id)}/replay", (("from_step", from_step),) if from_step else ())
    return str(here.with_("input", "json") if entry.json is None else here)
