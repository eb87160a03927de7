"""Waiting for something to become true: until it is, with a deadline and a failure that says what was waited for.

The condition is looked at again and again; nothing here, and no test, sleeps in the hope that something has happened.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
_PAUSE = 0.01


def wait_until(condition: Callable[[], T], timeout: float = 15.0, *, what: str = "") -> T:
    """The first truthy value of `condition`; after `timeout` seconds an AssertionError that says `what`."""
    deadline = time.monotonic() + timeout
    pause = threading.Event()
    while not (value := condition()):
        if time.monotonic() > deadline:
            described = what or getattr(condition, "__name__", "the condition")
            raise AssertionError(f"not within {timeout} s: {described} (last seen: {value!r})")
        pause.wait(_PAUSE)
    return value
