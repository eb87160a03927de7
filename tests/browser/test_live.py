"""Pages that keep themselves up to date while they are looked at."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from keystroke.domain.actor import LOCAL_OWNER
from keystroke.domain.outcome import Canceled, Completed
from keystroke.domain.trace import LogLine
from keystroke.operations.cancel_run import cancel_run
from keystroke.operations.record_progress import record_progress
from keystroke.operations.record_trace import record_trace
from support.browser import Tab


def test_rows_change_where_they_are_and_new_runs_announce_themselves(tab: Tab) -> None:
    stage = tab.site.api.stage
    lease = stage.start_and_claim()
    page = tab.go("/history")
    expect(page.locator("[data-live-state]")).to_have_text("Live")
    row = page.locator(f"tr[id='{lease.run_id}']")
    expect(row).to_contain_text("Running")
    row.locator("input").check()
    stage.finish(lease)
    expect(row).to_contain_text("Success")
    started = [stage.start().run_id for _ in range(2)]
    news = page.get_by_role("link", name="Show 2 new runs")
    expect(news).to_be_visible()
    assert page.locator("#runs tbody tr").count() == 1, "nothing moved"
    news.click()
    expect(page.locator("#runs tbody tr").first).to_have_attribute("id", started[-1])


def test_a_run_is_followed_to_its_end(tab: Tab) -> None:
    stage = tab.site.api.stage
    lease = stage.start_and_claim()
    page = tab.go(f"/history/{lease.run_id}")
    record_progress(stage.database, lease, 0.25, "a quarter")
    expect(page.locator("#run-head")).to_contain_text("a quarter")
    record_progress(stage.database, lease, 0.5, "half of it")
    expect(page.locator("#run-head")).to_contain_text("half of it")
    expect(page.locator("#run-head")).to_contain_text("50 %")
    stage.finish(lease, Completed({"answer": 42}))
    expect(page.locator("#run-head")).to_contain_text("Success")
    expect(page.locator("#output")).to_contain_text("42")


def test_the_panel_is_followed_too(tab: Tab) -> None:
    stage = tab.site.api.stage
    lease = stage.start_and_claim()
    page = tab.go(f"/history?run={lease.run_id}")
    expect(page.locator("#panel")).to_contain_text("Running")
    stage.finish(lease)
    expect(page.locator("#panel")).to_contain_text("Success")
    expect(page.locator(f"tr[id='{lease.run_id}']")).to_contain_text("Success")


def test_logs_arrive_as_they_are_written_and_only_those_that_fit(tab: Tab) -> None:
    stage = tab.site.api.stage
    lease = stage.start_and_claim()
    page = tab.go(f"/history/{lease.run_id}?tab=trace&level=WARNING")
    for number in range(3):
        lines = [
            LogLine(tab.site.showcase.now(), "INFO", f"calm {number}", "stdout"),
            LogLine(tab.site.showcase.now(), "ERROR", f"<b>loud</b> {number}", "stdout"),
        ]
        record_trace(stage.database, lease, [], lines, stage.settings)
        expect(page.locator("#logs li")).to_have_count(number + 1)
    expect(page.locator("#logs li").last).to_contain_text("<b>loud</b> 2")
    expect(page.locator("#logs li").last.locator(".number")).to_have_text(re.compile(r"^\d"))


def test_what_the_reader_opened_stays_open(tab: Tab) -> None:
    stage, run_id = tab.site.api.stage, tab.site.showcase.running()
    page = tab.go(f"/history/{run_id}")
    step = page.locator(".steps > li > details").first
    step.locator("> summary").click()
    cancel_run(stage.database, stage.scope, run_id, LOCAL_OWNER, stage.settings)
    record_progress(stage.database, tab.site.showcase.lease, None, "letting go")
    expect(page.locator("#run-head")).to_contain_text("letting go")
    stage.finish(tab.site.showcase.lease, Canceled())
    expect(page.locator("#run-head")).to_contain_text("Canceled")
    expect(step).to_have_attribute("open", "")
    expect(step).to_contain_text("Output")


def test_without_streams_the_page_looks_by_itself(tab: Tab) -> None:
    stage = tab.site.api.stage
    tab.page.route("**/events", lambda route: route.abort())
    lease = stage.start_and_claim()
    page = tab.go("/history")
    expect(page.locator("[data-live-state]")).to_have_text("Looking every few seconds")
    stage.finish(lease)
    expect(page.locator(f"tr[id='{lease.run_id}']")).to_contain_text("Success", timeout=15_000)
    tab.wrong.clear()  # what was aborted on purpose
