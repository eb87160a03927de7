"""Forms that change something: only this app's own pages may send them.

Two proofs are asked for. The browser's `Origin` has to be this server, and the form has to carry a token that only a page
of this server can know: a keyed digest of a random cookie that scripts cannot read.
"""

from __future__ import annotations

import hmac
import secrets
from typing import Final
from urllib.parse import urlsplit

from flask import Response, g, request

from keystroke_api.refusals import ForeignOrigin
from keystroke_api.services import services

#: Name of the form's field.
_FIELD: Final = "csrf"
_COOKIE: Final = "keystroke_browser"
#: Percent-encoding makes three bytes of one.
_INFLATION: Final = 3
_SLACK: Final = 64 * 1024


class ForeignForm(ForeignOrigin):
    """This form was not sent by a page of this server, or the page has become too old: load it again and repeat the step."""

    code = "foreign-form"


def form_token() -> str:
    """The token for the forms of this page."""
    return services().box.fingerprint(f"form {_browser()}")


def mark_browser(answer: Response) -> None:
    """Give the browser its cookie with the first page that has a form token."""
    if "new_browser" in g:
        answer.set_cookie(
            _COOKIE, g.new_browser, httponly=True, samesite="Strict", secure=request.is_secure, path="/"
        )


def check_form() -> None:
    """Raise ForeignForm unless the form comes from a page of this server. Reads the body, within the payload's limit."""
    request.max_content_length = services().settings.payload_limit * _INFLATION + _SLACK
    request.max_form_memory_size = request.max_content_length
    browser = request.cookies.get(_COOKIE)
    if not browser or request.headers.get("Origin") not in _own_origins():
        raise ForeignForm
    expected = services().box.fingerprint(f"form {browser}")
    if not hmac.compare_digest(request.form.get(_FIELD, "").encode(), expected.encode()):
        raise ForeignForm


def _browser() -> str:
    known = request.cookies.get(_COOKIE)
    if known:
        return known
    if "new_browser" not in g:
        g.new_browser = secrets.token_urlsafe(18)
    return str(g.new_browser)


def _own_origins() -> set[str]:
    origins = {f"{request.scheme}://{request.host}"}
    public = urlsplit(services().settings.public_url)
    return origins | {f"{public.scheme}://{public.netloc}"} if public.netloc else origins
