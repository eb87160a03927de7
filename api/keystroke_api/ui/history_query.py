"""The query of `/history`: all filters of the API, and what only a page has."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from flask import request
from pydantic import BeforeValidator, Field, ValidationError

from keystroke.clock import from_micros
from keystroke.domain.durations import parse_duration
from keystroke.domain.filters import RunFilter
from keystroke_api.operation import path_errors
from keystroke_api.refusals import InvalidRequest
from keystroke_api.rest.filters import RunId, RunsQuery
from keystroke_api.ui.address import Address

Period = Literal["1h", "24h", "7d", "30d"]
PERIODS: Final[dict[str, str]] = {
    "1h": "Last hour", "24h": "Last 24 hours", "7d": "Last 7 days", "30d": "Last 30 days",
}  # fmt: skip
#: Every column of the list, with its heading; in this order they are shown.
COLUMNS: Final[dict[str, str]] = {
    "name": "Name", "type": "Type", "id": "Run id", "start": "Start time", "queue": "Queue time", "finish": "Finish time",
    "actor": "Actor", "status": "Status", "trigger": "Trigger", "value": "Trigger value", "duration": "Duration",
    "project": "Project", "steps": "Steps", "cost": "Total cost", "models": "Models", "services": "Services", "tags": "Tags",
}  # fmt: skip
DEFAULT_COLUMNS: Final = ("name", "type", "start", "actor", "status", "trigger", "duration", "project")
#: What is no filter: how the list is shown, and which part of it.
SHOWING: Final = ("columns", "limit", "cursor", "run", "tab", "view", "format")


def _columns(value: Any) -> Any:
    """`a,b` in a shared address, `columns=a&columns=b` as a form sends it."""
    return tuple(name for text in value for name in text.split(",")) if isinstance(value, tuple) else value


Columns = Annotated[
    tuple[Annotated[str, Field(pattern=f"^({'|'.join(COLUMNS)})$")], ...], BeforeValidator(_columns)
]


class HistoryQuery(RunsQuery):
    """The filters of `GET /api/v1/runs`, and how the list is shown."""

    last: Period | None = Field(default=None, description="Created in the last hour, day, week or month.")
    columns: Columns = Field(default=(), max_length=40, description="Columns to show.")
    run: RunId | None = Field(default=None, description="The run in the panel.")
    tab: Literal["overview", "metadata", "trace"] = "overview"
    view: Literal["json", "yaml"] = "json"
    format: Literal["json", "html"] | None = None

    def filter_at(self, now_micros: int) -> RunFilter:
        """What the store filters by; `last` counts back from now."""
        since = self.since
        if self.last is not None:
            since = from_micros(now_micros) - parse_duration(self.last)
        values = {name: getattr(self, name) for name in RunsQuery.model_fields}
        return RunsQuery.model_construct(**{**values, "since": since}).filter

    @property
    def shown_columns(self) -> tuple[str, ...]:
        """The chosen columns, else the default ones; the name is always there."""
        chosen = self.columns or DEFAULT_COLUMNS
        return tuple(name for name in COLUMNS if name in chosen or name == "name")


def read_query(address: Address, columns: str = "") -> HistoryQuery:
    """The query of the page; InvalidRequest says what is wrong. `columns` are those that the browser remembers."""
    values: dict[str, Any] = {}
    for name in dict(address.pairs):
        found = address.values(name)
        info = HistoryQuery.model_fields.get(name)
        several = info is not None and info.default == ()
        values[name] = tuple(found) if several or len(found) > 1 else found[0]
    if columns:
        remembered = (name for name in columns.split(",") if name in COLUMNS)
        values.setdefault("columns", tuple(remembered))
    try:
        return HistoryQuery.model_validate(values)
    except ValidationError as error:
        raise InvalidRequest(what="list of runs", errors=path_errors(error)) from error


def remembered_columns() -> str:
    """The columns that this browser chose last, as they stand in the cookie."""
    return request.cookies.get("keystroke_columns", "").replace(".", ",")
