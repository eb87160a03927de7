"""The routes of the web app. A page is for whoever may read; a form that changes something asks for more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask, Response, abort, g, redirect
from werkzeug.routing import BaseConverter

from keystroke_api.auth import Role, identify, require_role
from keystroke_api.services import services
from keystroke_api.ui import (
    backfilling,
    deliveries,
    firing,
    history,
    hooks,
    link_page,
    reference,
    replaying,
    run_page,
    state_editing,
    steering,
    tick_page,
    trigger_page,
    triggers,
    wording,
    workflow_page,
    workflows,
)
from keystroke_api.ui.assets import serve_asset
from keystroke_api.ui.filters import trigger_label
from keystroke_api.ui.forms import check_form
from keystroke_api.ui.json_markup import json_markup, visible
from keystroke_api.ui.payload_text import shown_yaml
from keystroke_api.ui.problem_pages import install_problem_pages

View = Callable[..., Any]
#: Endpoints of pages begin so: they are described in `docs/pages.md`, not in the OpenAPI document.
PREFIX = "page_"


def install_pages(app: Flask) -> None:
    """Add every page to the app."""
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(
        time=wording.time_text, full_time=wording.full_time_text, duration=wording.duration_text,
        trigger_label=trigger_label, json_markup=json_markup, yaml_text=shown_yaml, visible=visible, ticked=wording.ticked,
    )  # fmt: skip
    app.jinja_env.globals.update(money=wording.money_text, counted=wording.counted)
    install_problem_pages(app)
    _get(app, "/", lambda _caller: redirect("/history"), "root")
    _get(app, "/history", history.history_page)
    _get(app, "/history/<run_id>", run_page.get_run_page)
    _get(app, "/history/<run_id>/<part>.<kind>", _download, "download")
    _get(app, "/history/<run_id>/replay", replaying.get_replay_page)
    _get(app, "/workflows", workflows.workflows_page)
    _get(app, "/workflows/<slug>", workflow_page.get_workflow_page)
    _get(app, "/docs", reference.reference_page)
    _get(app, "/hooks", hooks.hooks_page)
    _get(app, "/hooks/<hook_id>/answer", hooks.hook_page)
    _post(app, "/hooks/<hook_id>/answer", hooks.answer_from_page)
    _add_triggers(app)
    _add_link(app)
    _post(app, "/history/cancel", history.cancel_selected)
    _post(app, "/history/<run_id>/cancel", run_page.cancel_from_page)
    _post(app, "/history/<run_id>/replay", replaying.replay_from_page)
    _post(app, "/workflows/<slug>/start", workflow_page.start_from_page)
    app.add_url_rule(
        "/static/<digest>/<name>", f"{PREFIX}asset", serve_asset, provide_automatic_options=False
    )


def _add_triggers(app: Flask) -> None:
    """The pages of triggers, beside the addresses that webhooks are posted to: those have slugs, these ids."""
    app.url_map.converters["trigger"] = TriggerId
    one = "/triggers/<trigger:trigger_id>"
    _get(app, "/triggers", triggers.triggers_page)
    _get(app, one, trigger_page.get_trigger_page)
    _post(app, f"{one}/set", steering.set_from_page)
    _post(app, f"{one}/fire", firing.fire_from_page)
    _post(app, f"{one}/state", state_editing.set_state_from_page)
    _post(app, f"{one}/backfill", backfilling.backfill_from_page)
    _post(app, f"{one}/backfills/<backfill_id>/cancel", backfilling.stop_from_page)
    _get(app, f"{one}/ticks/<tick_id>", tick_page.get_tick_page)
    _post(app, f"{one}/ticks/<tick_id>/cancel", steering.cancel_tick_from_page)
    _get(app, "/deliveries", deliveries.deliveries_page)
    _get(app, "/deliveries/<delivery_id>", deliveries.delivery_page)
    _post(app, "/deliveries/<delivery_id>/replay", deliveries.send_anew_from_page)


class TriggerId(BaseConverter):
    """The id of a trigger in an address."""

    regex = "trg_[0-9a-hjkmnp-tv-z]{26}"


def _add_link(app: Flask) -> None:
    """The page behind a hook's link: open to everybody, since nobody but its reader knows the address."""
    rule = "/hooks/<token>"
    app.add_url_rule(
        rule, f"{PREFIX}link", link_page.get_link_page, methods=["GET"], provide_automatic_options=False
    )
    app.add_url_rule(
        rule, f"{PREFIX}answer_link", link_page.answer_link, methods=["POST"], provide_automatic_options=False
    )


def _get(app: Flask, path: str, view: View, name: str = "") -> None:
    _add(app, "GET", path, view, name, Role.VIEWER)


def _post(app: Flask, path: str, view: View) -> None:
    _add(app, "POST", path, view, "", Role.RUNNER)


def _add(app: Flask, method: str, path: str, view: View, name: str, role: Role) -> None:
    def serve(**parts: str) -> Response:
        g.caller = identify(services().database)
        require_role(g.caller, role)
        if method == "POST":
            check_form()
        answer: Response = view(g.caller, **parts)
        return answer

    endpoint = PREFIX + (name or view.__name__)
    app.add_url_rule(path, endpoint, serve, methods=[method], provide_automatic_options=False)


def _download(caller: Any, run_id: str, part: str, kind: str) -> Response:
    if not run_page.is_part(part, kind):
        abort(404)
    return run_page.download_part(caller, run_id, part, kind)
