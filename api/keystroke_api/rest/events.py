"""Streams of server-sent events: one run, and the list."""

from __future__ import annotations

from flask import Response
from pydantic import BaseModel, ConfigDict, Field

from keystroke.operations.api_keys import Principal
from keystroke.store import history
from keystroke_api.auth import Role
from keystroke_api.event_position import parse_position
from keystroke_api.operation import Answer, operation
from keystroke_api.refusals import NotReady
from keystroke_api.rest.reading import whole_run_id
from keystroke_api.rest.texts import API
from keystroke_api.services import services
from keystroke_api.streams import ListStream, RunStream, Stream

_MEDIA_TYPE = "text/event-stream"


class TooManyStreams(NotReady):
    """As many event streams as this process holds are open: look at the resource itself every few seconds."""

    code = "too-many-streams"


class EventHeaders(BaseModel):
    """Where to go on."""

    last_event_id: str | None = Field(
        default=None,
        alias="Last-Event-ID",
        max_length=100,
        description="`id` of the last event that arrived.",
    )


class FollowQuery(BaseModel):
    """Where to begin."""

    model_config = ConfigDict(extra="forbid")

    after: str | None = Field(
        default=None,
        pattern=r"^\d{1,18}(\.\d{1,18})?$",
        description="Like `Last-Event-ID`, which wins, for a first request.",
    )


@operation(
    "GET", f"{API}/runs/<run_id>/events", role=Role.VIEWER, problems=(404,),
    answers={200: Answer("Server-sent events: `status`, `step`, `progress`, `log`, then `end`.")},
)  # fmt: skip
def follow_run(caller: Principal, run_id: str, query: FollowQuery, headers: EventHeaders) -> Response:
    """What becomes of a run, from its beginning or from a position on, until it has ended."""
    with services().database.read() as tx:
        run = history.get_run(caller.scope, tx, whole_run_id(caller.scope, tx, run_id))
    return _answer(RunStream(caller.scope, run.id, parse_position(headers.last_event_id or query.after)))


@operation(
    "GET", f"{API}/events", role=Role.VIEWER,
    answers={200: Answer("Server-sent events: `runs` with ids and statuses; `reset` after a gap.")},
)  # fmt: skip
def follow_runs(caller: Principal, headers: EventHeaders) -> Response:
    """Which runs change, from now on. It does not resume: after a gap it says `reset`, and the list is to be loaded again."""
    return _answer(ListStream(caller.scope, resumed=headers.last_event_id is not None))


def _answer(stream: Stream) -> Response:
    waits = services().waits
    if not waits.follow(stream):
        raise TooManyStreams(why="too many streams")

    # Proxies that collect answers before they pass them on would make a stream of it that stands still.
    answer = Response(stream.texts(), mimetype=_MEDIA_TYPE, headers={"X-Accel-Buffering": "no"})
    answer.call_on_close(lambda: waits.unfollow(stream))
    return answer
