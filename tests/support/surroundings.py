"""The devices that pages are looked at with, and what is wrong with a page, most of it as axe says."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Final

from axe_playwright_python.sync_playwright import Axe

from support.browser import Tab

WIDE: dict[str, Any] = {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light"}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "color_scheme": "light",
    "has_touch": True,
}
NO_SCRIPTS: dict[str, Any] = {**WIDE, "java_script_enabled": False}
_STANDARDS: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_OF_COLORS: Final = ["color-contrast", "link-in-text-block"]
_RUN: Final = "options => axe.run(document, options).then(found => found.violations)"
#: Of what the reference says of each operation and schema alike, one of each method and of the others some are left: axe takes
#: minutes for them all. `KEYSTROKE_TEST_WHOLE_PAGES=1` leaves them.
_SAMPLE: Final = """every => {
    const seen = new Set();
    document.querySelectorAll("section.route").forEach((section, at) => {
        const kind = section.querySelector(".method")?.className;
        if (at % every && seen.has(kind)) section.remove();
        seen.add(kind);
    });
}"""
_EVERY: Final = 1 if os.environ.get("KEYSTROKE_TEST_WHOLE_PAGES") else 10
_OVERFLOW: Final = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def barriers(tab: Tab, rules: Sequence[str] = _STANDARDS) -> list[str]:
    """What axe finds, as lines to read. Axe tells in full of what is wrong alone: the rest is most of its work."""
    tab.page.evaluate(Axe().axe_script)
    found = tab.page.evaluate(_RUN, {"runOnly": list(rules), "resultTypes": ["violations"]})
    return [
        f"{each['id']}: {node['html'][:160]} {node.get('failureSummary', '')[:300]}"
        for each in found
        for node in each["nodes"]
    ]


def flaws(tab: Tab) -> list[str]:
    """What is wrong with the page as it is: barriers, in light colours and in dark, and what does not fit on it."""
    page = tab.page
    overflow = page.evaluate(_OVERFLOW)
    page.evaluate(_SAMPLE, _EVERY)
    found = barriers(tab) + ([f"wider than the screen by {overflow}"] if overflow > 0 else [])
    # Dark colours change nothing but the colours: nobody has to open the page again for them, nor ask all that axe knows.
    page.emulate_media(color_scheme="dark")
    found += [f"dark: {line}" for line in barriers(tab, _OF_COLORS)]
    page.emulate_media(color_scheme="light")
    return found
