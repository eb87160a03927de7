"""Keystroke: durable workflows in plain Python. These are the words that an author needs."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keystroke.authoring.action import action
    from keystroke.authoring.children import AsyncChildRun, ChildRun
    from keystroke.authoring.context import AsyncContext, Context
    from keystroke.authoring.exceptions import ActionFailed, ChildFailed, Fatal, HookTimeout, RunCanceled
    from keystroke.authoring.hooks import AsyncHook, Hook
    from keystroke.authoring.poll import poll
    from keystroke.authoring.poll_result import PollResult
    from keystroke.authoring.request import Request
    from keystroke.authoring.schedule import schedule
    from keystroke.authoring.tick import Tick
    from keystroke.authoring.webhook import webhook
    from keystroke.authoring.workflow import workflow
    from keystroke.domain.limits import Concurrency, RateLimit
    from keystroke.domain.respond import Respond
    from keystroke.domain.retry import Backoff

    __version__: str

__all__ = [
    "ActionFailed", "AsyncChildRun", "AsyncContext", "AsyncHook", "Backoff", "ChildFailed", "ChildRun", "Concurrency",
    "Context", "Fatal", "Hook", "HookTimeout", "PollResult", "RateLimit", "Request", "Respond", "RunCanceled", "Tick",
    "__version__", "action", "poll", "schedule", "webhook", "workflow",
]  # fmt: skip

#: Which module has each word. They are imported when they are first used, so that `keystroke --help` need not wait.
_WORDS = {
    "action": "keystroke.authoring.action",
    "workflow": "keystroke.authoring.workflow",
    "webhook": "keystroke.authoring.webhook",
    "schedule": "keystroke.authoring.schedule",
    "poll": "keystroke.authoring.poll",
    "PollResult": "keystroke.authoring.poll_result",
    "Tick": "keystroke.authoring.tick",
    "Context": "keystroke.authoring.context",
    "AsyncContext": "keystroke.authoring.context",
    "Hook": "keystroke.authoring.hooks",
    "AsyncHook": "keystroke.authoring.hooks",
    "ChildRun": "keystroke.authoring.children",
    "AsyncChildRun": "keystroke.authoring.children",
    "Backoff": "keystroke.domain.retry",
    "Fatal": "keystroke.authoring.exceptions",
    "RunCanceled": "keystroke.authoring.exceptions",
    "ActionFailed": "keystroke.authoring.exceptions",
    "ChildFailed": "keystroke.authoring.exceptions",
    "HookTimeout": "keystroke.authoring.exceptions",
    "Concurrency": "keystroke.domain.limits",
    "RateLimit": "keystroke.domain.limits",
    "Respond": "keystroke.domain.respond",
    "Request": "keystroke.authoring.request",
}


def __getattr__(name: str) -> Any:
    """Import the word's module; the word then stays here."""
    if name == "__version__":
        value: Any = importlib.import_module("importlib.metadata").version("keystroke")
    elif name in _WORDS:
        value = getattr(importlib.import_module(_WORDS[name]), name)
    else:
        raise AttributeError(f"module 'keystroke' has no word {name!r}; it has {', '.join(__all__)}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The words, imported already or not."""
    return sorted({*globals(), *__all__})
