"""What a webhook answers in place of the platform's own JSON: for senders that want a certain status or body."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any, Final

_LONGEST_BODY: Final = 65_536
_NO_CONTENT: Final = 204
_MEDIA_TYPE: Final = re.compile(r"[\w.+-]+/[\w.+-]+(; ?[\w-]+=[\w.-]+)*\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Respond:
    """The answer to accepted deliveries, whether they start something or not: `Respond(200, "", "text/plain")`. Errors stay."""

    status: int = 200
    body: str = ""
    content_type: str = "text/plain"

    def __post_init__(self) -> None:
        """Refuse what is no answer that accepts, where it is written."""
        if not _is_accepting(self.status):
            raise ValueError(
                f"status is {self.status!r}; it must be from 200 to 299: the delivery was accepted"
            )
        if not _is_text(self.body, _LONGEST_BODY):
            raise ValueError(f"body must be a text of up to {_LONGEST_BODY} characters")
        if not (_is_text(self.content_type, 200) and _MEDIA_TYPE.match(self.content_type)):
            raise ValueError(f'content_type is {self.content_type!r}; write it like "text/plain"')
        if self.status == _NO_CONTENT and self.body:
            raise ValueError("an answer of status 204 has no body")

    def as_json(self) -> dict[str, Any]:
        """`{status, body, content_type}`, as published."""
        return asdict(self)


def _is_accepting(status: object) -> bool:
    return isinstance(status, int) and not isinstance(status, bool) and 200 <= status <= 299


def _is_text(text: object, longest: int) -> bool:
    return isinstance(text, str) and len(text) <= longest
