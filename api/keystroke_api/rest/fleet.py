"""The fleet: queues with what waits in them, to be paused and resumed; workers, to be drained."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from flask import Response
from pydantic import BaseModel, ConfigDict, Field

from keystroke.clock import rfc3339
from keystroke.operations.api_keys import Principal
from keystroke.operations.drain_worker import drain_worker as drain
from keystroke.operations.pause_queue import pause_queue as pause
from keystroke.operations.pause_queue import resume_queue as resume
from keystroke.store import fleet, queues
from keystroke.store.access import Project
from keystroke.store.fleet import WorkerRow
from keystroke.store.queues import Queue
from keystroke_api.answers import json_answer
from keystroke_api.auth import Role
from keystroke_api.operation import Answer, operation
from keystroke_api.rest.documents import Time
from keystroke_api.rest.texts import API, Text
from keystroke_api.rest.workflows import find_default_project, find_project
from keystroke_api.services import services


class ProjectQuery(BaseModel):
    """Of which project."""

    model_config = ConfigDict(extra="forbid")

    project: Annotated[Text | None, Field(description="Else the default project.")] = None


class QueueDocument(BaseModel):
    """A queue of a project. Runs that are scheduled for later are not counted."""

    name: str
    paused_at: Time | None = Field(description="Since when none of its runs is started.")
    depth: int = Field(description="Runs that wait to be started.")
    limited: int = Field(description="Those of them that a concurrency or rate limit holds back.")
    oldest_queued_at: Time | None
    oldest_ms: int | None = Field(description="How long the oldest of them has waited.")
    workers: int = Field(description="Workers alive that serve it.")
    places: int = Field(description="Runs that these execute at once.")


class QueueList(BaseModel):
    """The queues, by name."""

    data: list[QueueDocument]


class WorkerDocument(BaseModel):
    """A worker."""

    id: str
    state: str = Field(description="`alive`, `draining`, `stopped` or `dead`.")
    host: str
    pid: int
    version: str
    deployment: str
    queues: list[str]
    concurrency: int = Field(description="Runs that it executes at once.")
    running: int = Field(description="Runs that it executes now.")
    memory_mib: int | None
    started_at: Time
    heartbeat_at: Time


class WorkerList(BaseModel):
    """The newest workers, newest first; those that have ended stay listed for a week."""

    data: list[WorkerDocument]


@operation(
    "GET", f"{API}/queues", role=Role.VIEWER, problems=(404,), answers={200: Answer("The queues.", QueueList)}
)
def list_queues(caller: Principal, query: ProjectQuery) -> Response:
    """The queues of a project: those that its workflows name, that workers serve, that runs wait in."""
    project = _project(caller, query)
    with services().database.read() as tx:
        listed = queues.list_queues(caller.scope, tx, project)
    return json_answer({"data": [_queue_json(each) for each in listed]})


@operation(
    "POST", f"{API}/queues/<name>/pause", role=Role.ADMIN, problems=(404,),
    answers={200: Answer("It is paused.", QueueDocument)},
)  # fmt: skip
def pause_queue(caller: Principal, name: str, query: ProjectQuery) -> Response:
    """Start no more runs of a queue; those that run go on. Harmless where it is paused."""
    project = _project(caller, query)
    return json_answer(_queue_json(pause(services().database, caller.scope, caller.actor, project, name)))


@operation(
    "POST", f"{API}/queues/<name>/resume", role=Role.ADMIN, problems=(404,),
    answers={200: Answer("It is not paused.", QueueDocument)},
)  # fmt: skip
def resume_queue(caller: Principal, name: str, query: ProjectQuery) -> Response:
    """Start the runs of a queue again. Harmless where it is not paused."""
    own, project = services(), _project(caller, query)
    queue = resume(own.database, caller.scope, caller.actor, project, name)
    own.wakeups.wake(project.id, name)
    return json_answer(_queue_json(queue))


@operation("GET", f"{API}/workers", role=Role.VIEWER, answers={200: Answer("The workers.", WorkerList)})
def list_workers(caller: Principal) -> Response:
    """The workers of all projects that the caller may see, newest first."""
    with services().database.read() as tx:
        listed = fleet.list_workers(caller.scope, tx)
        running = fleet.count_running(tx, [each.id for each in listed])
    return json_answer({"data": [_worker_json(each, running.get(each.id, 0)) for each in listed]})


@operation(
    "POST", f"{API}/workers/<worker_id>/drain", role=Role.ADMIN, problems=(404, 409),
    answers={202: Answer("It takes no new runs from its next heartbeat on, and ends.", WorkerDocument)},
)  # fmt: skip
def drain_worker(caller: Principal, worker_id: str) -> Response:
    """Let a worker finish what it runs, hand back what takes too long, and end: as SIGTERM does."""
    own = services()
    found = drain(own.database, caller.scope, caller.actor, worker_id)
    with own.database.read() as tx:
        running = fleet.count_running(tx, [found.id])
    return json_answer(_worker_json(found, running.get(found.id, 0)), 202)


def _project(caller: Principal, query: ProjectQuery) -> Project:
    return find_default_project(caller) if query.project is None else find_project(caller, query.project)


def _queue_json(queue: Queue) -> dict[str, Any]:
    return _document(queue, queue.__slots__)


def _worker_json(worker: WorkerRow, running: int) -> dict[str, Any]:
    names = [name for name in worker.__slots__ if name not in ("project_id", "deployment_id")]
    document = _document(worker, names)
    return document | {
        "queues": list(worker.queues),
        "deployment": worker.deployment_id,
        "running": running,
    }


def _document(value: Queue | WorkerRow, names: Any) -> dict[str, Any]:
    fields = {name: getattr(value, name) for name in names}
    return {name: rfc3339(each) if isinstance(each, datetime) else each for name, each in fields.items()}
