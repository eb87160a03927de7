"""A page that is open while a worker works: what happens is there within a second, by way of the broker and without it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from keystroke.clock import to_micros
from keystroke.settings import Settings
from keystroke_api.app import create_app
from support.api import NO_BROKER
from support.browser import serving
from support.projects import write_project
from support.worker_fleet import PATIENCE, WorkerFleet

pytestmark = pytest.mark.timeout(180)
#: Seconds from what happens to its place in the page, in the middle of all that happens.
_USUALLY = 1.0
_TELLING = {
    "workflows/telling.py": """
        import time

        from keystroke import action, workflow


        @action
        def say(number: int) -> None:
            print(f"line {number} at={time.time()}")
            time.sleep(0.25)


        @workflow("telling")
        def telling(count: int) -> None:
            for number in range(count):
                say(number)
    """
}
# Notes when each line of the log, and each step that has ended, is in the page for the first time. Seconds since 1970.
_NOTING = """() => {
    window.seen = {};
    const look = () => {
        const lines = [...document.querySelectorAll("#logs .body")].map((each) => each.textContent);
        const steps = [...document.querySelectorAll(".steps > li")]
            .filter((each) => each.querySelector(".unseen").textContent === "success")
            .map((each) => each.querySelector(".step-name").textContent);
        for (const each of [...lines, ...steps]) window.seen[each] ??= Date.now() / 1000;
    };
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
    look();
}"""


@pytest.fixture(params=["with the broker", "without the broker"])
def api_settings(request: pytest.FixtureRequest, worker_fleet: WorkerFleet) -> Settings:
    """Settings of an API that hears the workers, and of one that does not."""
    broker_url = worker_fleet.settings.broker_url if request.param == "with the broker" else NO_BROKER
    return replace(worker_fleet.settings, broker_url=broker_url)


@pytest.fixture
def url(api_settings: Settings) -> Iterator[str]:
    with serving(create_app(api_settings)) as url:
        yield url


def seen(page: Page) -> dict[str, float]:
    """When what is in the page came there; what was there when it was opened is left out."""
    found: dict[str, float] = page.evaluate("window.seen")
    return found


def test_lines_and_steps_are_in_an_open_page_within_a_second(
    worker_fleet: WorkerFleet, url: str, context: BrowserContext
) -> None:
    write_project(worker_fleet.directory, _TELLING)
    worker_fleet.start_worker()
    trace, overview = context.new_page(), context.new_page()
    run_id = worker_fleet.start("telling", 14)
    for page, query in ((trace, "?tab=trace"), (overview, "")):
        page.goto(f"{url}/history/{run_id}{query}")
        page.evaluate(_NOTING)
    opened = time.time()
    for page in (trace, overview):
        expect(page.locator("#run-head")).to_contain_text("Success", timeout=PATIENCE * 1000)
    happened = {line: float(line.partition("at=")[2]) for line in seen(trace)}
    ended = {step.identity: (to_micros(step.finished_at) or 0) / 1e6 for step in worker_fleet.steps(run_id)}
    for page, times in ((trace, happened), (overview, ended)):
        delays = [at - times[name] for name, at in seen(page).items() if times[name] > opened]
        assert len(delays) > 3
        assert statistics.median(delays) < _USUALLY, delays
