"""The pictures of the README: made from the pages as they are. KEYSTROKE_PICTURES=1 renews them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page

_ROOT: Final = Path(__file__).parents[2]
_PICTURES: Final = _ROOT / "docs" / "pictures"
_PNG: Final = b"\x89PNG"
_SIZE: Final = {"width": 1200, "height": 720}
LIGHT: Final[dict[str, Any]] = {"viewport": _SIZE, "color_scheme": "light"}
DARK: Final[dict[str, Any]] = {"viewport": _SIZE, "color_scheme": "dark"}


def keep_picture(page: Page, name: str) -> None:
    """Take the picture of a page that the README shows, and keep it where that is wanted."""
    assert page.locator("h1").first.is_visible()
    picture = page.screenshot()
    file = _PICTURES / f"{name}.png"
    if os.environ.get("KEYSTROKE_PICTURES"):
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(picture)
    assert file.read_bytes().startswith(_PNG)
    assert f"docs/pictures/{name}.png" in (_ROOT / "README.md").read_text(encoding="utf-8")
