"""The contexts of pages are described: every field says what it holds, and docs/pages.md lists them all."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Annotated, get_args, get_origin, get_type_hints

import pytest

from keystroke_api.ui import contexts, trigger_contexts
from support.sources import ROOT

_CONTEXTS = [
    kind
    for module in (contexts, trigger_contexts)
    for kind in vars(module).values()
    if inspect.isclass(kind) and dataclasses.is_dataclass(kind) and kind.__module__ == module.__name__
]
_PAGES = (ROOT / "docs/pages.md").read_text(encoding="utf-8")


def described(kind: type) -> str:
    """The part of docs/pages.md about one context."""
    hints = get_type_hints(kind, include_extras=True)
    lines = [
        f"## {kind.__name__}",
        "",
        inspect.getdoc(kind) or "",
        "",
        "| field | what it holds |",
        "| --- | --- |",
    ]
    for each in dataclasses.fields(kind):
        assert get_origin(hints[each.name]) is Annotated, f"{kind.__name__}.{each.name} has no description"
        lines.append(f"| `{each.name}` | {get_args(hints[each.name])[1]} |")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("kind", _CONTEXTS, ids=lambda kind: kind.__name__)
def test_every_context_is_in_the_docs_as_it_is_in_the_code(kind: type) -> None:
    assert described(kind) in _PAGES
