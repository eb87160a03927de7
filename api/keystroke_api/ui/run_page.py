"""One run: as a page of its own, and as the panel beside the list."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from flask import Response, redirect, request

from keystroke.clock import from_micros
from keystroke.domain.states import TERMINAL, Status
from keystroke.errors import RunEnded
from keystroke.operations.api_keys import Principal
from keystroke.store import changes, copies
from keystroke_api.canceling import cancel
from keystroke_api.rest.reading import read_run, whole_run_id
from keystroke_api.rest.texts import API
from keystroke_api.services import services
from keystroke_api.ui.address import Address
from keystroke_api.ui.contexts import Link, Logs, RunPage, Waterfall
from keystroke_api.ui.hooks import hooks_of
from keystroke_api.ui.log_lines import read_logs
from keystroke_api.ui.notices import leave_notice, take_notice
from keystroke_api.ui.payload_text import MEDIA_TYPES, as_text
from keystroke_api.ui.relatives import FEW, MANY, relatives_of
from keystroke_api.ui.returning import way_back
from keystroke_api.ui.run_rows import elapsed_ms
from keystroke_api.ui.showing import now_micros, show
from keystroke_api.ui.trigger_links import trigger_links
from keystroke_api.ui.waterfall import waterfall

#: The tabs, with what of the record each of them shows.
_TABS: Final[dict[str, frozenset[str]]] = {
    "overview": frozenset({"steps"}),
    "metadata": frozenset({"attempts", "timeline"}),
    "trace": frozenset({"steps", "spans"}),
}
#: Tabs that show relatives of the run, and how many of each kind.
_RELATIVES: Final = {"overview": FEW, "metadata": MANY}
_VIEWS: Final = ("json", "yaml")
_EVERYTHING: Final = frozenset({"steps", "attempts", "timeline", "trace"})
#: Steps that the overview shows, the newest: a page of thousands is of no use to anybody, and loaded anew with each change.
_MOST_STEPS: Final = 100
#: What can be downloaded by itself.
_PARTS: Final = ("run", "input", "output", "error", "trace", "steps", "trigger")


def get_run_page(caller: Principal, run_id: str) -> Response:
    """A run's own page; an unambiguous beginning of its id leads there too."""
    with services().database.read() as tx:
        whole = whole_run_id(caller.scope, tx, run_id)
    if whole != run_id:
        return redirect(f"/history/{whole}")  # type: ignore[return-value]
    page = run_page(caller, run_id, request.args.get("tab", "overview"), request.args.get("view", "json"))
    name = page.record["workflow_name"]
    return show("run.html", page, title=f"{name} · {run_id[-6:]}", section="history")


def run_page(
    caller: Principal, run_id: str, tab: str, view: str, *, panel_of: Address | None = None
) -> RunPage:
    """What the page (or the panel beside the list `panel_of`) shows."""
    tab = tab if tab in _TABS else "overview"
    view = view if view in _VIEWS else "json"
    position = _position(
        caller, run_id
    )  # before anything else of it is read, so that nothing falls in between
    record = read_run(caller, run_id, _TABS[tab])
    left_out = _shorten_steps(record) if tab == "overview" else 0
    elapsed, active = elapsed_ms(record), record["status"] not in TERMINAL
    url = f"/history/{record['id']}"
    here = panel_of.with_("run", record["id"]) if panel_of else Address(url)
    links = trigger_links(caller, record)
    drawn, logs = _trace(caller, record) if tab == "trace" else (None, None)
    return RunPage(
        record=record, sentence=record["status_detail"], elapsed_ms=elapsed, active=active, tab=tab,
        tabs=[Link(name.capitalize(), str(_shown(here, name, view)), name == tab) for name in _TABS],
        view=view, views=[Link(name.upper(), str(_shown(here, tab, name)), name == view) for name in _VIEWS],
        url=url, events_url=f"{API}/runs/{record['id']}/events?after={position}", here=str(_shown(here, tab, view)),
        close_url=str(panel_of) if panel_of else None,
        workflow_url=f"/workflows/{quote(record['workflow'])}?project={quote(record['project'])}",
        trigger_url=links.trigger, event_url=links.event, payloads=caller.scope.payloads, steps_left_out=left_out,
        waterfall=drawn, logs=logs,
        hooks=hooks_of(caller, record["id"]) if active and tab == "overview" else [], failed_step=_failed_step(caller, record),
        relatives=relatives_of(caller, record, _RELATIVES[tab]) if tab in _RELATIVES else None,
        notice="" if panel_of else take_notice(),
    )  # fmt: skip


def cancel_from_page(caller: Principal, run_id: str) -> Response:
    """The Cancel button of a run."""
    try:
        status = cancel(caller, run_id).status
        text = (
            "Canceled." if status is Status.CANCELED else "Cancel requested: the run's code is cleaning up."
        )
    except RunEnded as ended:
        text = str(ended)
    return leave_notice(redirect(way_back(f"/history/{run_id}"), 303), text)


def download_part(caller: Principal, run_id: str, part: str, kind: str) -> Response:
    """A payload, or the whole record, as a file; without `download` as text to be looked at."""
    included = _EVERYTHING if part in ("run", "steps", "trace") else frozenset[str]()
    # All that a run may have, and the note that says where its log was cut.
    record = read_run(caller, run_id, included, most_lines=services().settings.trace_cap + 1)
    value = record if part == "run" else record["trigger"]["payload"] if part == "trigger" else record[part]
    disposition = (
        f'attachment; filename="{record["id"]}-{part}.{kind}"' if "download" in request.args else "inline"
    )
    return Response(
        as_text(value, kind), 200, {"Content-Disposition": disposition}, mimetype=MEDIA_TYPES[kind]
    )


def is_part(part: str, kind: str) -> bool:
    """Whether there is such a file."""
    return part in _PARTS and kind in MEDIA_TYPES


def _shorten_steps(record: dict[str, Any]) -> int:
    """Leave the newest steps in the record; how many others there are."""
    every = record["steps"]
    record["steps"] = every[-_MOST_STEPS:]
    return len(every) - len(record["steps"])


def _failed_step(caller: Principal, record: dict[str, Any]) -> str | None:
    """What a replay from the failed step would begin with; a success may have failed steps too, that its code has caught."""
    if record["status"] not in (Status.FAILED, Status.CANCELED):
        return None
    with services().database.read() as tx:
        return copies.find_failed_step(caller.scope, tx, record["id"])


def _position(caller: Principal, run_id: str) -> int:
    with services().database.read() as tx:
        return changes.get_latest(caller.scope, tx, run_id).event


def _shown(here: Address, tab: str, view: str) -> Address:
    address = here if tab == "overview" else here.with_("tab", tab)
    return address if view == "json" else address.with_("view", view)


def _trace(caller: Principal, record: dict[str, Any]) -> tuple[Waterfall, Logs]:
    started = record["started_at"] and datetime.fromisoformat(record["started_at"])
    with services().database.read() as tx:
        logs = read_logs(caller.scope, tx, record["id"], started, services().settings.trace_cap)
    return waterfall(record, from_micros(now_micros())), logs
