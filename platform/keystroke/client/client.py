"""`Client`: what a program asks a Keystroke server to do. Answers are the JSON of the HTTP API, as dicts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any
from urllib.parse import quote

from keystroke.client.connection import Connection, Params
from keystroke.client.events import Event
from keystroke.client.triggers import Triggers
from keystroke.domain.secrets import HOOK_MARK
from keystroke.errors import AmbiguousRunId, RunNotFound

Answer = dict[str, Any]
_LARGEST_PAGE = 200
#: Deliveries that one request replays, so that its answer comes in time.
_MOST_REPLAYED = 100
_RUN_ID_LENGTH = len("run_") + 26


class Client:
    """Talks to the server at `base_url` (scheme, host, port). Safe to use from one thread at a time; a context manager.

    Every method raises `ServerUnreachable` when nothing answers and `RequestRefused` when the server says no.
    """

    def __init__(
        self, base_url: str, api_key: str | None = None, *, name: str = "python", timeout: float = 30.0
    ):
        """`name` is how the program names itself (`cli` makes a run's trigger read so); `timeout` is in seconds."""
        self.base_url = base_url.rstrip("/")
        self._connection = Connection(self.base_url, api_key, name, timeout)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()

    def list_workflows(self, project: str) -> list[Answer]:
        """The definitions of a project, with last run and success rate."""
        return _rows(self._connection.get(f"/projects/{quote(project, safe='')}/workflows"))

    def get_workflow(self, project: str, slug: str) -> Answer:
        """One definition, with its JSON Schemas."""
        return _object(self._connection.get(_workflow_path(project, slug)))

    def triggers(self, project: str) -> Triggers:
        """The triggers of a project."""
        return Triggers(self._connection, project)

    def list_projects(self) -> list[Answer]:
        """The projects that the key may see."""
        return _rows(self._connection.get("/projects"))

    def list_deployments(self, project: str) -> list[Answer]:
        """The code versions of a project, newest first, with how many runs go on with each."""
        return _rows(self._connection.get(f"/projects/{quote(project, safe='')}/deployments"))

    def publish_deployment(self, project: str, manifest: Mapping[str, Any]) -> Answer:
        """Publish a code version, `{organization, digest, git_commit, workflows, sources}`; a new digest is current at once."""
        return _object(
            self._connection.post(f"/projects/{quote(project, safe='')}/deployments", dict(manifest))
        )

    def activate_deployment(self, project: str, deployment: str) -> Answer:
        """Make a published code version current."""
        path = f"/projects/{quote(project, safe='')}/deployments/{quote(deployment, safe='')}/activate"
        return _object(self._connection.post(path, {}))

    def get_journal(self, run_id: str) -> Answer:
        """A run as it is recorded, nothing redacted (`domain.recorded_run` reads it); for keys of administrators."""
        return _object(self._connection.get(f"/runs/{quote(run_id, safe='')}/journal"))

    def start_run(
        self,
        project: str,
        workflow: str,
        input: Any = None,
        *,
        tags: Mapping[str, str] | None = None,
        priority: int | None = None,
        run_at: str | None = None,
        idempotency_key: str | None = None,
    ) -> Answer:
        """Start a run; gives `{run_id, status, url}` once it is recorded. `run_at` is RFC 3339."""
        options = {"tags": dict(tags) if tags else None, "priority": priority, "run_at": run_at}
        body = {"input": input} | {name: value for name, value in options.items() if value is not None}
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        return _object(self._connection.post(f"{_workflow_path(project, workflow)}/runs", body, headers))

    def get_run(self, run_id: str, *, include: Sequence[str] = ()) -> Answer:
        """One run; `include` adds trigger, steps, trace, attempts, timeline."""
        params = {"include": ",".join(include)} if include else {}
        return _object(self._connection.get(f"/runs/{quote(run_id, safe='')}", params))

    def list_page(self, filters: Params, *, limit: int, cursor: str | None = None) -> Answer:
        """One page of runs, newest first: `{data, next_cursor, has_more}`; `limit` is up to 200."""
        paging: Params = {"limit": str(limit)} | ({"cursor": cursor} if cursor else {})
        return _object(self._connection.get("/runs", {**filters, **paging}))

    def list_runs(self, filters: Params, *, limit: int, cursor: str | None = None) -> Answer:
        """Up to `limit` runs in the shape of one page, however many pages they take."""
        runs: list[Answer] = []
        for page in self._pages(filters, limit, cursor):
            runs += page["data"]
        return {"data": runs, "next_cursor": page["next_cursor"], "has_more": page["has_more"]}

    def _pages(self, filters: Params, limit: int, cursor: str | None) -> Iterator[Answer]:
        missing = limit
        while True:
            page = self.list_page(filters, limit=min(missing, _LARGEST_PAGE), cursor=cursor)
            yield page
            missing -= len(page["data"])
            cursor = page["next_cursor"]
            if missing <= 0 or not page["has_more"] or not cursor:
                return

    def list_logs(self, run_id: str) -> Iterator[Answer]:
        """All log lines of a run, oldest first: `{time, severity, body, logger, span_id, step}`."""
        cursor: Params = {}
        while True:
            page = _object(
                self._connection.get(f"/runs/{quote(run_id, safe='')}/logs", {"limit": "1000", **cursor})
            )
            yield from page["data"]
            if not page["has_more"]:
                return
            cursor = {"cursor": page["next_cursor"]}

    def follow_run(self, run_id: str, position: str | None = None) -> Iterator[Event]:
        """What becomes of a run, from its beginning or from behind `position`: events until `end`.

        The server ends a stream after some minutes: the iteration stops then, to be taken up at the last position.
        """
        return self._connection.events(f"/runs/{quote(run_id, safe='')}/events", position)

    def cancel_run(self, run_id: str) -> Answer:
        """Ask for the end of a run; a run that has ended is a `RequestRefused` with status 409."""
        return _object(self._connection.post(f"/runs/{quote(run_id, safe='')}/cancel", {}))

    def replay_run(self, run_id: str, *, from_step: str | None = None, **options: Any) -> Answer:
        """Start a replay; gives `{run_id, status, url}`. Options: `input` (another one), `idempotency_key`.

        `from_step` is a step's identity, or `failed` for the first one that failed.
        """
        key = options.pop("idempotency_key", None)
        body = options | ({} if from_step is None else {"from_step": from_step})
        headers = {"Idempotency-Key": key} if key else {}
        return _object(self._connection.post(f"/runs/{quote(run_id, safe='')}/replay", body, headers))

    def list_hooks(self, filters: Params, *, limit: int, cursor: str | None = None) -> Answer:
        """Up to `limit` hooks, newest first, in the shape of one page: `{data, next_cursor, has_more}`."""
        return self._gather("/hooks", filters, limit, cursor)

    def list_notifications(self, filters: Params, *, limit: int, cursor: str | None = None) -> Answer:
        """Up to `limit` notifications, newest first, in the shape of one page."""
        return self._gather("/notifications", filters, limit, cursor)

    def _gather(self, path: str, filters: Params, limit: int, cursor: str | None) -> Answer:
        """Up to `limit` rows of a list, however many pages they take: `{data, next_cursor, has_more}`."""
        rows: list[Answer] = []
        while True:
            paging: Params = {"limit": str(min(limit - len(rows), _LARGEST_PAGE))} | (
                {"cursor": cursor} if cursor else {}
            )
            page = _object(self._connection.get(path, {**filters, **paging}))
            rows += page["data"]
            cursor = page["next_cursor"]
            if len(rows) >= limit or not page["has_more"]:
                return {"data": rows, "next_cursor": cursor, "has_more": page["has_more"]}

    def answer_hook(self, hook: str, answer: Any) -> Answer:
        """Answer a hook by its id, or by its token; refused with 404, 409, 410 or 422 it is as it was."""
        if hook.startswith(HOOK_MARK):
            return _object(self._connection.post_outside(f"/hooks/{quote(hook, safe='')}", answer))
        return _object(self._connection.post(f"/hooks/{quote(hook, safe='')}/answer", answer))

    def list_queues(self, project: str) -> list[Answer]:
        """The queues of a project: paused or not, how many runs wait and how long the oldest has."""
        return _rows(self._connection.get("/queues", {"project": project}))

    def pause_queue(self, project: str, name: str) -> Answer:
        """Start no more runs of a queue."""
        return self._post_queue(project, name, "pause")

    def resume_queue(self, project: str, name: str) -> Answer:
        """Start the runs of a queue again."""
        return self._post_queue(project, name, "resume")

    def _post_queue(self, project: str, name: str, verb: str) -> Answer:
        path = f"/queues/{quote(name, safe='')}/{verb}?project={quote(project, safe='')}"
        return _object(self._connection.post(path, {}))

    def list_secrets(self, project: str) -> list[Answer]:
        """The secrets of a project: names and ages, never values."""
        return _rows(self._connection.get(f"/projects/{quote(project, safe='')}/secrets"))

    def put_secret(self, project: str, name: str, value: str, *, grace: int) -> Answer:
        """Set a secret; the value before it stays good for `grace` seconds."""
        return _object(self._connection.put(_secret_path(project, name), {"value": value, "grace": grace}))

    def delete_secret(self, project: str, name: str) -> None:
        """Delete a secret."""
        self._connection.delete(_secret_path(project, name))

    def list_workers(self) -> list[Answer]:
        """The workers, newest first, also those that ended lately."""
        return _rows(self._connection.get("/workers"))

    def drain_worker(self, worker_id: str) -> Answer:
        """Let a worker finish what it runs, and end."""
        return _object(self._connection.post(f"/workers/{quote(worker_id, safe='')}/drain", {}))

    def list_deliveries(self, filters: Params, *, limit: int, cursor: str | None = None) -> Answer:
        """Up to `limit` deliveries, newest first, in the shape of one page: `{data, next_cursor, has_more}`."""
        found: list[Answer] = []
        while True:
            paging: Params = {"limit": str(min(limit - len(found), _LARGEST_PAGE))} | (
                {"cursor": cursor} if cursor else {}
            )
            page = _object(self._connection.get("/deliveries", {**filters, **paging}))
            found += page["data"]
            cursor = page["next_cursor"]
            if len(found) >= limit or not page["has_more"]:
                return {"data": found, "next_cursor": cursor, "has_more": page["has_more"]}

    def get_delivery(self, delivery_id: str) -> Answer:
        """One delivery with headers, query and body."""
        return _object(self._connection.get(f"/deliveries/{quote(delivery_id, safe='')}"))

    def replay_delivery(self, delivery_id: str) -> Answer:
        """Take a delivery anew; gives `{replay_of, delivery_id, outcome, run_ids}`."""
        return _object(self._connection.post(f"/deliveries/{quote(delivery_id, safe='')}/replay", {}))

    def replay_deliveries(
        self, filters: Mapping[str, Any], *, dry_run: bool = False, limit: int = 100
    ) -> Answer:
        """Take up to `limit` deliveries anew that fit, oldest first: `{dry_run, data, next_cursor, has_more}`."""
        done: list[Answer] = []
        body: dict[str, Any] = {"filter": dict(filters), "dry_run": dry_run}
        while True:
            body["limit"] = min(limit - len(done), _MOST_REPLAYED)
            page = _object(self._connection.post("/deliveries/replay", body))
            done += page["data"]
            if len(done) >= limit or not page["has_more"]:
                return {**page, "data": done}
            body["cursor"] = page["next_cursor"]

    def find_run_id(self, prefix: str) -> str:
        """The whole id of the one run whose id begins so; RunNotFound, AmbiguousRunId."""
        start = prefix if prefix.startswith("run_") else f"run_{prefix}"
        if start == "run_":
            raise RunNotFound(run_id=prefix or "without an id")
        if len(start) >= _RUN_ID_LENGTH:
            return start
        found = [
            run["id"] for run in self.list_page({"q": start}, limit=2)["data"] if run["id"].startswith(start)
        ]
        if len(found) > 1:
            raise AmbiguousRunId(run_id=prefix)
        if not found:
            raise RunNotFound(run_id=prefix)
        return str(found[0])


def _workflow_path(project: str, slug: str) -> str:
    return f"/projects/{quote(project, safe='')}/workflows/{quote(slug, safe='')}"


def _secret_path(project: str, name: str) -> str:
    return f"/projects/{quote(project, safe='')}/secrets/{quote(name, safe='')}"


def _rows(answer: Any) -> list[Answer]:
    rows: list[Answer] = answer["data"] if isinstance(answer, dict) else answer
    return rows


def _object(answer: Any) -> Answer:
    result: Answer = answer
    return result
