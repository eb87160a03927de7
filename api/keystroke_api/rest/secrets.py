"""Secrets of a project: which there are and since when. Their values go in and never come out."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from flask import Response
from pydantic import BaseModel, ConfigDict, Field

from keystroke.clock import rfc3339
from keystroke.operations.api_keys import Principal
from keystroke.operations.delete_secret import delete_secret as delete
from keystroke.operations.put_secret import GRACE, LONGEST_GRACE
from keystroke.operations.put_secret import put_secret as put
from keystroke.store import secrets
from keystroke.store.secrets import Secret
from keystroke_api.answers import json_answer
from keystroke_api.auth import Role
from keystroke_api.operation import Answer, operation
from keystroke_api.rest.documents import Time
from keystroke_api.rest.texts import API
from keystroke_api.rest.workflows import find_project
from keystroke_api.services import services

_SECOND = timedelta(seconds=1)


class SecretDocument(BaseModel):
    """A secret, without its value."""

    name: str
    created_at: Time
    updated_at: Time = Field(description="Since when its value is good.")
    previous_until: Time | None = Field(description="Until when the value before this one is good, too.")
    set_by: str = Field(description="Name of who set it.")


class SecretList(BaseModel):
    """The secrets, by name."""

    data: list[SecretDocument]


class SecretValue(BaseModel):
    """A value to keep."""

    model_config = ConfigDict(extra="forbid")

    value: Annotated[str, Field(description="Printable text, no blanks around it.")]
    grace: Annotated[
        int,
        Field(
            ge=0, le=LONGEST_GRACE // _SECOND,
            description="Seconds for which the value before this one stays good; 0: it ends at once.",
        ),
    ] = GRACE // _SECOND  # fmt: skip


@operation(
    "GET", f"{API}/projects/<project>/secrets", role=Role.ADMIN, problems=(404,),
    answers={200: Answer("The secrets.", SecretList)},
)  # fmt: skip
def list_secrets(caller: Principal, project: str) -> Response:
    """The secrets that webhooks of a project name as `operator:NAME`."""
    found = find_project(caller, project)
    with services().database.read() as tx:
        listed = secrets.list_secrets(caller.scope, tx, found)
    return json_answer({"data": [_secret_json(each) for each in listed]})


@operation(
    "PUT", f"{API}/projects/<project>/secrets/<name>", role=Role.ADMIN, problems=(404,),
    answers={200: Answer("It is kept, encrypted.", SecretDocument)},
)  # fmt: skip
def put_secret(caller: Principal, project: str, name: str, body: SecretValue) -> Response:
    """Set a secret, or give it a new value; the one before stays good for a while, so that the sender can change over."""
    own, found = services(), find_project(caller, project)
    grace = body.grace * _SECOND
    secret = put(own.database, caller.actor, found, name, body.value, own.box, grace)
    own.secrets.forget(found.id, name)
    return json_answer(_secret_json(secret))


@operation(
    "DELETE", f"{API}/projects/<project>/secrets/<name>", role=Role.ADMIN, problems=(404,),
    answers={204: Answer("It is gone; what is signed with it is refused.")},
)  # fmt: skip
def delete_secret(caller: Principal, project: str, name: str) -> Response:
    """Delete a secret with the value before it."""
    own, found = services(), find_project(caller, project)
    delete(own.database, caller.actor, found, name)
    own.secrets.forget(found.id, name)
    return Response(status=204)


def _secret_json(secret: Secret) -> dict[str, Any]:
    return {
        "name": secret.name, "created_at": rfc3339(secret.created_at), "updated_at": rfc3339(secret.updated_at),
        "previous_until": rfc3339(secret.previous_until), "set_by": secret.set_by,
    }  # fmt: skip
