"""What a webhook's transform is given beside the payload, where it takes a second parameter: the request of the delivery."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime


class Headers(Mapping[str, str]):
    """Header fields by name, whose case does not matter; a field that came several times has its values joined by commas."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        """Of these fields."""
        self._fields = {name.lower(): value for name, value in fields.items()}

    def __getitem__(self, name: str) -> str:
        """The value of a field."""
        return self._fields[name.lower()]

    def __iter__(self) -> Iterator[str]:
        """The names, in lower case."""
        return iter(self._fields)

    def __len__(self) -> int:
        """How many fields there are."""
        return len(self._fields)

    def __repr__(self) -> str:
        """The fields."""
        return f"Headers({self._fields!r})"


@dataclass(frozen=True, slots=True)
class Request:
    """What a webhook was posted with, as it is stored: `id` is the delivery's, `headers` are those that are kept.

    `query` has the last value of each parameter. `method` is `INVOKE` where somebody fired it by hand.
    """

    id: str
    method: str
    headers: Headers
    query: Mapping[str, str]
    received_at: datetime
    remote_address: str | None
