"""The app's pages, asked for as a browser asks."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from werkzeug.test import TestResponse

from keystroke.settings import Settings
from keystroke.store import Database
from support.api import Api, open_api
from support.showcase import Showcase, showcase_stage

HTML = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.fixture
def show(database: Database, settings: Settings) -> Iterator[tuple[Api, Showcase]]:
    """The app on a stage of many workflows."""
    api = open_api(showcase_stage(database, settings))
    yield api, Showcase(api.stage)
    api.services.close()


def page(api: Api, path: str, status: int = 200, **headers: str) -> str:
    """The HTML of a page, as a browser asks for it."""
    answer = api.client.get(path, headers={**HTML, **headers})
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "text/html"
    policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<[^>]*\s(on\w+|style)\s*=", answer.text), "nothing inline"
    return answer.text


def token(text: str) -> str:
    """The token of the forms of a page."""
    found = re.search(r'name="csrf" value="([^"]+)"', text)
    assert found
    return found[1]


def post(api: Api, path: str, origin: str | None = "http://localhost", **fields: object) -> TestResponse:
    """Send a form as a page of the server does."""
    headers = {**HTML} if origin is None else {**HTML, "Origin": origin}
    return api.client.post(path, data=fields, headers=headers)
