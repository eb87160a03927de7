"""What was posted to a webhook's endpoint, and the places in it that an author may name.

A place is written `header:x-github-event`, `query:team` or `body:pull_request.state` (`body:items.0.id` inside of lists).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from keystroke.domain.payload import Json

Part = Literal["header", "query", "body"]
PARTS: Final[tuple[Part, ...]] = ("header", "query", "body")
#: What may be compared with: texts everywhere, in the body also numbers, booleans and null.
Scalar = str | int | float | bool | None
_LONGEST_TYPE: Final = 300
#: What stands where nothing is.
ABSENT: Final = object()


@dataclass(frozen=True, slots=True)
class Post:
    """A request as it came: headers by lower-case name, of a repeated query parameter the first, the raw bytes of the body."""

    method: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    remote_addr: str | None = None

    @property
    def content_type(self) -> str | None:
        """The header, as it was sent."""
        return self.headers.get("content-type")

    @property
    def shown_type(self) -> str | None:
        """The same, as long as anybody has a use for it."""
        return None if self.content_type is None else self.content_type[:_LONGEST_TYPE]

    @property
    def is_form(self) -> bool:
        """Whether the body is form-encoded."""
        mime = (self.content_type or "").partition(";")[0].strip().lower()
        return mime == "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in a request."""

    part: Part
    name: str

    @classmethod
    def parse(cls, text: object) -> Place:
        """Read a place; ValueError says how one is written."""
        if not isinstance(text, str):
            raise ValueError(f'{text!r} is no text such as "header:x-github-event"')
        for part in PARTS:
            if text.startswith(f"{part}:") and (name := text.removeprefix(f"{part}:").strip()):
                return cls(part, name.lower() if part == "header" else name)
        raise ValueError(f'{text!r} is none of "header:NAME", "query:NAME", "body:a.b"')

    def read(self, post: Post, payload: Json) -> Any:
        """What stands there; ABSENT where nothing does."""
        if self.part == "header":
            return post.headers.get(self.name, ABSENT)
        if self.part == "query":
            return post.query.get(self.name, ABSENT)
        return _inside(payload, self.name.split("."))


def matches(wanted: Mapping[str, Sequence[Scalar]], post: Post, payload: Json) -> bool:
    """Whether at each place (text) one of its values stands. Types count in the body: `true` is not 1, and 1 is not "1"."""
    return all(_is_one_of(Place.parse(place).read(post, payload), values) for place, values in wanted.items())


def _inside(value: Json, path: Sequence[str]) -> Any:
    for name in path:
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isascii() and name.isdecimal() and int(name[:9]) < len(value):
            value = value[int(name[:9])]
        else:
            return ABSENT
    return value


def _is_one_of(found: Any, values: Sequence[Scalar]) -> bool:
    return any(isinstance(found, bool) is isinstance(each, bool) and found == each for each in values)
