"""What stands for a child in the workflow's code."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from keystroke.authoring.workflow import Workflow
from keystroke.domain.step import Step, StepStatus

if TYPE_CHECKING:
    from keystroke.execution.children import Children


class ChildHandle:
    """Implements `authoring.children.ChildRun`."""

    def __init__(
        self, children: Children, definition: Workflow[..., Any], step: Step, looked_at: datetime
    ) -> None:
        """`step` is what is on record of the child, `looked_at` when the child itself was looked at last."""
        self._children = children
        self.definition = definition
        self.step = step
        self.looked_at = looked_at

    def __repr__(self) -> str:
        """`<child charge-card run_…>`."""
        return f"<child {self.workflow} {self.run_id}>"

    @property
    def run_id(self) -> str:
        """The child's id."""
        return self.step.child_run_id or ""

    @property
    def workflow(self) -> str:
        """The slug of its workflow."""
        return self.definition.slug

    @property
    def is_open(self) -> bool:
        """Whether the end of the child is not on record yet."""
        return self.step.status is StepStatus.RUNNING

    def result(self) -> Any:
        """See ChildRun."""
        return self._children.result(self)

    def result_awaited(self) -> Awaitable[Any]:
        """See AsyncChildRun."""
        return self._children.result_awaited(self)


class AsyncChildHandle:
    """Implements `authoring.children.AsyncChildRun`: a handle whose result is awaited."""

    def __init__(self, handle: ChildHandle) -> None:
        """Another face of this handle."""
        self.handle = handle

    def __repr__(self) -> str:
        """`<child charge-card run_…>`."""
        return repr(self.handle)

    @property
    def run_id(self) -> str:
        """The child's id."""
        return self.handle.run_id

    @property
    def workflow(self) -> str:
        """The slug of its workflow."""
        return self.handle.workflow

    async def result(self) -> Any:
        """See AsyncChildRun."""
        return await self.handle.result_awaited()
