"""The author's test kit: workflows run in the test's own process, on a database in memory, by a clock that the test moves.

Under pytest ask for the fixture `keystroke`; elsewhere make a `TestKit`, or call `run`. Described in docs/testing.md.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keystroke.testing.kit import TestKit, run
    from keystroke.testing.problems import KitProblem
    from keystroke.testing.stubs import SeenCall, Stub
    from keystroke.testing.test_event import TestEvent
    from keystroke.testing.test_run import TestRun

__all__ = ["KitProblem", "SeenCall", "Stub", "TestEvent", "TestKit", "TestRun", "run"]

#: Which module has each word. pytest imports this package at every start: nothing is loaded before it is used.
_WORDS = {
    "KitProblem": "problems",
    "SeenCall": "stubs",
    "Stub": "stubs",
    "TestEvent": "test_event",
    "TestKit": "kit",
    "TestRun": "test_run",
    "run": "kit",
}


def __getattr__(name: str) -> Any:
    """Import the word's module; the word then stays here."""
    if name not in _WORDS:
        raise AttributeError(f"module 'keystroke.testing' has no word {name!r}; it has {', '.join(__all__)}")
    value = getattr(importlib.import_module(f"{__name__}.{_WORDS[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The words, imported already or not."""
    return sorted({*globals(), *__all__})
