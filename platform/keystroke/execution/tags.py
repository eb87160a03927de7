"""The run's tags as a mapping: what code sets is recorded at once, except while it replays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any

from keystroke.domain.label import LONGEST_TAG, LONGEST_TAG_KEY, check_label


class RunTags(MutableMapping[str, str]):
    """Text by text; `update` records several in one write."""

    def __init__(self, tags: Mapping[str, str], record: Callable[[Mapping[str, str]], None]) -> None:
        """The tags as the attempt found them; `record` takes all of them after each change."""
        self._tags = dict(tags)
        self._record = record

    def __getitem__(self, key: str) -> str:
        """The tag's value."""
        return self._tags[key]

    def __setitem__(self, key: str, value: str) -> None:
        """Set and record one tag."""
        self.update({key: value})

    def __delitem__(self, key: str) -> None:
        """Remove a tag, and record that."""
        del self._tags[key]
        self._record(dict(self._tags))

    def __iter__(self) -> Iterator[str]:
        """The keys."""
        return iter(self._tags)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._tags)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Set several tags and record them together; TypeError for what is not text, ValueError for what cannot be kept."""
        changes = dict(*args, **kwargs)
        for key, value in changes.items():
            if not isinstance(key, str) or not isinstance(value, str):
                raise TypeError(f"tags are text by text; {key!r}: {value!r} is not")
            check_label(key, "a tag's key", LONGEST_TAG_KEY)
            check_label(value, f"the tag {key}", LONGEST_TAG)
        if any(self._tags.get(key) != value for key, value in changes.items()):
            self._tags |= changes
            self._record(dict(self._tags))
