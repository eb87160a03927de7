"""JSON bodies as RFC 8259 has them; what is none is a problem of the caller's."""

from __future__ import annotations

from keystroke.domain.payload import Json
from keystroke.domain.strict_json import parse_strictly
from keystroke_api.refusals import InvalidJson


def parse_json(data: bytes, *, what: str = "body") -> Json:
    """The value of a JSON text in UTF-8.

    InvalidJson for anything that is not JSON, for NaN and infinities, repeated names and numbers too large to keep;
    NotJson where it is nested too deeply or holds a lone surrogate.
    """
    try:
        return parse_strictly(data, what=what)
    except ValueError as error:
        raise InvalidJson(why=str(error)) from error
