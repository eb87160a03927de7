"""A JSON value as text: indented JSON, or YAML; for reading, copying and downloading."""

from __future__ import annotations

import json
from typing import Any, Final

import yaml

from keystroke_api.ui.json_markup import visible

MEDIA_TYPES: Final = {"json": "application/json", "yaml": "application/yaml"}
#: On a page YAML ends here: it cannot be folded.
_LONGEST_SHOWN: Final = 60_000
#: Above so much JSON the text for a page is made of its beginning alone.
_LARGE: Final = 400_000


class _NoAliases:
    """YAML without anchors: equal parts are written out each time."""

    def ignore_aliases(self, _data: Any) -> bool:
        """Always."""
        return True


class _QuickDumper(_NoAliases, yaml.CSafeDumper):
    """Written in C, twenty times as quick; it escapes what lies beyond U+FFFF."""


class _EmojiDumper(_NoAliases, yaml.SafeDumper):
    """Written in Python; it leaves emoji as they are."""


def _text(dumper: Any, text: str) -> Any:
    """Texts of several lines as blocks, line by line."""
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


for _dumper_class in (_QuickDumper, _EmojiDumper):
    _dumper_class.add_representer(str, _text)
    _dumper_class.add_multi_representer(str, lambda dumper, text: _text(dumper, str(text)))  # statuses, kinds


def as_text(value: Any, kind: str) -> str:
    """The whole value as `json` or `yaml`."""
    if kind == "yaml":
        return yaml.dump(value, Dumper=_dumper(value), allow_unicode=True, sort_keys=False, width=120)
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def shown_yaml(value: Any) -> str:
    """YAML for a page: what cannot be seen is spelled out, what is too long ends with a note."""
    text = as_text(_beginning(value), "yaml")
    if len(text) > _LONGEST_SHOWN:
        text = text[:_LONGEST_SHOWN] + "\n… (cut here: download to see all)"
    return visible(text)


def _dumper(value: Any) -> type[_QuickDumper | _EmojiDumper]:
    text = json.dumps(value, ensure_ascii=False)
    return _EmojiDumper if len(text) <= _LONGEST_SHOWN and max(text) > "\uffff" else _QuickDumper


def _beginning(value: Any) -> Any:
    """The value, or of a large one its first parts: making a megabyte of YAML to show a page of it takes seconds."""
    if isinstance(value, str):
        return value if len(value) <= _LONGEST_SHOWN else value[:_LONGEST_SHOWN] + "…"
    if len(json.dumps(value)) <= _LARGE:
        return value
    if isinstance(value, dict):
        return {key: _beginning(item) for key, item in list(value.items())[:100]}
    return [_beginning(item) for item in value[:100]] if isinstance(value, list) else value
