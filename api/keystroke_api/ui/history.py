"""`/history`: the list of runs, and canceling those that were selected."""

from __future__ import annotations

from typing import Any

from flask import Response, redirect, request

from keystroke.errors import RunEnded, RunNotFound
from keystroke.operations.api_keys import Principal
from keystroke.store import access, deployments, history
from keystroke.store.access import Project
from keystroke_api.answers import to_cursor
from keystroke_api.canceling import cancel
from keystroke_api.services import services
from keystroke_api.ui import filters
from keystroke_api.ui.address import Address
from keystroke_api.ui.contexts import Choice, Empty, HistoryPage, Link, RunRow
from keystroke_api.ui.history_query import COLUMNS, HistoryQuery, read_query, remembered_columns
from keystroke_api.ui.notices import leave_notice, take_notice
from keystroke_api.ui.returning import way_back
from keystroke_api.ui.run_page import run_page
from keystroke_api.ui.run_rows import run_row
from keystroke_api.ui.showing import now_micros, show
from keystroke_api.ui.wording import counted

_KEPT = ("columns", "limit")
#: A year: the choice of columns is kept by the browser.
_YEAR = 365 * 86_400


def history_page(caller: Principal) -> Response:
    """The runs that fit the filters, newest first; with `run` one of them beside the list."""
    address = Address.current()
    query = read_query(address, remembered_columns())
    filtered = query.filter_at(now_micros())
    with services().database.read() as tx:
        found = history.list_runs(caller.scope, tx, filtered, query.page)
        projects = access.list_projects(caller.scope, tx)
        names = {
            slug: workflow.name
            for project in projects
            for slug, workflow in deployments.get_workflows(caller.scope, tx, project).items()
        }
    older = (
        str(address.without("run").with_("cursor", to_cursor(found.runs[-1].id))) if found.has_more else None
    )
    page = _page(caller, address, query, [run_row(run) for run in found.runs], projects, names, older)
    answer = show("history.html", page, title="History", section="history")
    if query.columns and address.values("columns"):
        answer.set_cookie(
            "keystroke_columns", ".".join(query.columns), max_age=_YEAR, samesite="Lax", httponly=True
        )
    return answer


def cancel_selected(caller: Principal) -> Response:
    """Cancel the runs that were selected; those that have ended meanwhile are counted and left alone."""
    canceled = ended = 0
    for run_id in request.form.getlist("run")[:200]:
        try:
            cancel(caller, run_id)
            canceled += 1
        except (RunEnded, RunNotFound):
            ended += 1
    text = (
        f"Canceled {counted(canceled, 'run')}." if canceled or ended else "Select the runs to cancel first."
    )
    if ended:
        text += f" {counted(ended, 'run')} had ended already."
    return leave_notice(redirect(way_back("/history"), 303), text)


def _page(
    caller: Principal,
    address: Address,
    query: HistoryQuery,
    rows: list[RunRow],
    projects: list[Project],
    names: dict[str, str],
    older: str | None,
) -> HistoryPage:
    listed = address.without("run", "tab", "view", "format")
    chips = filters.chips(address, names)
    clear = str(address.only(_KEPT))
    return HistoryPage(
        rows=rows,
        columns=[Choice(name, label, name in query.shown_columns) for name, label in COLUMNS.items()],
        views=filters.views(address), chips=chips, statuses=filters.status_choices(address),
        workflows=filters.choices(address, "workflow", sorted(names.items())),
        projects=filters.choices(address, "project", ((each.slug, each.name) for each in projects)),
        triggers=filters.trigger_choices(address), periods=filters.period_choices(address),
        text={name: next(iter(address.values(name)), "") for name in filters.TYPED},
        kept=[pair for pair in address.pairs if pair[0] not in _FORM_FIELDS],
        prefix=str(listed.with_("run", "")).partition("?")[2], here=str(listed), clear_url=clear,
        newest_url=str(listed.without("cursor")) if query.cursor else None, older_url=older,
        empty=None if rows else _empty(chips, clear, names),
        panel=run_page(caller, query.run, query.tab, query.view, panel_of=listed) if query.run else None,
        notice=take_notice(),
    )  # fmt: skip


#: What the filter form itself sends anew, and what a new filter makes meaningless.
_FORM_FIELDS = frozenset({
    "status", "workflow", "project", "trigger", "last", "columns", *filters.TYPED, "cursor", "run", "tab", "view", "format",
})  # fmt: skip


def _empty(chips: list[Any], clear: str, names: dict[str, str]) -> Empty:
    if chips:
        return Empty(
            "No run fits these filters.",
            "Take one of them away, or look at all runs.",
            Link("Show all runs", clear),
            "",
        )
    if not names:
        return Empty(
            "Nothing has run yet.",
            "There is no workflow either: write one, or begin with the quickstart, and start a worker.",
            None,
            "keystroke init my-project && cd my-project && keystroke dev",
        )
    slug = min(names)
    return Empty(
        "Nothing has run yet.",
        "Start a workflow here, or from the command line.",
        Link("Choose a workflow", "/workflows"),
        f"keystroke workflows run {slug}",
    )
