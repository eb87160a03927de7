"""The pictures of the README: made here, from the pages as they are. KEYSTROKE_PICTURES=1 renews them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from support.browser import Tab

_ROOT = Path(__file__).parents[2]
_PICTURES = _ROOT / "docs" / "pictures"
_SIZE = {"width": 1200, "height": 720}
_LIGHT: dict[str, Any] = {"viewport": _SIZE, "color_scheme": "light"}
_DARK: dict[str, Any] = {"viewport": _SIZE, "color_scheme": "dark"}
_PNG = b"\x89PNG"


@pytest.mark.parametrize(
    ("context", "name", "path"),
    [
        (_LIGHT, "history", "/history?run={charged}"),
        (_DARK, "run", "/history/{signed_up}"),
        (_LIGHT, "trace", "/history/{signed_up}?tab=trace"),
        (_LIGHT, "workflow", "/workflows/signup-pipeline"),
    ],
    indirect=["context"],
)
def test_the_pictures_of_the_readme_show_pages_that_are_there(tab: Tab, name: str, path: str) -> None:
    page = tab.go(path.format(**tab.site.showcase.fill()))
    assert page.locator("h1").first.is_visible()
    picture = page.screenshot()
    file = _PICTURES / f"{name}.png"
    if os.environ.get("KEYSTROKE_PICTURES"):
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(picture)
    assert file.read_bytes().startswith(_PNG)
    assert f"docs/pictures/{name}.png" in (_ROOT / "README.md").read_text(encoding="utf-8")
