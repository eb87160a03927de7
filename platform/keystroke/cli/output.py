"""The forms of an answer on stdout: JSON and YAML for programs, a table for people, one value, the short form."""

from __future__ import annotations

import json
from typing import Any

import click

from keystroke.cli.refusals import ValueNotThere
from keystroke.cli.session import Session


def show(value: Any, *, kind: str, session: Session) -> None:
    """Print an answer; `kind` (run, runs, workflow ...) names its short form and its table."""
    if session.field:
        _print_value(pick(value, session.field), session.output)
        return
    if session.summary:
        from keystroke.cli.summaries import summarize

        value = summarize(value, kind)
    form = session.form()
    if form == "table":
        from keystroke.cli.tables import print_table

        print_table(value, kind)
    else:
        click.echo(_as_text(value, form))


def _as_text(value: Any, form: str) -> str:
    if form == "yaml":
        import yaml

        text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=110)
        return text.rstrip("\n")
    return json.dumps(value, indent=2, ensure_ascii=False)


def _print_value(value: Any, form: str | None) -> None:
    """A text is printed bare, so that a shell can take it; what is no text or number is JSON."""
    if form in ("json", "yaml"):
        click.echo(_as_text(value, form))
    elif isinstance(value, str):
        click.echo(value)
    else:
        click.echo(
            json.dumps(value, ensure_ascii=False, indent=2 if isinstance(value, (dict, list)) else None)
        )


def pick(value: Any, path: str) -> Any:
    """The value at a dotted path; a number is a place in a list. Of a page of rows without such a field, its rows' values."""
    current = value
    for part in path.split("."):
        current = _step_into(current, part, path)
    return current


def _step_into(value: Any, part: str, path: str) -> Any:
    if isinstance(value, dict) and part in value:
        return value[part]
    if isinstance(value, dict) and isinstance(value.get("data"), list):
        return _step_into(value["data"], part, path)
    if isinstance(value, list):
        return _step_into_list(value, part, path)
    available = ", ".join(value) if isinstance(value, dict) and value else "no fields"
    raise ValueNotThere(field=path, part=part, available=available)


def _step_into_list(rows: list[Any], part: str, path: str) -> Any:
    if not part.lstrip("-").isdigit():
        return [_step_into(row, part, path) for row in rows]
    try:
        return rows[int(part)]
    except IndexError as error:
        raise ValueNotThere(field=path, part=part, available=f"{len(rows)} rows") from error
