"""Answers as tables for people, with rich; imported only when one is printed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from keystroke.cli.printable import printable

#: The columns of each kind of list: the field and its heading.
_COLUMNS: Final = {
    "runs": {
        "id": "Run", "workflow": "Workflow", "status": "Status", "trigger": "Trigger", "created_at": "Created",
        "duration_ms": "Duration",
    },
    "workflows": {"slug": "Workflow", "name": "Name", "last_run": "Last run", "success_rate": "Success"},
    "queues": {
        "name": "Queue", "paused_at": "Paused since", "depth": "Waiting", "limited": "Limited", "oldest_ms": "Oldest",
        "workers": "Workers", "places": "Places",
    },
    "workers": {
        "id": "Worker", "state": "State", "host": "Host", "queues": "Queues", "running": "Running",
        "concurrency": "Places", "memory_mib": "MiB", "heartbeat_at": "Heartbeat",
    },
    "api_keys": {
        "prefix": "Key", "name": "Name", "role": "Role", "project": "Project", "created_at": "Created",
        "last_used_at": "Last used", "expires_at": "Expires",
    },
    "hooks": {
        "id": "Hook", "name": "Name", "status": "Status", "workflow": "Workflow", "run_id": "Run", "created_at": "Asked",
        "expires_at": "Until",
    },
    "notifications": {
        "id": "Notification", "type": "Type", "project": "Project", "status": "Status", "attempts": "Tries",
        "created_at": "Since", "last_error": "Last error",
    },
    "secrets": {
        "name": "Secret", "created_at": "Set first", "updated_at": "Set last", "previous_until": "Former one until",
        "set_by": "By",
    },
    "triggers": {
        "slug": "Trigger", "kind": "Kind", "health": "Health", "next_at": "Next", "last_event": "Last", "attachments": "Starts",
    },
    "events": {
        "id": "Id", "at": "Time", "scheduled_at": "For", "outcome": "Outcome", "run_ids": "Runs", "origin": "Origin",
    },
    "times": {"local": "Local time", "at": "Your time", "due_at": "Due"},
    "attachments": {
        "workflow": "Workflow", "transform": "Transform", "filter": "Filter", "disabled_at": "Disabled since",
    },
    "would_start": {"workflow": "Workflow", "transform": "Transform", "input": "Input", "errors": "Errors"},
    "deliveries": {
        "id": "Delivery", "endpoint": "Endpoint", "trigger": "Trigger", "outcome": "Outcome", "status": "Status",
        "received_at": "Received",
    },
    "replayed": {"replay_of": "Delivery", "delivery_id": "New delivery", "outcome": "Outcome", "run_ids": "Runs"},
    "mismatches": {
        "id": "Run", "workflow": "Workflow", "status": "Status", "verdict": "Verdict", "step": "Step", "message": "Message",
    },
    "steps": {
        "identity": "Step", "kind": "Kind", "status": "Status", "attempt": "Tries", "duration_ms": "Duration",
    },
}  # fmt: skip
_STYLES: Final = {
    "queued": "cyan", "running": "blue", "sleeping": "magenta", "waiting_on_hook": "magenta", "retrying": "yellow",
    "success": "green", "failed": "red", "canceled": "yellow",
    "pending": "cyan", "sent": "green",
    "ok": "green", "unhealthy": "red", "paused": "yellow", "disabled": "yellow", "retired": "dim", "completed": "green",
    "waiting": "magenta", "answered": "green", "expired": "yellow", "ended": "yellow",
}  # fmt: skip
#: Columns of prose, which may take several lines. All others are copied from a terminal, or unreadable in pieces.
_WRAPPED: Final = frozenset({"health", "input", "errors", "name", "description", "message", "last_error"})
#: What a narrow terminal does without, one more at a time until the rest fits; the times are shortened after the first.
_LEFT_OUT: Final = ("origin", "trigger", "last_used_at", "worker", "duration_ms", "created_at")
_FULL_TIME: Final = "%Y-%m-%d %H:%M:%S"
_SHORT_TIME: Final = "%m-%d %H:%M"
_UNBOUNDED: Final = 10_000
#: Objects that one of their fields tells well enough; `--output json` has the rest.
_TOLD_BY: Final = {
    "trigger": "label", "actor": "name", "last_run": "status", "usage": "total_cost", "progress": "message",
    "answered_by": "name", "last_event": "outcome", "event": "id",
}  # fmt: skip
#: Parts of a run that are rows of their own below it.
_ROWS_BELOW: Final = ("attachments", "would_start", "steps", "attempts", "timeline")


def print_table(value: Any, kind: str) -> None:
    """A list as rows, one object as its fields, anything else as it is."""
    console = Console(highlight=False)
    if isinstance(value, dict) and isinstance(value.get("data"), list):
        _print_rows(console, value["data"], kind)
        if value.get("has_more"):
            console.print(f"more: --cursor {value['next_cursor']}", style="dim")
    elif isinstance(value, list):
        _print_rows(console, value, kind)
    elif isinstance(value, dict):
        _print_object(console, value)
    else:
        console.print(str(value), markup=False)


def _print_rows(console: Console, rows: list[dict[str, Any]], kind: str) -> None:
    if not rows:
        console.print("nothing" if kind == "would_start" else f"no {kind.replace('_', ' ')}", style="dim")
        return
    wanted = _COLUMNS.get(kind) or {name: name for name in rows[0]}
    columns = {field: heading for field, heading in wanted.items() if any(field in row for row in rows)}
    # Where nothing more can be left out, the terminal folds the lines: those are copied whole, lines that we broke are not.
    unbounded = Console(highlight=False, width=_UNBOUNDED)
    for table in _narrower_and_narrower(columns, rows):
        needed = unbounded.measure(table).minimum
        if needed <= console.width:
            break
    Console(highlight=False, width=max(needed, console.width)).print(table)


def _narrower_and_narrower(columns: dict[str, str], rows: list[dict[str, Any]]) -> Iterator[Table]:
    yield _table(columns, rows, _FULL_TIME)
    for count, left_out in enumerate(_LEFT_OUT):
        columns = {field: heading for field, heading in columns.items() if field != left_out}
        if count == 0:
            yield _table(columns, rows, _FULL_TIME)
        yield _table(columns, rows, _SHORT_TIME)


def _table(columns: dict[str, str], rows: list[dict[str, Any]], times: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    cells = [[_cell(field, row.get(field), times) for field in columns] for row in rows]
    for place, (field, heading) in enumerate(columns.items()):
        kept_whole = max(len(heading), *(row[place].cell_len for row in cells))
        if field in _WRAPPED:
            table.add_column(heading, overflow="fold")
        else:  # both: min_width for what the table needs, no_wrap so that prose alone gives way
            table.add_column(heading, overflow="fold", min_width=kept_whole, no_wrap=True)
    for row in cells:
        table.add_row(*row)
    return table


def _print_object(console: Console, value: dict[str, Any]) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    below = {name: value[name] for name in _ROWS_BELOW if isinstance(value.get(name), list)}
    for field, content in value.items():
        if field not in below and content not in (None, {}, []):
            table.add_row(field, _cell(field, content))
    console.print(table)
    for name, rows in below.items():
        console.print(f"\n{name}", style="bold")
        _print_rows(console, rows, name)


def _cell(field: str, value: Any, times: str = _FULL_TIME) -> Text:
    if value is None or value == []:
        return Text("-", style="dim")
    if field in ("status", "last_status"):
        return Text(str(value).replace("_", " "), style=_STYLES.get(str(value), ""))
    if field == "health" and isinstance(value, dict):
        why = f": {value['why']}" if value["why"] else ""
        return Text(printable(f"{value['status']}{why}"), style=_STYLES.get(value["status"], ""))
    if field in _TOLD_BY and isinstance(value, dict):
        return _cell(_TOLD_BY[field], value.get(_TOLD_BY[field]), times)
    return Text(_number_or_time(field, value, times) or _words(field, value))


def _number_or_time(field: str, value: Any, times: str) -> str | None:
    if field == "success_rate":
        return f"{float(value):.0%}"
    if field.endswith("_ms"):
        return duration(float(value))
    if field in ("at", "from", "to") or field.endswith(("_at", "_until")):
        return _local_time(str(value), times)
    return None


def _words(field: str, value: Any) -> str:
    if field == "attachments" and isinstance(value, list):
        return ", ".join(each["workflow"] for each in value)
    if field in ("queues", "run_ids") and isinstance(value, list):
        return ", ".join(map(str, value))
    return printable(value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False))


def duration(milliseconds: float) -> str:
    """`340 ms`, `2.1 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`."""
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    if milliseconds < 60_000:
        return f"{milliseconds / 1000:.1f} s"
    minutes, seconds = divmod(round(milliseconds / 1000), 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h"


def _local_time(text: str, form: str) -> str:
    """A time of the API in the reader's zone; what is no time stays as it is."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone().strftime(form)
