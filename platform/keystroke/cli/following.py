"""Following a run while it goes on: its events as lines for people, or as JSON lines for programs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final

import click

from keystroke.cli.retrying import PATIENCE, passes_by_itself
from keystroke.client import Client
from keystroke.client.events import Event
from keystroke.errors import RequestRefused, ServerUnreachable

_PAUSE: Final = 1.0
_SEVERITY_STYLES: Final = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "red", "DEBUG": "bright_black"}
_STATUS_STYLES: Final = {"success": "green", "failed": "red", "canceled": "yellow", "running": "blue"}


def follow(client: Client, run_id: str) -> Iterator[Event]:
    """The events of a run until it has ended; a stream that breaks off is taken up where it was."""
    position: str | None = None
    answered = time.monotonic()
    while True:
        try:
            for event in client.follow_run(run_id, position):
                answered = time.monotonic()
                if event.name == "end":
                    return
                position = event.position or position
                yield event
        except (ServerUnreachable, RequestRefused) as error:
            if not passes_by_itself(error) or time.monotonic() - answered > PATIENCE:
                raise
            time.sleep(_PAUSE)


def log_line(line: dict[str, Any]) -> str:
    """`20:41:50.468 INFO research#0 Looking up example.com`."""
    severity = click.style(f"{line['severity']:<7}", fg=_SEVERITY_STYLES.get(line["severity"]))
    step = click.style(line["step"] or "-", fg="bright_black")
    return f"{_clock(line['time'])} {severity} {step} {line['body']}"


def event_line(event: Event) -> str | None:
    """An event as a line; None for what says nothing new to a person."""
    tell = _TELL.get(event.name)
    return None if tell is None else tell(event.data)


def _status_line(data: dict[str, Any]) -> str:
    status = click.style(f"{data['status']:<7}", fg=_STATUS_STYLES.get(data["status"]))
    reason = f" ({data['reason']})" if data["reason"] else ""
    attempt = f" attempt {data['attempt']}" if data["transition"] == "claim" else ""
    return f"{_clock(data['at'])} {status}{attempt}{reason}"


def _step_line(data: dict[str, Any]) -> str:
    at = data.get("finished_at") or data["started_at"]
    tries = f", try {data['attempt']}" if data["attempt"] > 1 else ""
    return f"{_clock(at)} step    {data['identity']} {data['status']}{tries}"


def _progress_line(data: dict[str, Any]) -> str:
    share = "" if data["fraction"] is None else f"{data['fraction']:.0%} "
    return f"{_clock(data['updated_at'])} progress {share}{data['message'] or ''}".rstrip()


def _clock(text: str) -> str:
    """The time of day in the reader's zone."""
    return datetime.fromisoformat(text).astimezone().strftime("%H:%M:%S.%f")[:-3]


_TELL: Final[dict[str, Callable[[dict[str, Any]], str]]] = {
    "status": _status_line,
    "step": _step_line,
    "progress": _progress_line,
    "log": log_line,
}
