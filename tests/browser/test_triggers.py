"""Triggers and deliveries in a real browser: every page free of barriers, every button, with scripts and without."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from keystroke.settings import Settings
from keystroke.store import Database
from keystroke.store.expiry import now
from support.browser import Site, Tab, serving
from support.pictures import LIGHT, keep_picture
from support.showcase import Showcase
from support.surroundings import NO_SCRIPTS, PHONE, WIDE, flaws
from support.triggers import Triggers, make_triggers

_HOUR = 3_600_000_000
_ERROR = json.dumps(
    {
        "type": "ValueError",
        "message": "no inbox",
        "stack": [{"path": "a.py", "line": 1, "function": "f", "code": "raise"}],
    }
)


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the webhook verifies with; without it, it is unhealthy."""
    monkeypatch.setenv("SIGNUP_SECRET", "whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0")


@pytest.fixture
def triggers(sqlite_database: Database, sqlite_settings: Settings) -> Triggers:
    """The stage of the site."""
    return make_triggers(sqlite_database, sqlite_settings)


@pytest.fixture
def site(triggers: Triggers) -> Iterator[Site]:
    """A server with a trigger of each kind."""
    with serving(triggers.api.app) as url:
        yield Site(url, triggers.api, Showcase(triggers.stage))


def _now(triggers: Triggers) -> int:
    with triggers.stage.database.read() as tx:
        return now(tx)


def _filled(triggers: Triggers) -> list[str]:
    """Events of each kind; the pages to look at."""
    outcomes = ("fired", "missed", "skipped_overlap", "error")
    for number in range(30):
        triggers.tick("hourly", number * _HOUR, outcomes[number % 4])
    tick = triggers.tick("inbox", _HOUR, "error", error=_ERROR)
    triggers.tick("inbox", 2 * _HOUR, None)
    for outcome in ("fired", "duplicate", "rejected", "unrouted", "filtered"):
        delivery = triggers.delivery("signup", outcome=outcome)
    pages = {slug: f"/triggers/{triggers.source(slug).id}" for slug in ("signup", "hourly", "inbox")}
    return [
        "/triggers", "/deliveries", f"/deliveries/{delivery}", *pages.values(), f"{pages['hourly']}?outcome=missed",
        f"{pages['inbox']}/ticks/{tick}", "/workflows/greet",
    ]  # fmt: skip


@pytest.mark.parametrize("context", [WIDE, PHONE], indirect=True, ids=["wide", "phone"])
def test_every_page_is_free_of_barriers_and_fits(tab: Tab, triggers: Triggers) -> None:
    found = {}
    for path in _filled(triggers):
        tab.go(path)
        if lines := flaws(tab):
            found[path] = lines
    assert found == {}


@pytest.mark.parametrize("context", [WIDE, NO_SCRIPTS], indirect=True, ids=["wide", "no scripts"])
def test_a_person_steers_fires_and_sends_anew(tab: Tab, triggers: Triggers) -> None:
    page = tab.go("/triggers")
    page.get_by_role("link", name="Signup").click()
    page.get_by_text("Pause").click()
    page.get_by_role("button", name="For an hour").click()
    expect(page.get_by_text("Paused by local owner.")).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    expect(page.locator(".standing")).to_contain_text("Active")
    page.get_by_role("button", name="Switch off").last.click()
    expect(page.get_by_text("Switched off").last).to_be_visible()
    page.get_by_label("name").fill("Ada")
    page.get_by_role("button", name="Dry run").click()
    expect(page.get_by_text("It would start:")).to_be_visible()
    page.get_by_role("button", name="Fire now").click()
    expect(page.get_by_role("heading", name="Delivery to signup")).to_be_visible()
    expect(page.locator(".standing")).to_contain_text("Fired")
    page.get_by_role("button", name="Send anew").click()
    expect(page.get_by_text("Sent anew from")).to_be_visible()
    page.locator("main a[href^='/history/run_']").first.click()
    expect(page.get_by_role("heading", name="Greet")).to_be_visible()
    assert [each.active for each in triggers.source("signup").attachments] == [True, False]


def test_a_schedule_is_backfilled_and_a_state_edited(tab: Tab, triggers: Triggers) -> None:
    page = tab.go(f"/triggers/{triggers.source('hourly').id}")
    page.get_by_label("From").fill("2026-11-01T00:00:00Z")
    page.get_by_label("To", exact=True).fill("2026-11-02T00:00:00Z")
    page.get_by_role("button", name="See how many").click()
    expect(page.get_by_text("It would fire for 24 times.")).to_be_visible()
    page.get_by_role("button", name="Start backfill").click()
    expect(page.get_by_text("0 of 24 times")).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped after 0 of 24 times")).to_be_visible()
    page = tab.go(f"/triggers/{triggers.source('inbox').id}")
    page.get_by_text("Edit", exact=True).click()
    page.get_by_label("State as JSON").fill('{"after": 41}')
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("group", name="State")).to_contain_text("41")


@pytest.mark.parametrize("context", [LIGHT], indirect=True)
def test_the_picture_of_the_readme(tab: Tab, triggers: Triggers) -> None:
    triggers.delivery("signup")
    triggers.tick("hourly", _now(triggers) // _HOUR * _HOUR)
    triggers.tick("inbox", _now(triggers), "filtered")
    keep_picture(tab.go("/triggers"), "triggers")
