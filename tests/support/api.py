"""The API in the test's own process, asked through werkzeug's client; over a real database."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from keystroke.operations.api_keys import Role, create_api_key
from support.starts import Stage

if TYPE_CHECKING:  # the app takes its time to import, which tests of other parts need not wait for
    from flask import Flask
    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

    from keystroke_api.services import Services

#: Where no broker answers: starts are accepted all the same.
NO_BROKER = "redis://127.0.0.1:1/0"
RUNS = "/api/v1/projects/demo/workflows/greet/runs"


@dataclass
class Api:
    """The app on a stage, and a client of it on this machine."""

    app: Flask
    client: FlaskClient
    stage: Stage

    @property
    def services(self) -> Services:
        """What the app stands on."""
        from keystroke_api.services import services_of

        return services_of(self.app)

    def get(self, path: str, **options: Any) -> TestResponse:
        """GET `/api/v1` + path."""
        return self.client.get(f"/api/v1{path}", **options)

    def post(self, path: str, **options: Any) -> TestResponse:
        """POST to `/api/v1` + path."""
        return self.client.post(f"/api/v1{path}", **options)

    def start(self, **headers: str) -> TestResponse:
        """Start a run of `greet`."""
        return self.client.post(RUNS, json={"input": {"name": "Ada"}}, headers=headers)

    def ids(self, query: str) -> list[str]:
        """The ids of the runs that the list gives for a query."""
        answer = self.get(f"/runs?{query}")
        assert answer.status_code == 200, answer.text
        document: Any = answer.json
        return [run["id"] for run in document["data"]]

    def key(
        self, role: Role = "admin", *, project: str | None = None, organization: str = "default"
    ) -> dict[str, str]:
        """The headers of a new API key."""
        made = create_api_key(self.stage.database, organization, f"{role} of a test", role, project, None)
        return {"Authorization": f"Bearer {made.key}"}


def assert_problem(answer: TestResponse, status: int, code: str | None = None) -> dict[str, Any]:
    """The answer is a problem document of this status (and code), complete, and tells no internals."""
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/problem+json"
    document: Any = answer.json
    assert set(document) == {"type", "title", "status", "detail", "errors", "request_id"}
    assert document["status"] == status
    assert document["request_id"] == answer.headers["X-Request-Id"]
    assert "Traceback" not in answer.text
    if code is not None:
        assert document["type"] == f"urn:keystroke:problem:{code}"
    found: dict[str, Any] = document
    return found


def open_api(stage: Stage, **changes: Any) -> Api:
    """The app on a stage, with changed settings; its services are the caller's to close."""
    from keystroke_api.app import create_app

    app = create_app(replace(stage.settings, **{"broker_url": NO_BROKER, **changes}))
    return Api(app, app.test_client(), stage)


@pytest.fixture
def api_url(api: Api) -> Iterator[str]:
    """The address of a server of the app, for what speaks HTTP itself."""
    from werkzeug.serving import make_server

    server = make_server("127.0.0.1", 0, api.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def api(stage: Stage) -> Iterator[Api]:
    """The app on a stage with the workflow `greet`, on each database."""
    opened = open_api(stage)
    yield opened
    opened.services.close()
