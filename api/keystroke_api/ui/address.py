"""Addresses of pages: the query as pairs, from which a filter is taken away or to which one is added."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode

from flask import request

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Address:
    """A path with its query, as a value."""

    path: str
    pairs: tuple[Pair, ...] = ()

    @classmethod
    def current(cls) -> Address:
        """The address of this request; fields that a form left empty say nothing and are dropped."""
        pairs = ((name, value) for name, values in request.args.lists() for value in values if value.strip())
        return cls(request.path, tuple(pairs))

    def without(self, *names: str) -> Address:
        """Without these parameters."""
        return Address(self.path, tuple(pair for pair in self.pairs if pair[0] not in names))

    def without_value(self, name: str, value: str) -> Address:
        """Without one value of a parameter."""
        return Address(self.path, tuple(pair for pair in self.pairs if pair != (name, value)))

    def with_(self, name: str, value: str) -> Address:
        """With this as the only value of a parameter."""
        return Address(self.path, (*self.without(name).pairs, (name, value)))

    def values(self, name: str) -> list[str]:
        """The values of a parameter, in order."""
        return [value for key, value in self.pairs if key == name]

    def only(self, names: Iterable[str]) -> Address:
        """With these parameters alone."""
        kept = frozenset(names)
        return Address(self.path, tuple(pair for pair in self.pairs if pair[0] in kept))

    def __str__(self) -> str:
        """The address as it stands in a link."""
        return f"{self.path}?{urlencode(self.pairs)}" if self.pairs else self.path
