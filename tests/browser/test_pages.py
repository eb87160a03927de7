"""Each page in a real browser: no barrier that axe knows, no error, readable on a phone and without scripts."""

from __future__ import annotations

import pytest

from support.browser import Tab
from support.surroundings import NO_SCRIPTS, PHONE, WIDE, barriers, flaws

PAGES = (
    "/history", "/history?status=failed&status=running&columns=name,status,tags,cost,id", "/history?run={charged}",
    "/history?q=nothing+like+this", "/history/{signed_up}", "/history/{charged}", "/history/{running}", "/history/{nasty}",
    "/history/{nasty}?view=yaml", "/history/{handed_back}?tab=metadata", "/history/{signed_up}?tab=trace",
    "/history/{nasty}?tab=trace", "/history/{running}?tab=trace&level=ERROR", "/workflows", "/workflows/signup-pipeline",
    "/workflows/signup-pipeline?input=json", "/docs",
)  # fmt: skip


@pytest.mark.parametrize("context", [WIDE, PHONE], indirect=True, ids=["wide", "phone"])
def test_every_page_is_free_of_barriers_and_errors_and_fits(tab: Tab) -> None:
    ids = tab.site.showcase.fill()
    found = {}
    for path in PAGES:
        tab.go(path.format(**ids))
        if lines := flaws(tab):
            found[path] = lines
    assert found == {}


def test_what_is_wrong_with_a_page_is_found(tab: Tab) -> None:
    tab.page.set_content("""
        <style>@media (prefers-color-scheme: dark) { p { color: #333; background: #222 } }</style>
        <p style="width: 5000px">Read me</p><img width=9 height=9>
    """)
    found = flaws(tab)
    assert [line for line in found if line.startswith("dark: color-contrast: <p")]
    assert not [line for line in found if line.startswith("color-contrast")]
    assert [line for line in found if line.startswith("image-alt")]
    assert [line for line in found if line.startswith("wider than the screen by 3")]


def test_an_empty_site_is_free_of_barriers(tab: Tab) -> None:
    for path in ("/history", "/workflows/charge-card"):
        tab.go(path)
        assert barriers(tab) == []


def test_the_page_of_an_error_is_free_of_barriers(tab: Tab) -> None:
    tab.go("/nope")
    assert barriers(tab) == []
    assert tab.page.get_by_role("link", name="History").first.is_visible()
    [said] = tab.wrong
    assert "404" in said
    tab.wrong.clear()


@pytest.mark.parametrize("context", [NO_SCRIPTS], indirect=True)
def test_everything_can_be_read_and_done_without_scripts(tab: Tab) -> None:
    ids = tab.site.showcase.fill()
    page = tab.go("/history")
    page.locator(f"tr[id='{ids['queued']}'] input").check()
    page.get_by_role("button", name="Cancel selected").click()
    assert "Canceled 1 run." in page.inner_text("main")
    page.locator(f"tr[id='{ids['signed_up']}'] a").click()
    assert "Grace Hopper scores 72 of 100." in page.inner_text("#panel")
    page.get_by_role("link", name="Trace").click()
    assert "GET example.com" in page.inner_text("#panel")
    tab.go("/workflows/signup-pipeline")
    page.get_by_label("Name").fill("Ada")
    page.get_by_label("E-mail").fill("ada@example.com")
    page.get_by_role("button", name="Start run").click()
    assert "Started." in page.inner_text("main")


def test_evil_payloads_run_nothing(tab: Tab) -> None:
    run_id = tab.site.showcase.nasty()
    for query in ("", "?view=yaml", "?tab=metadata", "?tab=trace"):
        page = tab.go(f"/history/{run_id}{query}")
        assert page.locator("main script, main img, main iframe").count() == 0
        assert page.evaluate("document.querySelectorAll('[onmouseover], [onerror]').length") == 0
