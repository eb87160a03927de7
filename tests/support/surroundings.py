"""The devices and settings that pages are looked at with, and what axe has to say."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.sync_playwright import Axe

from support.browser import Tab

WIDE: dict[str, Any] = {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light"}
DARK: dict[str, Any] = {**WIDE, "color_scheme": "dark"}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "color_scheme": "light",
    "has_touch": True,
}
NO_SCRIPTS: dict[str, Any] = {**WIDE, "java_script_enabled": False}


def barriers(tab: Tab) -> list[str]:
    """What axe finds, as lines to read."""
    found = Axe().run(
        tab.page,
        options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]},
    )
    return [
        f"{each['id']}: {node['html'][:160]} {node.get('failureSummary', '')[:300]}"
        for each in found.response["violations"]
        for node in each["nodes"]
    ]
