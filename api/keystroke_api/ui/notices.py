"""What a form did, said once on the page that comes after it: kept in a cookie between the two."""

from __future__ import annotations

import base64
import binascii

from flask import Response, after_this_request, request
from werkzeug.wrappers import Response as BaseResponse

_COOKIE = "keystroke_notice"
_LONGEST = 300


def leave_notice(answer: BaseResponse, text: str) -> Response:
    """Say this on the next page."""
    encoded = base64.urlsafe_b64encode(text[:_LONGEST].encode()).decode()
    answer.set_cookie(_COOKIE, encoded, max_age=60, httponly=True, samesite="Strict")
    return answer  # type: ignore[return-value]


def take_notice() -> str:
    """What the last form left to say, once; the page escapes it like any other text."""
    encoded = request.cookies.get(_COOKIE, "")
    if not encoded:
        return ""

    @after_this_request
    def forget(answer: Response) -> Response:
        answer.delete_cookie(_COOKIE, httponly=True, samesite="Strict")
        return answer

    try:
        return base64.urlsafe_b64decode(encoded).decode()[:_LONGEST]
    except (binascii.Error, ValueError):
        return ""
