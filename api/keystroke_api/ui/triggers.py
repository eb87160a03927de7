"""`/triggers`: everything that starts runs by itself, and how it is doing."""

from __future__ import annotations

from typing import Final

from flask import Response, request

from keystroke.domain.manifest import WorkflowManifest
from keystroke.operations.api_keys import Principal
from keystroke.operations.secret_health import secret_troubles
from keystroke.store import access, deployments, sources, trigger_events
from keystroke.store.access import Project
from keystroke.store.sources import Source
from keystroke_api.services import services
from keystroke_api.ui.contexts import Empty, Link
from keystroke_api.ui.notices import take_notice
from keystroke_api.ui.showing import show
from keystroke_api.ui.trigger_contexts import TriggerGroup, TriggersPage
from keystroke_api.ui.trigger_rows import trigger_row

_LABELS: Final = {"webhook": "Webhooks", "schedule": "Schedules", "poll": "Polls"}
_EMPTY: Final = Empty(
    "Nothing starts runs by itself yet.",
    "A webhook, a schedule or a poll in the project's folder triggers/ does, once it is attached to a workflow and a worker "
    "has published it.",
    None,
    'schedule("nightly", "0 2 * * *", timezone="Europe/Paris").attach(report)',
)


def triggers_page(caller: Principal) -> Response:
    """The triggers of all projects, by kind."""
    retired = request.args.get("retired") == "1"
    listed: list[tuple[Project, Source, dict[str, WorkflowManifest]]] = []
    with services().database.read() as tx:
        projects = access.list_projects(caller.scope, tx)
        for project in projects:
            workflows = deployments.get_workflows(caller.scope, tx, project)
            found = sources.of_project(tx, project.id, retired=retired)
            listed += [(project, each, workflows) for each in found]
        last = trigger_events.list_last_events(caller.scope, tx, [source for _, source, _ in listed])
    troubles = secret_troubles([source for _, source, _ in listed], services().secrets)
    rows = [trigger_row(*each, last.get(each[1].id), troubles.get(each[1].id)) for each in listed]
    groups = [
        TriggerGroup(label, own)
        for kind, label in _LABELS.items()
        if (own := [row for row in rows if row.trigger["kind"] == kind])
    ]
    page = TriggersPage(
        groups, len(projects) > 1,
        Link("Without retired ones" if retired else "Retired ones too", "/triggers" if retired else "/triggers?retired=1"),
        None if rows else _EMPTY, take_notice(),
    )  # fmt: skip
    return show("triggers.html", page, title="Triggers", section="triggers")
