"""The app in a real browser: Debian's Chromium, driven by Playwright, looking at a server over a real database."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright
from werkzeug.serving import WSGIRequestHandler, make_server

from keystroke.settings import Settings
from keystroke.store import Database
from keystroke_api.app import create_app
from keystroke_api.services import services_of
from support.api import NO_BROKER, Api
from support.showcase import Showcase, showcase_stage

_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
_OPTIONS = (
    "--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
    "--disable-features=Translate,OptimizationHints,MediaRouter", "--no-first-run", "--disable-gpu",
)  # fmt: skip


class _Quiet(WSGIRequestHandler):
    """Says nothing about requests."""

    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:
        """Nothing."""


@dataclass
class Site:
    """A server with its address."""

    url: str
    api: Api
    showcase: Showcase


@dataclass
class Tab:
    """One page of the browser, and what went wrong in it."""

    page: Page
    site: Site
    wrong: list[str] = field(default_factory=list)

    def go(self, path: str) -> Page:
        """Open a page of the site."""
        self.page.goto(self.site.url + path)
        return self.page

    def note_console(self, message: ConsoleMessage) -> None:
        """Errors and warnings in the console are failures."""
        if message.type in ("error", "warning"):
            self.wrong.append(f"console: {message.text} ({message.location.get('url')})")

    def note_request(self, request: Request) -> None:
        """Nothing may be asked of anybody else."""
        if f"//{urlsplit(request.url).netloc}" not in self.site.url and not request.url.startswith("data:"):
            self.wrong.append(f"foreign request: {request.url}")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium; without it the tests are skipped on a developer's machine and fail in CI."""
    path = os.environ.get("KEYSTROKE_TEST_CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        why = (
            "no Chromium: apt-get install chromium-headless-shell, or set KEYSTROKE_TEST_CHROMIUM to its path"
        )
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=list(_OPTIONS))
        yield launched
        launched.close()


@contextmanager
def serving(app: Flask) -> Iterator[str]:
    """Serve the app on this machine, and close what it stands on in the end; gives its URL."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    server.daemon_threads = True  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    services_of(app).waits.close()
    server.shutdown()
    thread.join()
    server.server_close()
    services_of(app).close()


@pytest.fixture
def site(sqlite_database: Database, sqlite_settings: Settings) -> Iterator[Site]:
    """A server of its own for the test, with the showcase's workflows and no run yet."""
    stage = showcase_stage(sqlite_database, sqlite_settings)
    app = create_app(replace(stage.settings, broker_url=NO_BROKER))
    api = Api(app, app.test_client(), stage)
    with serving(app) as url:
        yield Site(url, api, Showcase(stage))


@pytest.fixture
def context(browser: Browser, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    """A fresh browser profile; parametrize it indirectly with the options of `new_context`."""
    made = browser.new_context(**{"timezone_id": "Europe/Berlin", **getattr(request, "param", {})})
    made.set_default_timeout(15_000)
    yield made
    made.close()


@pytest.fixture
def tab(context: BrowserContext, site: Site) -> Iterator[Tab]:
    """A page; at the end nothing may have gone wrong in it."""
    opened = Tab(context.new_page(), site)
    opened.page.on("console", opened.note_console)
    opened.page.on("pageerror", lambda error: opened.wrong.append(f"script: {error}"))
    opened.page.on("dialog", lambda dialog: opened.wrong.append(f"dialog: {dialog.message}"))
    opened.page.on("request", opened.note_request)
    yield opened
    assert opened.wrong == []
