"""`/hooks/{token}`: a hook for whoever has its link, a person with a browser or a program that posts JSON.

Looking answers nothing: mail programs, chat windows and crawlers open links too. Only a form that was sent, a POST, and, where
the workflow asked for that with `one_click`, a GET with `?confirm=1` do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flask import Response, request

from keystroke.clock import rfc3339
from keystroke.domain.asking import Asking, AskingStatus
from keystroke.errors import InvalidAnswer, PathError
from keystroke.operations.answer_hook import AnswerTaken, answer_by_token, find_asking
from keystroke_api.answers import json_answer
from keystroke_api.bodies import read_form, read_json, sends_form
from keystroke_api.rest.hooks import go_on
from keystroke_api.services import services
from keystroke_api.ui.answer_form import AnswerForm
from keystroke_api.ui.contexts import LinkPage, LinkProblemPage
from keystroke_api.ui.hooks import MENDABLE, title_of, what_is_wrong
from keystroke_api.ui.schema_fields import ROOT
from keystroke_api.ui.showing import prefers_html, show_apart

#: Percent-encoding makes three bytes of one.
_INFLATION: Final = 3
_SLACK: Final = 64 * 1024
_TEMPLATE: Final = "link.html"
#: Headers by which browsers say that they only load ahead what somebody might want to see.
_LOADING_AHEAD: Final = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")
_PROBLEMS: Final[Mapping[int, tuple[str, str]]] = {
    404: ("This link leads nowhere.", "Perhaps a part of it is missing: copy it whole, or ask whoever sent it for a new one."),
    409: ("This has been answered already.", "The first answer counts; there is nothing left to do."),
    410: ("It is too late for an answer.", "Ask whoever sent you the link whether one is still needed."),
    413: ("That is too much at once.", "Go back and send less."),
    422: ("That answer cannot be used.", "Go back and change what the reason below names."),
    503: ("Answers cannot be taken right now.", "Nothing is lost: try again in a moment."),
}  # fmt: skip
_OTHERWISE: Final = ("That did not work.", "Go back and try again.")
_Wrong = tuple[dict[str, list[str]], list[str]]


def get_link_page(token: str) -> Response:
    """What is asked, with a form; with `confirm` and `one_click` the answer itself."""
    asking = find_asking(services().database, token)
    form = AnswerForm(asking.hook.schema)
    entered = form.prefilled(request.args)
    if _confirms() and asking.hook.one_click:
        return _answer_form(token, asking, form, entered)
    status = 410 if asking.status in (AskingStatus.EXPIRED, AskingStatus.ENDED) else 200
    return _shown(asking, form, entered, status=status)


def answer_link(token: str) -> Response:
    """Take the answer: the JSON body, or what the page's form was filled with."""
    own = services()
    asking = find_asking(own.database, token)
    if not sends_form():
        return _taken(_answer(token, read_json(own.settings.payload_limit + _SLACK)), prefers_html())
    entered = read_form(own.settings.payload_limit * _INFLATION + _SLACK)
    return _answer_form(token, asking, AnswerForm(asking.hook.schema), entered)


def link_problem(problem: dict[str, Any]) -> Response:
    """The page for a problem document."""
    headline, advice = _PROBLEMS.get(problem["status"], _OTHERWISE)
    page = LinkProblemPage(problem, headline, advice)
    return show_apart("link_problem.html", page, title=headline.rstrip("."), status=problem["status"])


def _answer_form(token: str, asking: Asking, form: AnswerForm, entered: Mapping[str, str]) -> Response:
    """Answer with what was entered; for people who mistyped something the form comes back and says what."""
    value, by_field = form.value(entered)
    wrong: _Wrong = (by_field, [])
    if not by_field or asking.status is not AskingStatus.WAITING:
        try:
            return _taken(_answer(token, value), prefers_html())
        except MENDABLE as refused:
            if not prefers_html():
                raise
            wrong = what_is_wrong(form, refused)
    if not prefers_html():
        wrongs = [
            PathError(f"${name.removeprefix(ROOT)}", text)
            for name, texts in by_field.items()
            for text in texts
        ]
        raise InvalidAnswer(what=f"hook {asking.hook.name}", errors=wrongs)
    return _shown(asking, form, entered, *wrong, status=422)


def _answer(token: str, value: Any) -> AnswerTaken:
    own = services()
    taken = answer_by_token(own.database, token, value, request.remote_addr, own.settings, own.box)
    go_on(taken)
    return taken


def _taken(taken: AnswerTaken, html: bool) -> Response:
    asking = taken.asking
    if html:
        return _shown(asking, AnswerForm(asking.hook.schema), {}, taken=True)
    answered_at = rfc3339(asking.hook.answered_at)
    return json_answer({"hook": asking.hook.name, "status": asking.status, "answered_at": answered_at})


def _shown(
    asking: Asking,
    form: AnswerForm,
    entered: Mapping[str, str],
    by_field: Mapping[str, list[str]] | None = None,
    whole: list[str] | None = None,
    *,
    taken: bool = False,
    status: int = 200,
) -> Response:
    hook, title = asking.hook, title_of(asking.hook.name)
    takes = asking.status is AskingStatus.WAITING
    page = LinkPage(
        title=title, workflow_name=asking.workflow_name, status=asking.status, about=str(hook.schema.get("description", "")),
        created_at=rfc3339(hook.created_at), expires_at=rfc3339(hook.expires_at), answered_at=rfc3339(hook.answered_at),
        schema=hook.schema, fields=form.fields(entered, by_field) if takes else [], errors=whole or [], taken=taken,
    )  # fmt: skip
    return show_apart(_TEMPLATE, page, title=title, status=status)


def _confirms() -> bool:
    """Whether somebody opened a link that answers; neither a HEAD nor what a browser loads ahead is somebody."""
    ahead = any(
        word in request.headers.get(name, "").lower()
        for name in _LOADING_AHEAD
        for word in ("prefetch", "preview")
    )
    return request.method == "GET" and request.args.get("confirm") == "1" and not ahead
