"""Where the parts that the command line starts have their entries: named by text, since they stand above or beside it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Final

from keystroke.cli.refusals import ComponentMissing

_ENTRIES: Final = {
    "api": "keystroke_api.main:run_api",
    "worker": "keystroke_worker.main:run_worker",
    "beat": "keystroke_beat.main:run_beat",
}
#: What each cannot do without; asked for here too, so that it is named together with what is wrong.
NEEDS: Final = {
    "api": ("database_url", "broker_url", "secret_key"),
    "worker": ("database_url", "broker_url", "secret_key"),
    "beat": ("database_url", "broker_url"),
}


def entry_of(component: str) -> Callable[..., int]:
    """The function that runs a component and gives its exit code; ComponentMissing where it is not installed."""
    module, _, function = _ENTRIES[component].partition(":")
    try:
        entry: Callable[..., int] = getattr(import_module(module), function)
    except ModuleNotFoundError as error:
        raise ComponentMissing(component=component, why=str(error)) from error
    return entry
