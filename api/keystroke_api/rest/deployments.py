"""Deployments: the code versions of a project. Publish one, list them, make one current; a run's record to rehearse with."""

from __future__ import annotations

import re
from typing import Any, Final

from flask import Response
from pydantic import BaseModel, Field

from keystroke.clock import rfc3339
from keystroke.domain.states import Status
from keystroke.domain.step import StepKind, StepStatus
from keystroke.errors import ProjectNotFound
from keystroke.operations.api_keys import Principal
from keystroke.operations.publish_deployment import activate_deployment as activate
from keystroke.operations.publish_deployment import publish_for
from keystroke.operations.read_recorded_run import read_recorded_run
from keystroke.store import access, deployments
from keystroke.store.deployments import Deployment
from keystroke_api.answers import json_answer
from keystroke_api.auth import Role
from keystroke_api.operation import Answer, operation
from keystroke_api.rest.documents import Time
from keystroke_api.rest.manifests import DeploymentBody
from keystroke_api.rest.reading import whole_run_id
from keystroke_api.rest.texts import API
from keystroke_api.services import services

_SLUG: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*\Z")
_LONGEST_SLUG: Final = 200
_MOST: Final = 200
#: Payloads that a manifest may be as large as: it holds two schemas for each workflow.
_PAYLOADS: Final = 8


class DeploymentDocument(BaseModel):
    """A code version that was published."""

    id: str
    digest: str = Field(description="SHA-256 of the project's code.")
    git_commit: str | None
    workflows: list[str]
    published_at: Time
    activated_at: Time | None = Field(description="When it last became current.")
    current: bool
    active_runs: int = Field(description="Runs that have started on it and have not ended.")
    workers: int = Field(description="Workers alive that have this code.")


class DeploymentList(BaseModel):
    """The newest 200 deployments, newest first."""

    data: list[DeploymentDocument]


class RecordedTry(BaseModel):
    """A try that failed and was made again."""

    number: int
    error: dict[str, Any]
    started_at: Time
    finished_at: Time


class RecordedStep(BaseModel):
    """A step as it is recorded."""

    identity: str
    key: str
    name: str
    kind: StepKind
    status: StepStatus
    attempt: int
    digest: str
    input: Any
    output: Any
    error: dict[str, Any] | None
    child_run_id: str | None
    copied_from: str | None
    started_at: Time
    finished_at: Time | None
    due_at: Time | None
    now: Time | None
    event: int = Field(description="The number of its latest change among the events of its run.")
    tries: list[RecordedTry]


class Journal(BaseModel):
    """A run as it is recorded, to be executed again elsewhere up to where it stands."""

    id: str
    workflow: str
    status: Status
    attempt: int
    input: Any
    admitted: bool
    seed: str
    tags: dict[str, str]
    deployment: str | None
    steps: list[RecordedStep]


@operation(
    "GET", f"{API}/projects/<project>/deployments", role=Role.VIEWER, problems=(404,),
    answers={200: Answer("The deployments.", DeploymentList)},
)  # fmt: skip
def list_deployments(caller: Principal, project: str) -> Response:
    """The code versions of the project, newest first, and how many runs go on with each."""
    with services().database.read() as tx:
        found = access.get_project(caller.scope, tx, project)
        listed = deployments.list_deployments(caller.scope, tx, found, _MOST)
    return json_answer({"data": [_document(each) for each in listed]})


@operation(
    "POST", f"{API}/projects/<project>/deployments", role=Role.ADMIN, problems=(404,), payloads=_PAYLOADS,
    answers={200: Answer("It was published before.", DeploymentDocument), 201: Answer("Published.", DeploymentDocument)},
)  # fmt: skip
def publish_deployment(caller: Principal, project: str, body: DeploymentBody) -> Response:
    """Publish a code version, idempotent by its digest.

    A new one becomes current at once, one that was published before stays as it is. The project is made where it does not
    exist yet and the key is for all projects.
    """
    if not _SLUG.match(project) or len(project) > _LONGEST_SLUG:
        raise ProjectNotFound(project=project)
    own = services()
    published, new = publish_for(own.database, caller.scope, caller.actor, body.manifest(project))
    return json_answer(_document(published), 201 if new else 200)


@operation(
    "POST", f"{API}/projects/<project>/deployments/<deployment>/activate", role=Role.ADMIN, problems=(404,),
    answers={200: Answer("It is current.", DeploymentDocument)},
)  # fmt: skip
def activate_deployment(caller: Principal, project: str, deployment: str) -> Response:
    """Make a published code version current, also an older one; harmless where it is.

    Runs that have started stay with workers of their own version while one is alive.
    """
    return json_answer(
        _document(activate(services().database, caller.scope, caller.actor, project, deployment))
    )


@operation(
    "GET", f"{API}/runs/<run_id>/journal", role=Role.ADMIN, problems=(404,),
    answers={200: Answer("The recorded run.", Journal)},
)  # fmt: skip
def get_run_journal(caller: Principal, run_id: str) -> Response:
    """A run's recorded input and steps, nothing redacted: what `keystroke deploy --check` executes again.

    Values typed as secrets stay encrypted; who reads this is in the audit log.
    """
    own = services()
    with own.database.read() as tx:
        found = whole_run_id(caller.scope, tx, run_id)
    return json_answer(read_recorded_run(own.database, caller.scope, caller.actor, found).as_json())


def _document(deployment: Deployment) -> dict[str, Any]:
    return {
        "id": deployment.id, "digest": deployment.digest, "git_commit": deployment.git_commit,
        "workflows": list(deployment.workflows), "published_at": rfc3339(deployment.published_at),
        "activated_at": rfc3339(deployment.activated_at), "current": deployment.current,
        "active_runs": deployment.active_runs, "workers": deployment.workers,
    }  # fmt: skip
