"""Children: runs that a run starts. How they are asked for, and what stands for one of them in the workflow's code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from keystroke.authoring.current import CurrentChildren, current_run, process_run
from keystroke.domain.label import check_label
from keystroke.errors import NotInWorkflowCode, OutsideOfRun

_LONGEST_KEY: Final = 255


class ChildRun(Protocol):
    """A child that was started, in a `def` workflow."""

    @property
    def run_id(self) -> str:
        """The child's id, `run_…`."""

    @property
    def workflow(self) -> str:
        """The slug of its workflow."""

    def result(self) -> Any:
        """Its output, validated; waits for it. Raises ChildFailed where the child failed or was canceled."""


class AsyncChildRun(Protocol):
    """A child that was started, in an `async def` workflow: the same names, awaited."""

    @property
    def run_id(self) -> str:
        """The child's id, `run_…`."""

    @property
    def workflow(self) -> str:
        """The slug of its workflow."""

    async def result(self) -> Any:
        """Its output, validated; waits for it. Raises ChildFailed where the child failed or was canceled."""


@dataclass(frozen=True, slots=True)
class ChildOptions:
    """How a child is started: its idempotency key, its tags, and whether it goes on when its parent is canceled."""

    key: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    detached: bool = False


def child_options(call: str, key: Any, tags: Any, detached: Any) -> ChildOptions:
    """The options of a call, checked; TypeError and ValueError name what is wrong."""
    if key is not None:
        check_label(key, f"the key of {call}", _LONGEST_KEY)
        if not key:
            raise ValueError(f"the key of {call} is empty")
    if not isinstance(detached, bool):
        raise TypeError(f"{call}: detached is True or False, not {detached!r}")
    found = {} if tags is None else dict(tags)
    for name, value in found.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(f"{call}: tags are text by text; {name!r}: {value!r} is not")
    return ChildOptions(key, found, detached)


def children_here(call: str, workflow: str) -> CurrentChildren:
    """Where children of the run are started whose code executes here. Raises OutsideOfRun, NotInWorkflowCode."""
    run = current_run.get()
    if run is not None:
        return run.children
    if process_run.run is not None:
        raise NotInWorkflowCode(call=call)
    raise OutsideOfRun(call=call, workflow=workflow)
