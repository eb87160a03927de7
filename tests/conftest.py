"""What every test may ask for; the fixtures themselves live in `support`."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

pytest_plugins = [
    "support.servers",
    "support.databases",
    "support.processes",
    "support.starts",
    "support.worker_fleet",
    "support.api",
    "support.pages",
    "support.browser",
    "support.attempts",
    "support.schedules",
    "support.playing",
    "support.blocking",
    "support.receiver",
    "support.poll_rig",
    "support.triggers",
    "support.transformed",
]


@pytest.fixture(autouse=True)
def _own_log_lines() -> Iterator[None]:
    """What a test configures of logging ends with it: its stream is pytest's, and closed by then."""
    root = logging.getLogger()
    before, level = set(root.handlers), root.level
    yield
    added = [each for each in root.handlers if type(each) is logging.StreamHandler and each not in before]
    for handler in added:
        root.removeHandler(handler)
    if added:
        root.setLevel(level)
        logging.captureWarnings(False)
