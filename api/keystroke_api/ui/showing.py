"""Answering with a page: its HTML for people, or its context as JSON for programs that ask for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from flask import Response, g, render_template, request

from keystroke.clock import rfc3339
from keystroke.store.expiry import now
from keystroke_api.answers import json_answer
from keystroke_api.services import services
from keystroke_api.ui.assets import assets_path
from keystroke_api.ui.contexts import Frame
from keystroke_api.ui.forms import form_token, mark_browser

_THEME: Final = "keystroke_theme"
#: Nothing from elsewhere, nothing inline, nothing that frames the page or sends its forms away.
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    # `no-referrer` would make browsers send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Vary": "Accept, Cookie",
}


def show(template: str, context: Any, *, title: str, section: str = "", status: int = 200) -> Response:
    """The page that a template makes of a context, or the context itself as JSON."""
    if wants_json():
        return json_answer(context_json(context), status, {"Vary": "Accept"})
    html = render_template(template, page=context, frame=_frame(title, section))
    answer = Response(html, status, _HEADERS, mimetype="text/html")
    mark_browser(answer)
    return answer


def show_apart(template: str, context: Any, *, title: str, status: int = 200) -> Response:
    """A page that is no part of the app: for somebody who only has its link. It leaves no cookie."""
    if wants_json():
        return json_answer(context_json(context), status, {"Vary": "Accept"})
    frame = Frame(
        title=title, section="", who=None, may_change=False, theme=_theme(), assets=assets_path(), token=""
    )
    html = render_template(template, page=context, frame=frame)
    return Response(html, status, _HEADERS, mimetype="text/html")


def wants_json() -> bool:
    """`?format=json`, or an Accept header that prefers JSON."""
    asked = request.args.get("format")
    accepted = request.accept_mimetypes
    return asked == "json" or (asked is None and accepted["application/json"] > accepted["text/html"])


def prefers_html() -> bool:
    """Whether a person is looking: browsers name HTML, programs do not."""
    return request.accept_mimetypes["text/html"] > request.accept_mimetypes["application/json"]


def context_json(value: Any) -> Any:
    """A context as JSON: dataclasses as objects of their fields, times in RFC 3339."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: context_json(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: context_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [context_json(item) for item in value]
    return rfc3339(value) if isinstance(value, datetime) else value


def now_micros() -> int:
    """The database's time, in microseconds since 1970; one for all of a page."""
    if "now_micros" not in g:
        with services().database.read() as tx:
            g.now_micros = now(tx)
    return int(g.now_micros)


def _frame(title: str, section: str) -> Frame:
    caller = g.get("caller")
    return Frame(
        title=title,
        section=section,
        who=caller.actor.name if caller else None,
        may_change=caller is not None and caller.role != "viewer",
        theme=_theme(),
        assets=assets_path(),
        token=form_token(),
    )


def _theme() -> str:
    theme = request.cookies.get(_THEME, "")
    return theme if theme in ("light", "dark") else ""
