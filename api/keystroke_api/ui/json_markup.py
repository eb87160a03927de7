"""A JSON value as collapsible markup: `details` for lists and objects, so that it folds without any script.

Everything shown is escaped twice over: as JSON, where what cannot be seen is spelled out, then as HTML. What
is drawn is bounded, whatever the value: so many nodes, so many characters of one text. The whole is behind Download.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from markupsafe import Markup, escape

_MOST_NODES: Final = 1_500
_MOST_CHARACTERS: Final = 120_000
_LONGEST_TEXT: Final = 4_000
#: Up to so many nodes everything is open; beyond it the outer levels are.
_SMALL: Final = 80
_OPEN_LEVELS: Final = 2
#: Nobody reads on this far in, and markup that is nested deeper costs browsers dearly.
_DEEPEST: Final = 200
#: Characters that are no ink: controls, line separators, marks that turn the reading direction around. Joiners are ink:
#: families of emoji and several scripts are written with them.
_INVISIBLE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]"
)


def json_markup(value: Any) -> Markup:
    """The value as markup."""
    writer = _Writer(small=_count(value, _SMALL) < _SMALL)
    writer.value("", value, "", 0)
    return Markup("".join(writer.parts))  # noqa: S704 - each part is escaped where it is made


def visible(text: str) -> str:
    """JSON text in which what could not be seen is spelled out as an escape."""
    return _INVISIBLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


class _Writer:
    """Writes one value, and knows how much there is room for."""

    def __init__(self, *, small: bool) -> None:
        self.parts: list[str] = []
        self._small = small
        self._nodes = _MOST_NODES
        self._characters = _MOST_CHARACTERS

    def value(self, key: str, value: Any, comma: str, depth: int) -> None:
        """One value behind its key (markup), before its comma."""
        self._nodes -= 1
        if depth > _DEEPEST:
            self.parts.append("<div class=more>… nested deeper: download to see all</div>")
        elif isinstance(value, dict) and value:
            items = [(self._key(name), item) for name, item in self._some(value.items())]
            self._container(key, items, len(value), "{}", comma, depth)
        elif isinstance(value, list) and value:
            self._container(key, [("", item) for item in self._some(value)], len(value), "[]", comma, depth)
        else:
            self.parts.append(f"<div>{key}{self._leaf(value)}{comma}</div>")

    def _some(self, values: Any) -> list[Any]:
        return [each for each, _ in zip(values, range(max(self._nodes, 0)), strict=False)]

    def _container(
        self, key: str, items: list[tuple[str, Any]], size: int, brackets: str, comma: str, depth: int
    ) -> None:
        opened = " open" if self._small or depth < _OPEN_LEVELS else ""
        count = f"<i>{size}</i>"
        self.parts.append(f"<details{opened}><summary>{key}{brackets[0]}{count}</summary><div class=in>")
        written = 0
        for at, (name, item) in enumerate(items):
            if self._nodes <= 0 or self._characters <= 0:
                break
            self.value(name, item, "," if at < size - 1 else "", depth + 1)
            written += 1
        if written < size:
            self.parts.append(f"<div class=more>… {size - written:,} more: download to see all</div>")
        self.parts.append(f"</div>{brackets[1]}{comma}</details>")

    def _key(self, name: str) -> str:
        return f"<b>{self._text(name)}</b>: "

    def _leaf(self, value: Any) -> str:
        if isinstance(value, str):
            return f"<q>{self._text(value)}</q>"
        if value is None or isinstance(value, bool):
            return f"<em>{json.dumps(value)}</em>"
        return f"<var>{json.dumps(value)}</var>"

    def _text(self, text: str) -> str:
        shown = text[: min(_LONGEST_TEXT, max(self._characters, 0))]
        self._characters -= len(shown)
        quoted = str(escape(visible(json.dumps(shown, ensure_ascii=False))))
        if len(shown) == len(text):
            return quoted
        return f"{quoted}<span class=more>… {len(text) - len(shown):,} more characters: download to see all</span>"


def _count(value: Any, most: int) -> int:
    """How many values there are, as far as `most`."""
    found, waiting = 0, [value]
    while waiting and found < most:
        each = waiting.pop()
        found += 1
        if isinstance(each, dict | list):
            waiting += list(each.values())[:most] if isinstance(each, dict) else each[:most]
    return found
