"""What every test may ask for; the fixtures themselves live in `support`."""

from __future__ import annotations

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
    "support.playing",
    "support.blocking",
]
