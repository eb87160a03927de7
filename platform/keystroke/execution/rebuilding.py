"""A step's exception, taken apart for its record and rebuilt from it: the same one live and on replay.

What rebuilding gives is what is raised already the first time, so that `except OutOfStock` decides alike in both.
"""

from __future__ import annotations

import builtins
import json
import sys
from collections.abc import Set
from pathlib import Path
from typing import Any, Final

from keystroke.authoring import exceptions as words
from keystroke.authoring.exceptions import ActionFailed
from keystroke.domain.payload import encode_payload
from keystroke.errors import NotJson
from keystroke.execution.failures import describe, mark_step

#: Exceptions that are not an Exception, and yet may be what a step ended with: `sys.exit()` in an action.
_EXITS: Final = (SystemExit, KeyboardInterrupt)
_LARGEST_ARGS: Final = 16_384


def take_apart(error: BaseException, directory: Path, step: str) -> dict[str, Any]:
    """The `error` of a step's record: the failure, and under `args` the exception's arguments where they are JSON."""
    return describe(error, directory, step=step).as_json() | {"args": _json_args(error)}


def rebuild(recorded: dict[str, Any], modules: Set[str]) -> BaseException:
    """The exception of a step's recorded error; ActionFailed where its class or arguments cannot be had again."""
    error = _rebuilt(recorded, modules)
    if error is None:
        error = ActionFailed(recorded["type"], recorded["message"], recorded["step"])
    return mark_step(error, recorded)


def _rebuilt(recorded: dict[str, Any], modules: Set[str]) -> BaseException | None:
    kind = _find_class(recorded["type"], modules)
    arguments = recorded.get("args")
    if kind is None or arguments is None:
        return None
    try:
        error = kind(*arguments)
    except Exception:  # noqa: BLE001 - the author's __init__ may raise anything; ActionFailed is the answer to that
        return None
    return error


def _find_class(name: str, modules: Set[str]) -> type[BaseException] | None:
    """The class among builtins, the words of the author's API, and the project's own modules."""
    module, _, qualname = name.rpartition(".")
    if not module:
        return _raisable(getattr(builtins, qualname, None))
    if module == words.__name__:
        return _raisable(getattr(words, qualname, None))
    while module and module not in modules:
        module, _, outer = module.rpartition(".")
        qualname = f"{outer}.{qualname}"
    found: Any = sys.modules.get(module)
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return _raisable(found)


def _raisable(found: object) -> type[BaseException] | None:
    """The class, where it is one whose exceptions arrive: StopIteration cannot leave a coroutine."""
    if not isinstance(found, type) or issubclass(found, (StopIteration, StopAsyncIteration)):
        return None
    return found if issubclass(found, (Exception, *_EXITS)) else None


def _json_args(error: BaseException) -> list[Any] | None:
    """The arguments, if they come back from JSON as they are: a tuple that would be a list does not."""
    arguments = list(error.args)
    try:
        text = encode_payload(arguments, what="arguments")
    except NotJson:
        return None
    same = len(text) <= _LARGEST_ARGS and repr(json.loads(text)) == repr(arguments)
    return arguments if same else None
