"""The filters of the list in words: chips to take away, choices to make, views to jump to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, get_args

from keystroke.domain.actor import TriggerType
from keystroke.domain.states import Status
from keystroke_api.ui.address import Address
from keystroke_api.ui.contexts import Chip, Choice, Link
from keystroke_api.ui.history_query import PERIODS, SHOWING

_LABELS: Final[dict[str, str]] = {
    "status": "Status", "kind": "Type", "project": "Project", "workflow": "Workflow", "trigger": "Trigger", "actor": "Actor",
    "model": "Model", "service": "Service", "tag": "Tag", "deployment": "Deployment", "error": "Error", "parent": "Parent",
    "min_cost": "Cost at least", "max_cost": "Cost at most", "min_duration": "At least", "max_duration": "At most",
    "min_steps": "Steps at least", "max_steps": "Steps at most", "since": "Since", "until": "Until", "q": "Search",
    "last": "Created",
}  # fmt: skip
_VIEWS: Final = (("All runs", ""), ("Failed", Status.FAILED), ("Running", Status.RUNNING))
#: Filters that are typed.
TYPED: Final = ("q", "tag", "actor", "min_duration", "max_duration", "min_cost", "max_cost", "since", "until")


def chips(address: Address, names: Mapping[str, str]) -> list[Chip]:
    """One chip for each value of each filter; `names` gives workflows their names."""
    here = address.without("cursor", "run", "format")
    return [
        Chip(f"{_LABELS.get(name, name)}: {_value(name, value, names)}", str(here.without_value(name, value)))
        for name, value in here.pairs
        if name not in SHOWING
    ]


def views(address: Address) -> list[Link]:
    """The built-in saved views; one is current when it is all that is filtered by."""
    shown = address.only(("columns", "limit"))
    filters = [pair for pair in address.pairs if pair[0] not in SHOWING]
    return [
        Link(
            label,
            str(shown.with_("status", status) if status else shown),
            current=filters == ([("status", status)] if status else []),
        )
        for label, status in _VIEWS
    ]


def choices(address: Address, name: str, values: Iterable[tuple[str, str]]) -> list[Choice]:
    """The values of one filter, with those that are chosen."""
    chosen = set(address.values(name))
    return [Choice(value, label, value in chosen) for value, label in values]


def status_choices(address: Address) -> list[Choice]:
    """Every status."""
    return choices(address, "status", ((status.value, status.label) for status in Status))


def trigger_choices(address: Address) -> list[Choice]:
    """Every type of trigger."""
    return choices(address, "trigger", ((kind, trigger_label(kind)) for kind in get_args(TriggerType)))


def period_choices(address: Address) -> list[Choice]:
    """Periods of creation."""
    return choices(address, "last", (("", "Any time"), *PERIODS.items()))


def trigger_label(kind: str) -> str:
    """A type of trigger as people read it."""
    return {"api": "API", "cli": "Command line"}.get(kind, kind.replace("_", " ").capitalize())


def _value(name: str, value: str, names: Mapping[str, str]) -> str:
    if name == "status":
        return Status(value).label
    if name == "trigger" and ":" not in value:
        return trigger_label(value)
    return {"workflow": names.get(value, value), "last": PERIODS.get(value, value)}.get(name, value)
