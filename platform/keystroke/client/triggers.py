"""`Triggers`: what a program asks a server about the triggers of a project. Answers are the JSON of the HTTP API, as dicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote, urlencode

from keystroke.client.connection import Connection, Params

Answer = dict[str, Any]
_LARGEST_PAGE: Final = 200


class Triggers:
    """The triggers of one project, each named by its slug. Made by `Client.triggers`, whose errors its methods raise."""

    def __init__(self, connection: Connection, project: str) -> None:
        """Use the connection of a client."""
        self._connection = connection
        self._project = project

    def list(self, filters: Params | None = None) -> list[Answer]:
        """All of them, with how they are doing; filters: `kind`, `workflow`, `retired`."""
        rows: list[Answer] = self._connection.get("/triggers", {**(filters or {}), "project": self._project})[
            "data"
        ]
        return rows

    def get(self, slug: str) -> Answer:
        """One of them."""
        return self._get(slug, "")

    def set(self, slug: str, changes: Mapping[str, Any]) -> Answer:
        """Set `disabled`, `paused_until`, `attachments`; the trigger as it is then."""
        answer: Answer = self._connection.patch(self._path(slug, ""), dict(changes))
        return answer

    def invoke(self, slug: str, firing: Mapping[str, Any]) -> Answer:
        """Fire it by hand: `payload`, `workflow`; the delivery or the tick, of a poll without an outcome yet."""
        answer: Answer = self._connection.post(self._path(slug, "/invoke"), dict(firing))
        return answer

    def dry_run(self, slug: str, firing: Mapping[str, Any], wait: int = 0) -> Answer:
        """What firing it would start; the tick of a poll is waited for up to so many seconds."""
        headers = {"Prefer": f"wait={wait}"} if wait else {}
        answer: Answer = self._connection.post(self._path(slug, "/dry-run"), dict(firing), headers)
        return answer

    def list_events(
        self, slug: str, outcomes: Sequence[str] = (), *, limit: int, cursor: str | None = None
    ) -> Answer:
        """Up to `limit` deliveries or ticks, newest first, in the shape of one page: `{data, next_cursor, has_more}`."""
        events: list[Answer] = []
        while True:
            paging: Params = {"limit": str(min(limit - len(events), _LARGEST_PAGE))}
            page = self._get(
                slug, "/runs", {**paging, "outcome": outcomes, **({"cursor": cursor} if cursor else {})}
            )
            events += page["data"]
            cursor = page["next_cursor"]
            if len(events) >= limit or not page["has_more"]:
                return {"data": events, "next_cursor": cursor, "has_more": page["has_more"]}

    def get_event(self, slug: str, event: str) -> Answer:
        """One delivery or tick, with its trace."""
        return self._get(slug, f"/runs/{quote(event, safe='')}")

    def cancel_event(self, slug: str, event: str) -> Answer:
        """Cancel a poll's tick that is under way; the tick as it is then."""
        answer: Answer = self._connection.post(self._path(slug, f"/runs/{quote(event, safe='')}/cancel"), {})
        return answer

    def preview(self, slug: str, count: int) -> Answer:
        """The next times: `{data: [{at, local, due_at}]}`."""
        return self._get(slug, "/preview", {"count": str(count)})

    def get_state(self, slug: str) -> Answer:
        """What a poll goes on from: `{state, version, updated_at, updated_by, schema, under_way}`."""
        return self._get(slug, "/state")

    def set_state(self, slug: str, state: Any, version: str | None = None) -> Answer:
        """Have a poll go on from another state; with `version` only in place of that one, else it is refused (412)."""
        body = {"state": state} | ({} if version is None else {"version": version})
        answer: Answer = self._connection.put(self._path(slug, "/state"), body)
        return answer

    def backfill(self, slug: str, wanted: Mapping[str, Any]) -> Answer:
        """Make a backfill: `from`, `to`, `dry_run`, `reprocess`."""
        answer: Answer = self._connection.post(self._path(slug, "/backfills"), dict(wanted))
        return answer

    def get_backfill(self, backfill: str) -> Answer:
        """One backfill, with how far it is."""
        answer: Answer = self._connection.get(f"/backfills/{quote(backfill, safe='')}")
        return answer

    def cancel_backfill(self, backfill: str) -> Answer:
        """Fire for no more of its times."""
        answer: Answer = self._connection.post(f"/backfills/{quote(backfill, safe='')}/cancel", {})
        return answer

    def _get(self, slug: str, part: str, params: Params | None = None) -> Answer:
        path = f"/triggers/{quote(slug, safe='')}{part}"
        answer: Answer = self._connection.get(path, {**(params or {}), "project": self._project})
        return answer

    def _path(self, slug: str, part: str) -> str:
        return f"/triggers/{quote(slug, safe='')}{part}?{urlencode({'project': self._project})}"
