"""Calling a workflow as a tool: its run is started, waited for, and told of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from keystroke.domain.actor import Trigger
from keystroke.domain.states import Status
from keystroke.errors import InvalidInput, PathError
from keystroke.operations.api_keys import Principal
from keystroke.operations.start_run import StartRequest
from keystroke_api.auth import Role, require_role
from keystroke_api.mcp.catalog import WorkflowTool
from keystroke_api.mcp.outcome import Outcome, shown
from keystroke_api.rest.reading import read_run
from keystroke_api.services import services
from keystroke_api.starting import start

_GOES_ON: Final = "{sentence} The run goes on: get_run with run_id {run_id} and wait tells when it has ended."
_NOT_SHOWN: Final = (
    "The run has succeeded, but its output is not shown whole: get_run with run_id {run_id} shows the rest."
)


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a workflow's tool: by whom, with what, by which program, in which trace (W3C `traceparent`)."""

    caller: Principal
    arguments: dict[str, Any]
    client: str
    traceparent: str | None


def call_workflow(tool: WorkflowTool, call: Call) -> Outcome:
    """Start a run and wait for its end, for a while. Raises RoleTooLow, and what a start raises."""
    require_role(call.caller, Role.RUNNER)
    run_id = _start(tool, call)
    own = services()
    own.waits.until_terminal(call.caller.scope, run_id, own.settings.tool_wait)
    return _told(tool, read_run(call.caller, run_id))


def _start(tool: WorkflowTool, call: Call) -> str:
    shape, what = tool.shape, f"workflow {tool.workflow.slug}"
    if foreign := shape.foreign(call.arguments):
        errors = [PathError(f"$.{name}", "is no argument of this tool") for name in foreign]
        raise InvalidInput(what=what, errors=errors)
    wanted = StartRequest(
        workflow=tool.workflow.slug, input=shape.input_of(call.arguments), actor=call.caller.actor,
        trigger=Trigger("workflow_tool", f"Tool · {call.client}", f"workflow_tool:{call.client}"),
        traceparent=call.traceparent,
    )  # fmt: skip
    try:
        return start(tool.project, wanted).run_id
    except InvalidInput as error:
        paths = [PathError(shape.path_of(each.path), each.message) for each in error.errors]
        raise InvalidInput(what=what, errors=paths) from error


def _told(tool: WorkflowTool, run: dict[str, Any]) -> Outcome:
    """How the run has ended, or that it goes on."""
    run_id, status = run["id"], run["status"]
    if status == Status.SUCCESS:
        content = tool.shape.structured(run["output"])
        if content is None:
            return _pointer(run, _NOT_SHOWN.format(run_id=run_id))
        return shown(content, more=f"This is the output of {run_id}.", run_id=run_id)
    if Status(status).terminal:
        return _not_succeeded(run)
    return _pointer(run, _GOES_ON.format(sentence=run["status_detail"], run_id=run_id))


def _pointer(run: dict[str, Any], message: str) -> Outcome:
    return shown({"run_id": run["id"], "status": run["status"], "message": message}, run_id=run["id"])


def _not_succeeded(run: dict[str, Any]) -> Outcome:
    """Failed or canceled: what happened, and where, as the run's record shows it."""
    error = run["error"]
    lines = [
        f"Run {run['id']} of {run['workflow']} has not succeeded ({run['status']}): {run['status_detail']}"
    ]
    if error:
        step = f" (in step {error['step']})" if error.get("step") else ""
        lines.append(f"{error['type']}: {error['message']}{step}")
    told = {name: run[name] for name in ("status", "status_reason", "error")}
    return Outcome({"run_id": run["id"], **told}, "\n".join(lines), failed=True, run_id=run["id"])
