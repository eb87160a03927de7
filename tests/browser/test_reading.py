"""What people look at: lists in pages and views, payloads in both notations, logs by level, and what cannot be found."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from playwright.sync_api import Page, expect

from keystroke.domain.outcome import Completed
from keystroke.domain.states import Status
from support.browser import Tab
from support.showcase import NASTY, deep

_UNKNOWN = "run_01kasjb2vzf0btnyfp0a4dd6pb"
_ROWS = "#runs tbody tr"


def test_the_list_goes_on_by_pages_and_back_to_the_newest(tab: Tab) -> None:
    ids = [tab.site.api.stage.start().run_id for _ in range(5)][::-1]
    page = tab.go("/history?limit=2")
    for shown in (ids[:2], ids[2:4], ids[4:]):
        expect(page.locator(_ROWS)).to_have_count(len(shown))
        assert [row.get_attribute("id") for row in page.locator(_ROWS).all()] == shown
        if shown[-1] != ids[-1]:
            page.get_by_role("link", name="Older").click()
            expect(page.locator(_ROWS).first).not_to_have_attribute("id", shown[0])
    expect(page.get_by_role("link", name="Older")).to_have_count(0)
    page.get_by_role("link", name="Newest").click()
    expect(page.locator(_ROWS).first).to_have_attribute("id", ids[0])


def test_the_views_are_a_click_away(tab: Tab) -> None:
    ids = tab.site.showcase.fill()
    page = tab.go("/history")
    views = page.get_by_role("navigation", name="Views")
    for name, shown in (("Failed", ids["charged"]), ("Running", ids["running"])):
        views.get_by_role("link", name=name).click()
        expect(views.locator("[aria-current]")).to_have_text(name)
        expect(page.locator(_ROWS)).to_have_count(1)
        expect(page.locator(_ROWS)).to_have_attribute("id", shown)
    views.get_by_role("link", name="All runs").click()
    expect(page.locator(_ROWS)).to_have_count(9)


def test_columns_are_chosen_and_remembered(tab: Tab) -> None:
    tab.site.showcase.fill()
    page = tab.go("/history")
    page.locator(".menu summary", has_text="Columns").click()
    page.get_by_role("checkbox", name="Tags").check()
    page.get_by_role("button", name="Apply").locator("visible=true").click()
    expect(page.locator("#runs thead")).to_contain_text("Tags")
    tab.go("/history")
    expect(page.locator("#runs thead")).to_contain_text("Tags")


def test_a_run_is_canceled_from_its_page_and_from_the_panel(tab: Tab) -> None:
    stage = tab.site.api.stage
    for path in ("/history/{}", "/history?run={}"):
        run_id = tab.site.showcase.queued()
        page = tab.go(path.format(run_id))
        place = page.locator("#panel" if "?" in path else "main")
        place.locator("#run-head").get_by_role("button", name="Cancel").click()
        expect(page.get_by_text("Canceled.", exact=True)).to_be_visible()
        expect(place.locator("#run-head")).to_contain_text("Canceled")
        assert stage.run(run_id).status is Status.CANCELED


def test_a_payload_is_read_as_json_and_as_yaml(tab: Tab) -> None:
    run_id = tab.site.showcase.greeted(output={"words": ["a", "b"], "big": 9_223_372_036_854_775_807})
    page = tab.go(f"/history/{run_id}")
    output = page.locator("#output")
    expect(output).to_contain_text('"big": 9223372036854775807')
    page.get_by_role("link", name="Output as YAML").click()
    expect(page).to_have_url(re.compile("view=yaml#output$"))
    assert yaml.safe_load(output.locator("pre").inner_text()) == {
        "big": 9_223_372_036_854_775_807,
        "words": ["a", "b"],
    }
    page.get_by_role("link", name="Output as JSON").click()
    expect(output).to_contain_text('"big": 9223372036854775807')


def downloaded(page: Page, link: str, directory: Path) -> str:
    """The text of a file that a link gives."""
    with page.expect_download() as download:
        page.get_by_role("link", name=link).click()
    path = directory / download.value.suggested_filename
    download.value.save_as(path)
    return path.read_text(encoding="utf-8")


def test_hard_payloads_are_shown_in_part_and_downloaded_as_they_are(tab: Tab, tmp_path: Path) -> None:
    value: Any = {**NASTY, "megabyte": "é" * 400_000, "deep": deep(60)}
    del value["password"]  # what is secret is shown to nobody
    stage = tab.site.api.stage
    lease = stage.start_and_claim("charge-card", value={})
    stage.finish(lease, Completed(value))
    page = tab.go(f"/history/{lease.run_id}")
    shown = page.locator("#output").inner_text()
    for text in ("<script>alert(1)</script>", "👩‍👩‍👧", "9223372036854775807", "{{ 7 * 7 }}", r"\u202e"):
        assert text in shown
    assert len(shown) < 100_000
    assert page.locator("main script, main img").count() == 0
    assert json.loads(downloaded(page, "Download Output", tmp_path)) == value
    page.get_by_role("link", name="Output as YAML").click()
    expect(page.locator("#output pre")).to_contain_text("emoji: ")
    assert yaml.safe_load(downloaded(page, "Download Output", tmp_path)) == value


def test_logs_are_filtered_by_level_step_and_text(tab: Tab) -> None:
    run_id = tab.site.showcase.declined()
    page = tab.go(f"/history/{run_id}?tab=trace")
    lines = page.locator("#logs li")
    expect(lines).to_have_count(2)
    page.get_by_label("Text in the log").fill("bank")
    page.get_by_role("button", name="Filter").click()
    expect(lines).to_have_count(1)
    expect(lines).to_contain_text("The bank said no")
    page.get_by_label("Text in the log").fill("")
    page.get_by_label("Level").select_option("ERROR")
    page.get_by_label("Step").select_option("charge#0")
    page.get_by_role("button", name="Filter").click()
    expect(lines).to_have_count(2)


def test_a_span_opens_and_shows_what_it_knows(tab: Tab) -> None:
    page = tab.go(f"/history/{tab.site.showcase.signed_up()}?tab=trace")
    page.locator(".span summary", has_text="GET example.com").click()
    expect(page.locator(".span[open] .span-body")).to_contain_text("http.response.status_code")


def test_the_reference_leads_to_every_route_and_schema(tab: Tab) -> None:
    page = tab.go("/docs")
    page.locator(".contents").get_by_role("link", name="Cancel run").click()
    expect(page.get_by_role("heading", name="Cancel run")).to_be_in_viewport()
    links = page.evaluate(
        "[...document.querySelectorAll('main a[href^=\"#\"]')].map((each) => each.hash.slice(1))"
    )
    assert links
    assert page.evaluate("(ids) => ids.filter((id) => !document.getElementById(id))", links) == []


@pytest.mark.parametrize("path", [f"/history/{_UNKNOWN}", "/history/nonsense", f"/history?run={_UNKNOWN}"])
def test_a_run_that_is_not_there_is_said_in_friendly_words(tab: Tab, path: str) -> None:
    page = tab.go(path)
    expect(page.get_by_role("heading", level=1)).to_have_text("There is nothing at this address.")
    expect(page.locator("main")).to_contain_text("There is no run")
    page.locator("main").get_by_role("link", name="History").click()
    expect(page).to_have_url(re.compile("/history$"))
    [said] = tab.wrong
    assert "404" in said
    tab.wrong.clear()
