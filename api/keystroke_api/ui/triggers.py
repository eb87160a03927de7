"""`/triggers`: everything that starts runs by itself, and how it is doing."""

from __future__ import annotations

from typing import Final

from flask import Response, request

from keystroke.operations.api_keys import Principal
from keystroke.store import access, deployments, sources, trigger_events
from keystroke_api.services import services
from keystroke_api.ui.contexts import Empty, Link
from keystroke_api.ui.notices import take_notice
from keystroke_api.ui.showing import show
from keystroke_api.ui.trigger_contexts import TriggerGroup, TriggerRow, TriggersPage
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
    rows: list[TriggerRow] = []
    with services().database.read() as tx:
        projects = access.list_projects(caller.scope, tx)
        for project in projects:
            found = sources.of_project(tx, project.id, retired=retired)
            last = trigger_events.list_last_events(caller.scope, tx, found)
            workflows = deployments.get_workflows(caller.scope, tx, project)
            rows += [trigger_row(project, each, workflows, last.get(each.id)) for each in found]
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
