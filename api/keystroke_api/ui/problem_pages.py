"""Problem documents as pages: whoever looks with a browser reads what happened and what to do, never raw JSON."""

from __future__ import annotations

import json
from typing import Any, Final

from flask import Flask, Response, request

from keystroke_api.links import is_link
from keystroke_api.problems import MEDIA_TYPE
from keystroke_api.rest.texts import API
from keystroke_api.ui.contexts import Link, ProblemPage
from keystroke_api.ui.link_page import link_problem
from keystroke_api.ui.showing import prefers_html, show

_HISTORY: Final = Link("History", "/history")
_WORKFLOWS: Final = Link("Workflows", "/workflows")
#: By status: what happened, and what to do next.
_TEXTS: Final[dict[int, tuple[str, str]]] = {
    400: ("That request could not be read.", "Go back and try again."),
    401: (
        "Sign-in is not there yet, but keys work.",
        (
            "This server has API keys, so it asks everybody for one. Send it as `Authorization: Bearer ks_…`, as a proxy or a "
            "browser extension can, or use the command line. Signing in with a password comes in a later version."
        ),
    ),
    403: ("This is not allowed from here.", "The reason below says what would make it possible."),
    404: (
        "There is nothing at this address.",
        "It may have been deleted after its retention, or the link is incomplete.",
    ),
    405: ("This address takes no such request.", "Go back and use the page's own buttons."),
    409: ("It is too late for that.", "Look at the run again: it has changed meanwhile."),
    413: ("That is too much at once.", "Store large data elsewhere and pass a reference to it."),
    422: ("That cannot be used as it is.", "The reason below says which part; change it and try again."),
    500: ("Something went wrong on the server.", "Its log says what, under the request id below."),
    503: (
        "The database does not answer right now.",
        "Running workflows wait and go on by themselves. Try again in a moment.",
    ),
}
_OTHERWISE: Final = ("That did not work.", "Go back and try again.")


def install_problem_pages(app: Flask) -> None:
    """Turn problem documents into pages, for people, on every address outside of the API."""
    app.after_request(_as_page)


def _as_page(answer: Response) -> Response:
    if answer.mimetype != MEDIA_TYPE or request.path.startswith(f"{API}/") or not prefers_html():
        return answer
    if request.args.get("format") == "json":
        return answer
    problem = json.loads(answer.get_data())
    status = answer.status_code
    if is_link():
        return _with_headers_of(answer, link_problem(problem))
    page = show("problem.html", _context(problem, status), title=problem["title"], status=status)
    return _with_headers_of(answer, page)


def _with_headers_of(answer: Response, page: Response) -> Response:
    for name, value in answer.headers:
        if name not in ("Content-Type", "Content-Length"):
            page.headers[name] = value
    return page


def _context(problem: dict[str, Any], status: int) -> ProblemPage:
    headline, advice = _TEXTS.get(status, _OTHERWISE)
    links = [] if status == 401 else [_HISTORY, _WORKFLOWS]
    if status == 422 and request.method == "GET":
        links.insert(0, Link("The same page without filters", request.path))
    return ProblemPage(problem, headline, advice, links)
