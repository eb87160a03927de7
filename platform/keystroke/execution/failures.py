"""Failures for people: the exception's type and message, and the user's own frames on the way to it."""

from __future__ import annotations

import linecache
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Final

from keystroke.domain.failure import Failure, Frame
from keystroke.domain.secrets import redact_tokens
from keystroke.domain.states import Reason

#: Frames kept of a deep stack: the outermost and the innermost.
_OUTERMOST: Final = 10
_INNERMOST: Final = 30
_LONGEST_MESSAGE: Final = 8_000
#: Where code lies that is no author's: Python's own, installed packages, and this platform, wherever it was checked out.
_INSTALLED: Final = (
    *(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")),
    str(Path(__file__).resolve().parents[1]),
)
#: Set on an exception that a step raised: the step's own failure record.
_OF_STEP: Final = "__keystroke_step__"


def describe(
    error: BaseException, directory: Path, *, reason: Reason | None = None, step: str | None = None
) -> Failure:
    """The failure record of an exception that came out of user code; paths are relative to the project's directory.

    An exception that came from a step names it, and the step's own frames follow the workflow's.
    """
    error = essence(error)
    recorded: dict[str, Any] = vars(error).get(_OF_STEP) or {}
    frames = user_frames(error.__traceback__, directory) + tuple(
        Frame(**frame) for frame in recorded.get("stack", ())
    )
    return Failure(
        type=recorded.get("type") or type_name(type(error)),
        message=recorded.get("message") or message_of(error),
        reason=reason,
        stack=frames,
        step=recorded.get("step") or step,
    )


def mark_step(error: BaseException, recorded: dict[str, Any]) -> BaseException:
    """The exception, remembering the failure record of the step that raised it.

    Past the author's own `__setattr__` and `__getattr__`: an exception may be a frozen dataclass.
    """
    vars(error)[_OF_STEP] = recorded
    return error


def essence(error: BaseException) -> BaseException:
    """The one exception inside of groups that hold only one (a TaskGroup wraps whatever fails in it)."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def type_name(kind: type[BaseException]) -> str:
    """`ValueError` for builtins, `workflows.orders.OutOfStock` for others."""
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return _storable(name)


def message_of(error: BaseException) -> str:
    """The exception's text as it can be stored; an exception that cannot be printed says so."""
    try:
        text = str(error)
    except BaseException as unprintable:  # noqa: BLE001 - any code of the user may run in there, and even exit
        text = f"(its message cannot be shown: {type_name(type(unprintable))})"
    text = _storable(text)
    return (
        text if len(text) <= _LONGEST_MESSAGE else f"{text[:_LONGEST_MESSAGE]} ... ({len(text)} characters)"
    )


def user_frames(trace: TracebackType | None, directory: Path) -> tuple[Frame, ...]:
    """The frames of the project's own files, outermost first; of a very deep stack the two ends."""
    return _own(((entry.tb_frame, entry.tb_lineno) for entry in _entries(trace)), directory)


def frames_here(directory: Path) -> tuple[Frame, ...]:
    """The frames of the project's own files that lead to the caller, outermost first."""
    here, frames = sys._getframe(1), []
    while here is not None:
        frames.append((here, here.f_lineno))
        here = here.f_back  # type: ignore[assignment]
    return _own(reversed(frames), directory)


def user_path(filename: str, directory: Path) -> str | None:
    """The file's path relative to the project, or None for files that are not the author's."""
    if filename.startswith((*_INSTALLED, sys.prefix + "/lib", "<")):
        return None
    try:
        return Path(filename).resolve().relative_to(directory.resolve()).as_posix()
    except ValueError:
        return None


def _storable(text: str) -> str:
    """The text without tokens of hooks, and without NUL and lone surrogates, which a database refuses."""
    return (
        redact_tokens(text).replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
    )


def _entries(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _own(frames: Iterable[tuple[FrameType, int]], directory: Path) -> tuple[Frame, ...]:
    own = [
        (path, frame.f_code, line)
        for frame, line in frames
        if (path := user_path(frame.f_code.co_filename, directory)) is not None
    ]
    if len(own) > _OUTERMOST + _INNERMOST:
        own = own[:_OUTERMOST] + own[-_INNERMOST:]
    return tuple(
        Frame(path, line, code.co_name, linecache.getline(code.co_filename, line).strip())
        for path, code, line in own
    )
