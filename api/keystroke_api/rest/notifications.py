"""Notifications: what the installation has told the outside, or tries to."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from keystroke.clock import rfc3339
from keystroke.domain.notification import Notification, NotificationKind, NotificationStatus
from keystroke.operations.api_keys import Principal
from keystroke.store import notifications
from keystroke_api.answers import json_answer, part_of
from keystroke_api.auth import Role
from keystroke_api.operation import Answer, operation
from keystroke_api.rest.documents import Cursor, Time
from keystroke_api.rest.texts import API, Text
from keystroke_api.services import services

_PREFIX = "ntf_"
NotificationCursor = Annotated[str, StringConstraints(pattern=r"^[0-9a-hjkmnp-tv-z]{26}$")]


class NotificationDocument(BaseModel):
    """A notification, and how sending it went."""

    id: str = Field(description="Its `webhook-id`, the same at each try.")
    type: NotificationKind
    project: str
    trigger_id: str | None
    run_id: str | None
    status: NotificationStatus = Field(
        description="`pending` until it is accepted (`sent`) or given up (`failed`)."
    )
    attempts: int = Field(description="Tries that have begun.")
    created_at: Time
    next_attempt_at: Time | None
    sent_at: Time | None
    last_status: int | None = Field(description="HTTP status of the last answer.")
    last_error: str | None
    body: dict[str, Any] = Field(description="What is posted: `{type, timestamp, data}`.")


class NotificationList(BaseModel):
    """Part of the list, newest first."""

    data: list[NotificationDocument]
    next_cursor: Cursor
    has_more: bool


class NotificationsQuery(BaseModel):
    """Which notifications. Values of one filter are alternatives."""

    model_config = ConfigDict(extra="forbid")

    status: tuple[NotificationStatus, ...] = Field(default=(), description="Those that are so.")
    type: tuple[NotificationKind, ...] = Field(default=(), description="Those of this type.")
    project: tuple[Text, ...] = Field(default=(), description="Those of this project.")
    limit: int = Field(default=50, ge=1, le=200, description="Notifications in one answer.")
    cursor: NotificationCursor | None = Field(
        default=None, description="`next_cursor` of the answer before; opaque."
    )

    @property
    def filters(self) -> dict[str, list[str]]:
        """What was asked for, by the names that the store knows."""
        named = {"status": self.status, "kind": self.type, "project": self.project}
        return {name: list(values) for name, values in named.items() if values}


@operation(
    "GET", f"{API}/notifications", role=Role.VIEWER, answers={200: Answer("Part of the list.", NotificationList)}
)  # fmt: skip
def list_notifications(caller: Principal, query: NotificationsQuery) -> Response:
    """What was told to the address in `notify_url`, newest first; those that are over stay listed for 30 days."""
    before = None if query.cursor is None else _PREFIX + query.cursor
    with services().database.read() as tx:
        found = notifications.list_notifications(caller.scope, tx, query.filters, before, query.limit + 1)
    shown, further = part_of(found, query.limit, lambda told: told.id.removeprefix(_PREFIX))
    return json_answer({"data": [_notification_json(each) for each in shown], **further})


def _notification_json(told: Notification) -> dict[str, Any]:
    return {
        "id": told.id, "type": told.kind, "project": told.project, "trigger_id": told.source_id, "run_id": told.run_id,
        "status": told.status, "attempts": told.attempts, "created_at": rfc3339(told.created_at),
        "next_attempt_at": rfc3339(told.due_at), "sent_at": rfc3339(told.sent_at), "last_status": told.last_status,
        "last_error": told.last_error, "body": told.body,
    }  # fmt: skip
