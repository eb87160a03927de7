"""JSON as RFC 8259 has it, and nothing that only Python's parser takes or that could not be kept."""

from __future__ import annotations

import json
import math
from typing import Any, Final, NoReturn

from keystroke.domain.payload import Json, check_depth
from keystroke.errors import NotJson

#: Python itself refuses longer ones; no database or other language could take them anyway.
LONGEST_INTEGER: Final = 1_000


def parse_strictly(data: bytes, *, what: str = "body") -> Json:
    """The value of a JSON text in UTF-8.

    ValueError says why for anything that is not JSON, for NaN and infinities, repeated names and numbers too large to keep;
    NotJson where it is nested too deeply or holds a lone surrogate.
    """
    try:
        text = data.decode("utf-8")
        value = json.loads(
            text, parse_constant=_refuse_constant, parse_int=_integer, parse_float=_float,
            object_pairs_hook=_object,
        )  # fmt: skip
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is not UTF-8") from error
    except RecursionError as error:
        raise NotJson(what=what, why="it is nested too deeply") from error
    check_depth(value, what=what)
    if "\\ud" in text or "\\uD" in text:
        _refuse_lone_surrogates(value, what)
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _integer(digits: str) -> int:
    if len(digits) > LONGEST_INTEGER:
        raise ValueError(f"an integer has more than {LONGEST_INTEGER} digits")
    return int(digits)


def _float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"the number {digits[:40]} is too large")
    return number


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object; a name that occurs twice is refused, since readers would not agree on which one counts."""
    value = dict(pairs)
    if len(value) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"the name {twice[:80]!r} occurs twice in an object")
    return value


def _refuse_lone_surrogates(value: Json, what: str) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise NotJson(what=what, why="it holds a lone surrogate, which is no text") from error
