"""The tools for runs: list them, look into one, cancel it, replay it. Each does what its route of the API does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from keystroke.operations.api_keys import Principal
from keystroke.operations.replay_run import ReplayRequest
from keystroke_api.auth import Role, require_role
from keystroke_api.canceling import cancel
from keystroke_api.mcp.outcome import Outcome, shown
from keystroke_api.operation import path_errors
from keystroke_api.refusals import InvalidRequest
from keystroke_api.replaying import replay
from keystroke_api.rest.documents import RunDocument, RunList, Started
from keystroke_api.rest.filters import Part, RunsQuery
from keystroke_api.rest.reading import list_run_page, read_run, whole_run_id
from keystroke_api.rest.requests import CancelBody, ReplayBody
from keystroke_api.rest.starting import started_json
from keystroke_api.services import services

#: Spans and log lines each, of a run that is looked into: models pay for every line.
_MOST_LINES: Final = 200


class _OfRun(BaseModel):
    model_config = ConfigDict(extra="forbid")

    run_id: str = Field(
        description="Id of the run, or an unambiguous beginning of it.", min_length=1, max_length=100
    )


class GetRun(_OfRun):
    """Which run, and what of it."""

    include: list[Part] = Field(
        default=["steps", "trace"], max_length=10, description="What else of the run is wanted."
    )
    wait: float = Field(
        default=0, ge=0, le=60, description="Seconds to wait for the end of the run before it is shown."
    )


class CancelRun(_OfRun, CancelBody):
    """Which run."""


class ReplayRun(_OfRun, ReplayBody):
    """Which run, from which step, and with which input."""


Serve = Callable[[Principal, Any], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class RunTool:
    """A tool for runs: what it is called and does, the role that it needs, what it takes and gives."""

    name: str
    title: str
    description: str
    role: Role
    arguments: type[BaseModel]
    answer: type[BaseModel]
    serve: Serve
    reads_only: bool = False
    destroys: bool = False

    def call(self, caller: Principal, arguments: dict[str, Any]) -> Outcome:
        """Do it. Raises RoleTooLow, InvalidRequest with the path of each bad argument, and what the operation raises."""
        require_role(caller, self.role)
        try:
            wanted = self.arguments.model_validate(arguments)
        except ValidationError as error:
            raise InvalidRequest(what="arguments", errors=path_errors(error)) from error
        return shown(self.serve(caller, wanted))


def _list(caller: Principal, wanted: RunsQuery) -> dict[str, Any]:
    return list_run_page(caller, wanted)


def _get(caller: Principal, wanted: GetRun) -> dict[str, Any]:
    own = services()
    run_id = _whole(caller, wanted)
    if wanted.wait:
        own.waits.until_terminal(caller.scope, run_id, min(wanted.wait, own.settings.tool_wait))
    return read_run(caller, run_id, frozenset(wanted.include), most_lines=_MOST_LINES)


def _cancel(caller: Principal, wanted: CancelRun) -> dict[str, Any]:
    requested = cancel(caller, _whole(caller, wanted))
    return started_json(requested.run_id, requested.status)


def _replay(caller: Principal, wanted: ReplayRun) -> dict[str, Any]:
    asked = ReplayRequest(_whole(caller, wanted), caller.actor, wanted.from_step, wanted.edited)
    started = replay(caller, asked)
    return started_json(started.run_id, started.status)


def _whole(caller: Principal, wanted: _OfRun) -> str:
    with services().database.read() as tx:
        return whole_run_id(caller.scope, tx, wanted.run_id)


RUN_TOOLS: Final = {
    tool.name: tool
    for tool in (
        RunTool(
            "list_runs", "List runs",
            "List runs of workflows, newest first. Filters combine with AND, the values of one filter with OR.",
            Role.VIEWER, RunsQuery, RunList, _list, reads_only=True,
        ),
        RunTool(
            "get_run", "Look into a run",
            "Look into one run: its status and why, input, output and error, its steps, and its trace with the first "
            f"{_MOST_LINES} spans and log lines. With `wait` the answer comes when the run has ended, or the time is over.",
            Role.VIEWER, GetRun, RunDocument, _get, reads_only=True,
        ),
        RunTool(
            "cancel_run", "Cancel a run",
            "Cancel a run and those that it started: at once unless it is running; then its code is told to let go.",
            Role.RUNNER, CancelRun, Started, _cancel, destroys=True,
        ),
        RunTool(
            "replay_run", "Replay a run",
            "Start a new run of the same workflow, with the same input or another one, from the beginning or from a step. "
            "The answer names the new run; get_run with `wait` tells when it has ended.",
            Role.RUNNER, ReplayRun, Started, _replay,
        ),
    )
}  # fmt: skip
