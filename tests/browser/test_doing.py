"""What people do on the pages, with the mouse and with the keyboard."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from keystroke.domain.states import Status
from support.browser import Tab


def test_the_keyboard_reaches_everything(tab: Tab) -> None:
    runs = [tab.site.showcase.greeted() for _ in range(3)][::-1]
    page = tab.go("/history")
    page.keyboard.press("/")
    expect(page.get_by_label("Search runs")).to_be_focused()
    page.keyboard.press("Escape")
    for key, at in (("j", 0), ("j", 1), ("j", 2), ("j", 2), ("k", 1)):
        page.keyboard.press(key)
        expect(page.locator("tr.at")).to_have_attribute("id", runs[at])
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"run={runs[1]}"))
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile("/history$"))


def test_menus_open_and_close_by_keyboard(tab: Tab) -> None:
    page = tab.go("/history")
    summary = page.locator(".menu summary", has_text="Status")
    summary.focus()
    page.keyboard.press("Enter")
    box = page.get_by_role("checkbox", name="Failed")
    expect(box).to_be_visible()
    page.keyboard.press("Escape")
    expect(box).to_be_hidden()
    expect(summary).to_be_focused()


def test_a_filter_becomes_a_chip_and_is_taken_away(tab: Tab) -> None:
    ids = tab.site.showcase.fill()
    page = tab.go("/history")
    page.locator(".menu summary", has_text="Status").click()
    page.get_by_role("checkbox", name="Failed").check()
    page.get_by_role("button", name="Apply").locator("visible=true").click()
    expect(page.locator("#runs tbody tr")).to_have_count(1)
    expect(page.locator("#runs tbody tr")).to_have_attribute("id", ids["charged"])
    page.get_by_role("link", name="Remove the filter Status: Failed").click()
    expect(page.locator("#runs tbody tr")).to_have_count(9)


def test_all_that_can_be_canceled_is_selected_at_once(tab: Tab) -> None:
    waiting = [tab.site.showcase.queued() for _ in range(2)]
    ended = tab.site.showcase.declined()
    page = tab.go("/history")
    button = page.get_by_role("button", name="Cancel")
    expect(button).to_be_disabled()
    page.get_by_label("Select all runs shown").check()
    expect(button).to_have_text("Cancel 2 runs")
    button.click()
    expect(page.get_by_text("Canceled 2 runs.")).to_be_visible()
    stage = tab.site.api.stage
    assert [stage.run(each).status for each in waiting] == [Status.CANCELED] * 2
    assert stage.run(ended).status is Status.FAILED


def test_light_and_dark_are_kept(tab: Tab) -> None:
    page = tab.go("/history")
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Switch between light and dark").click()
    after = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert before != after
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == after


def test_a_form_starts_one_run_however_often_its_button_is_pressed(tab: Tab) -> None:
    page = tab.go("/workflows/signup-pipeline")
    page.get_by_label("Name").fill("Ada")
    page.get_by_label("E-mail").fill("nowhere")
    page.get_by_role("button", name="Start run").click()
    expect(page.locator(".field.wrong .error")).to_have_count(1)
    assert ["422" in each for each in tab.wrong] == [True]
    tab.wrong.clear()
    expect(page.get_by_label("Name")).to_have_value("Ada")
    page.get_by_label("E-mail").fill("ada@example.com")
    page.get_by_role("button", name="Start run").dblclick()
    expect(page).to_have_url(re.compile("/history/run_"))
    assert tab.site.api.get("/runs").json["data"][1:] == []


@pytest.mark.parametrize("context", [{"permissions": ["clipboard-read", "clipboard-write"]}], indirect=True)
def test_ids_and_payloads_are_copied_whole(tab: Tab) -> None:
    run_id = tab.site.showcase.greeted(output="é" * 20_000)
    page = tab.go(f"/history/{run_id}")
    page.get_by_role("button", name="Copy run id").click()
    expect(page.get_by_text("Copied.")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == run_id
    page.get_by_role("button", name="Copy Output").click()
    page.wait_for_function("navigator.clipboard.readText().then((text) => text.length > 20000)")


def test_times_are_the_readers_own(tab: Tab) -> None:
    run_id = tab.site.showcase.greeted()
    started = tab.site.api.stage.run(run_id).started_at
    assert started
    page = tab.go("/history")
    expect(page.locator("#runs time").first).to_have_text(re.compile(f", {(started.hour + 1) % 24:02}:"))
    expect(page.locator("[data-zone]")).to_contain_text("Europe/Berlin")
