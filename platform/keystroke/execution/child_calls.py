"""A call that starts a child: what identifies it, what it asks for, and the errors that its record may hold."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from keystroke.authoring.children import ChildOptions
from keystroke.authoring.exceptions import ChildFailed
from keystroke.authoring.workflow import Workflow
from keystroke.box import Box
from keystroke.domain.child import ChildEnd
from keystroke.domain.payload import Json, digest, encode_payload
from keystroke.domain.secrets import open_sealed
from keystroke.domain.states import Status
from keystroke.domain.step import Step, StepKind
from keystroke.errors import KeystrokeError, RunNotFound
from keystroke.execution.branches import Branch
from keystroke.execution.calls import Asked
from keystroke.execution.rebuilding import take_apart
from keystroke.operations.start_child import ChildRequest

#: Characters of a child's own message that its parent is told.
_LONGEST_MESSAGE: Final = 2_000


@dataclass(frozen=True, slots=True)
class ChildCall:
    """One call that starts a child; `plain` is its input with secrets open."""

    asked: Asked
    plain: Json


def open_child(
    workflow: Workflow[..., Any],
    value: Any,
    options: ChildOptions,
    branch: Branch,
    box: Box | None,
    limit: int,
) -> ChildCall:
    """Record the input by the child's own definition, then take the next occurrence in the branch.

    Raises InvalidValue, NotJson or PayloadTooLarge for an input that cannot be recorded: before anything is started.
    """
    what = f"input of {workflow.slug}"
    recorded = workflow.input.record(value, what, box)
    encode_payload(recorded.payload, what=what, limit=limit)
    arguments = {"workflow": workflow.slug, "input": recorded.digested, "key": options.key}
    key = f"run:{workflow.slug}"
    asked = Asked(
        branch.identify(key), key, StepKind.WORKFLOW, branch, recorded.payload,
        digest(encode_payload(arguments, what=what)),
    )  # fmt: skip
    return ChildCall(asked, recorded.payload if box is None else open_sealed(recorded.payload, box.decrypt))


def wanted_child(
    workflow: Workflow[..., Any], plain: Json, options: ChildOptions, span_id: str
) -> ChildRequest:
    """What is asked of the platform."""
    return ChildRequest(workflow.slug, plain, span_id, options.key, dict(options.tags), options.detached)


def child_error(end: ChildEnd, step: Step, directory: Path) -> dict[str, Any] | None:
    """The `error` of a step whose child has ended without success; None for a success.

    The frames are the child's own.
    """
    if end.status is Status.SUCCESS:
        return None
    workflow = end.workflow or step.key.partition(":")[2]
    failure = end.error or {}
    status, kind, message = end.status or Status.FAILED, failure.get("type", ""), failure.get("message", "")
    if end.status is None:
        kind, message = RunNotFound.__name__, "it has ended, and is not kept any more"
    error = ChildFailed(end.run_id, workflow, status.value, kind, message[:_LONGEST_MESSAGE])
    return take_apart(error, directory, step.identity) | {"stack": failure.get("stack", [])}


def refusal(error: KeystrokeError, workflow: str, step: str, directory: Path) -> dict[str, Any]:
    """The `error` of a step whose child could not be started."""
    refused = ChildFailed("", workflow, "refused", type(error).__name__, str(error)[:_LONGEST_MESSAGE])
    return take_apart(refused, directory, step)
