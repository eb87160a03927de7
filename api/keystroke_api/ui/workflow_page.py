"""`/workflows/{slug}`: one workflow, its input as a form that starts a run, its newest runs."""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import quote

from flask import Response, redirect, request

from keystroke.domain.actor import Trigger
from keystroke.domain.filters import Page, RunFilter
from keystroke.operations.api_keys import Principal
from keystroke.operations.start_run import StartRequest
from keystroke.store import access, deployments, history, sources
from keystroke.store.access import Project
from keystroke_api.rest.workflows import find_default_project, find_project
from keystroke_api.services import services
from keystroke_api.starting import start
from keystroke_api.trigger_json import workflow_triggers
from keystroke_api.ui.address import Address
from keystroke_api.ui.contexts import WorkflowPage
from keystroke_api.ui.entry import REFUSALS, Entry
from keystroke_api.ui.notices import leave_notice
from keystroke_api.ui.run_rows import run_row
from keystroke_api.ui.schema_fields import entered_value, fields_of, fits_form
from keystroke_api.ui.showing import show
from keystroke_api.ui.trigger_rows import HEALTH
from keystroke_api.ui.wording import duration_text
from keystroke_api.ui.workflows import workflow_row

_NEWEST: Final = 12
_TRIGGER: Final = Trigger("api", "Web app", value="web")


def get_workflow_page(caller: Principal, slug: str) -> Response:
    """The workflow, ready to be started."""
    entry = Entry(json="" if request.args.get("input") == "json" else None)
    return _shown(caller, _project(caller, request.args.get("project")), slug, entry)


def start_from_page(caller: Principal, slug: str) -> Response:
    """Start a run with what was entered; where it does not fit, the form comes back with it and says why."""
    project = _project(caller, request.form.get("project"))
    with services().database.read() as tx:
        schema = deployments.get_workflow(caller.scope, tx, project, slug).input_schema
    entry = Entry(entered=request.form, json=request.form.get("json"))
    value = entry.read(schema)
    run_id = None if entry.refused else _start(caller, project, slug, value, entry)
    if run_id is None:
        return _shown(caller, project, slug, entry, 422)
    return leave_notice(redirect(f"/history/{run_id}", 303), "Started.")


def _start(caller: Principal, project: Project, slug: str, value: Any, entry: Entry) -> str | None:
    """The new run's id, or None with the reasons in `entry`."""
    try:
        return start(project, StartRequest(slug, value, _TRIGGER, caller.actor)).run_id
    except REFUSALS as refused:
        entry.refuse(refused)
        return None


def _shown(caller: Principal, project: Project, slug: str, entry: Entry, status: int = 200) -> Response:
    with services().database.read() as tx:
        workflow = deployments.get_workflow(caller.scope, tx, project, slug)
        stats = history.list_workflow_stats(caller.scope, tx, project)
        chosen = RunFilter(project=(project.slug,), workflow=(slug,))
        newest = history.list_runs(caller.scope, tx, chosen, Page(_NEWEST))
        attached = workflow_triggers(sources.of_project(tx, project.id), slug)
    row = workflow_row(project, workflow, stats.get(slug))
    schema = workflow.input_schema
    as_json = entry.json if entry.json is not None or fits_form(schema) else ""
    here = Address(f"/workflows/{quote(slug)}", (("project", project.slug),))
    page = WorkflowPage(
        row=row, fields=fields_of(schema, entry.entered, entry.by_field) if as_json is None else [],
        as_json=as_json or (None if as_json is None else json.dumps(_example(schema), indent=2)),
        switch_url="" if not fits_form(schema) else str(here.with_("input", "json") if as_json is None else here),
        errors=entry.whole, command=_command(slug, schema), facts=_facts(row.definition),
        runs=[run_row(run) for run in newest.runs],
        runs_url=f"/history?workflow={quote(slug)}&project={quote(project.slug)}",
        triggers=[_trigger(each) for each in attached],
    )  # fmt: skip
    return show("workflow.html", page, title=workflow.name, section="workflows", status=status)


def _trigger(trigger: dict[str, Any]) -> dict[str, Any]:
    off = trigger["attachment"]["disabled_at"] is not None
    mark, health = HEALTH["disabled" if off else trigger["health"]["status"]]
    return {
        "name": trigger["name"], "kind": trigger["kind"], "url": f"/triggers/{trigger['id']}", "mark": mark, "health": health,
        "next_at": trigger["next_at"],
    }  # fmt: skip


def _project(caller: Principal, slug: str | None) -> Project:
    """The project of that slug, else the only one, else the default one."""
    if slug:
        return find_project(caller, slug)
    with services().database.read() as tx:
        projects = access.list_projects(caller.scope, tx)
    return projects[0] if len(projects) == 1 else find_default_project(caller)


def _example(schema: dict[str, Any]) -> Any:
    """The input with its defaults, to begin with."""
    if not fits_form(schema):
        return {} if schema.get("type") == "object" else None
    return entered_value(schema, {each.name: each.value for each in fields_of(schema)})[0]


def _command(slug: str, schema: dict[str, Any]) -> str:
    example = json.dumps(_example(schema), ensure_ascii=False).replace("'", "'\\''")
    return f"keystroke workflows run {slug} --input '{example}'"


def _facts(definition: dict[str, Any]) -> list[tuple[str, str]]:
    facts = [("Queue", definition["queue"]), ("Attempts", f"at most {definition['max_attempts']}")]
    if definition["timeout"]:
        facts.append(("Timeout", duration_text(round(definition["timeout"] * 1000))))
    if definition["retention"]:
        facts.append(("Kept for", duration_text(round(definition["retention"] * 1000))))
    if definition["budget"]:
        facts.append(("Budget", definition["budget"]))
    if definition["priority"]:
        facts.append(("Priority", str(definition["priority"])))
    if definition["tool"]:
        facts.append(("Tool", "at /mcp"))
    tags = ", ".join(f"{key}={value}" for key, value in definition["tags"].items())
    return [
        *facts,
        *([("Tags", tags)] if tags else []),
        *([("Source", definition["source"])] if definition["source"] else []),
    ]
