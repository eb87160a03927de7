"""Replaying in a real browser: by a button, from a step, with the input edited; and how waits and relatives look."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from keystroke.store import history
from support.browser import Tab
from support.family import failed_family, waiting_run
from support.surroundings import NO_SCRIPTS, PHONE, WIDE, flaws

_RUN = re.compile(r"/history/run_\w{26}$")


def identities(tab: Tab, page: Page) -> list[str]:
    stage = tab.site.api.stage
    with stage.database.read() as tx:
        return [step.identity for step in history.list_steps(stage.scope, tx, page.url.rpartition("/")[2])]


def test_replay_and_replay_from_a_step(tab: Tab) -> None:
    source = failed_family(tab.site.api.stage)["parent"]
    page = tab.go(f"/history/{source}")
    page.get_by_role("button", name="Replay", exact=True).dblclick()
    expect(page.get_by_text(f"This is a replay of {source}.")).to_be_visible()
    assert identities(tab, page) == []
    page = tab.go(f"/history/{source}")
    page.get_by_role("button", name="Replay from mail#0").first.click()
    expect(page.get_by_text("the steps before it are copies")).to_be_visible()
    assert identities(tab, page)[-1] == "run:charge-card#0"
    expect(page.get_by_role("link", name=re.compile("Signup pipeline")).first).to_be_visible()
    page = tab.go(f"/history?run={source}")
    page.locator(".steps summary", has_text="sleep#0").click()
    page.get_by_role("button", name="Replay from sleep#0").click()
    expect(page).to_have_url(_RUN)
    assert identities(tab, page) == ["research#0"]
    assert len(tab.site.api.ids(f"trigger=replay:{source}")) == 4


@pytest.mark.parametrize("context", [WIDE, NO_SCRIPTS], indirect=True, ids=["scripts", "no-scripts"])
def test_the_input_is_edited_and_replayed(tab: Tab) -> None:
    stage = tab.site.api.stage
    source = failed_family(stage)["parent"]
    page = tab.go(f"/history/{source}")
    page.get_by_role("link", name="Edit and replay", exact=True).click()
    expect(page.get_by_label("Start from")).to_have_value("mail#0")
    expect(page.get_by_label("Name")).to_have_value("Grace Hopper")
    expect(page.get_by_label("Password")).to_have_value("")
    page.get_by_label("Name").fill("Ada Lovelace")
    page.get_by_label("Start from").select_option("")
    page.get_by_role("button", name="Replay").click()
    expect(page).to_have_url(_RUN)
    assert identities(tab, page) == []
    recorded = stage.run(source).input
    edited = stage.run(page.url.rpartition("/")[2]).input
    assert edited == {**recorded, "name": "Ada Lovelace"}
    page = tab.go(f"/history/{source}/replay?input=json")
    written = page.get_by_label("Input as JSON")
    written.fill(written.input_value().replace("Grace Hopper", "Bob"))
    page.get_by_role("button", name="Replay").click()
    expect(page).to_have_url(_RUN)
    assert stage.run(page.url.rpartition("/")[2]).input == {**recorded, "name": "Bob"}


def looked_at(tab: Tab) -> tuple[str, ...]:
    """The pages about replays, waits and relatives."""
    source, waiting = failed_family(tab.site.api.stage)["parent"], waiting_run(tab.site.api.stage)
    return (
        f"/history/{source}", f"/history/{waiting}", f"/history/{waiting}?tab=trace",
        f"/history/{source}/replay?from_step=mail%230",
    )  # fmt: skip


@pytest.mark.parametrize("context", [WIDE, PHONE], indirect=True, ids=["wide", "phone"])
def test_no_barriers_no_errors_and_nothing_too_wide(tab: Tab) -> None:
    found = {}
    for path in looked_at(tab):
        page = tab.go(path)
        for summary in page.locator(".steps > li > details > summary").all():
            summary.click()
        if lines := flaws(tab):
            found[path] = lines
    assert found == {}


def test_the_button_in_hand_stays_in_hand_while_the_page_follows_its_run(tab: Tab) -> None:
    from keystroke.operations.record_progress import record_progress

    stage = tab.site.api.stage
    lease = stage.start_and_claim()
    page = tab.go(f"/history/{lease.run_id}")
    button = page.get_by_role("button", name="Replay", exact=True)
    button.focus()
    record_progress(stage.database, lease, 0.5, "half of it")
    expect(page.locator("#run-head")).to_contain_text("half of it")
    expect(button).to_be_focused()
