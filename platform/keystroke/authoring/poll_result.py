"""What a poll function gives back, and what its annotation says of one payload."""

from __future__ import annotations

import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, Union, get_args, get_origin

P = TypeVar("P")


# Without slots, with which `PollResult[Invoice](...)` could not be made.
@dataclass(frozen=True)
class PollResult(Generic[P]):
    """What a poll found: payloads, each of which starts what is attached, and the state for the next tick.

    Without a state the poll goes on from the one that it was given.
    """

    payloads: Sequence[P] = ()
    state: Any = None

    def __post_init__(self) -> None:
        """Refuse what is no list, such as a single payload: a model could be gone through, too, field by field."""
        if not isinstance(self.payloads, list | tuple):
            kind = type(self.payloads).__name__
            raise TypeError(f"PollResult(payloads=...) takes a list, not {kind}: write payloads=[payload]")


def as_result(returned: Any) -> PollResult[Any]:
    """What the function returned, in its one form: a payload, a list of payloads, or nothing may stand for it."""
    if isinstance(returned, PollResult):
        return returned
    if returned is None:
        return PollResult()
    return PollResult(returned if isinstance(returned, list) else [returned])


def payload_type(result: Any) -> Any:
    """The type of one payload, by the annotation of the function's result; None where it says nothing of that."""
    kinds: list[Any] = []
    for each in _payloads(result):
        # Not by hash: what stands in Annotated may have none.
        if each not in kinds:
            kinds.append(each)
    if not kinds or Any in kinds:
        return None
    return kinds[0] if len(kinds) == 1 else Union[tuple(kinds)]  # noqa: UP007 - made of what was found


def _payloads(annotation: Any) -> Iterator[Any]:
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        for part in get_args(annotation):
            yield from _payloads(part)
    elif annotation in (PollResult, list):
        yield Any
    elif origin in (PollResult, list):
        yield get_args(annotation)[0]
    elif annotation not in (None, type(None)):
        yield annotation
