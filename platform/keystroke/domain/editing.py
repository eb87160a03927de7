"""An input that somebody edited as it was shown to them: what was redacted and is left alone keeps its recorded value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from keystroke.domain.secrets import HOOK_MARK, REDACTED, is_sealed, redact
from keystroke.errors import PathError

_HIDDEN_TOKEN: Final = f"{HOOK_MARK}{REDACTED}"
_GONE: Final = "is redacted, and it is not clear which recorded value it stands for: enter the value itself"


class Edited:
    """The edited input with its redacted values put back: `value`, of which `kept` are the recorded parts.

    `unclear` names the places where `[redacted]` stands for nothing that is on record there. In an object a value is known by
    its key. In a list it is known by the whole item, which may have moved, but not have been edited.
    """

    def __init__(self, edited: Any, recorded: Any, hidden: frozenset[str]) -> None:
        """`hidden` are the keys, in lower case, whose values were shown redacted besides the sealed ones."""
        self._hidden = hidden
        self.kept: list[Any] = []
        self.unclear: list[PathError] = []
        self.value: Any = self._restored(edited, recorded, "", "$")

    def _restored(self, edited: Any, recorded: Any, key: str, path: str) -> Any:
        if _is_hidden(edited):
            return self._kept(edited, recorded, key, path)
        if isinstance(edited, dict):
            known = recorded if isinstance(recorded, dict) and not is_sealed(recorded) else {}
            return {
                name: self._restored(item, known.get(name), name, f"{path}.{name}")
                for name, item in edited.items()
            }
        if isinstance(edited, list):
            known_items = recorded if isinstance(recorded, list) else []
            return [
                self._restored_item(item, at, len(edited), known_items, f"{path}[{at}]")
                for at, item in enumerate(edited)
            ]
        return edited

    def _kept(self, edited: str, recorded: Any, key: str, path: str) -> Any:
        """What was shown as this text at this place."""
        shown = redact({key: recorded}, self._hidden)[key]
        if shown != edited:
            self.unclear.append(PathError(path, _GONE))
            return edited
        if recorded != edited:
            self.kept.append(recorded)
        return recorded

    def _restored_item(self, edited: Any, at: int, size: int, recorded: list[Any], path: str) -> Any:
        if not _holds_hidden(edited):
            return edited
        same = [item for item in recorded if redact(item, self._hidden) == edited]
        if size == len(recorded) and redact(recorded[at], self._hidden) == edited:
            same = [recorded[at]]
        if same and all(item == same[0] for item in same):
            self.kept.append(same[0])
            return same[0]
        self.unclear.append(PathError(path, _GONE))
        return edited


def leaves(value: Any) -> Iterator[Any]:
    """The texts and numbers in a JSON value."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    if parts is None:
        yield value
        return
    for part in parts:
        yield from leaves(part)


def _holds_hidden(value: Any) -> bool:
    return any(_is_hidden(leaf) for leaf in leaves(value))


def _is_hidden(value: Any) -> bool:
    """Whether a text is what something that may not be shown is shown as."""
    return isinstance(value, str) and (value == REDACTED or _HIDDEN_TOKEN in value)
