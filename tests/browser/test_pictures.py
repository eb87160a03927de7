"""The pictures of the README: made here, from the pages as they are. KEYSTROKE_PICTURES=1 renews them."""

from __future__ import annotations

import pytest

from support.browser import Tab
from support.pictures import DARK, LIGHT, keep_picture


@pytest.mark.parametrize(
    ("context", "name", "path"),
    [
        (LIGHT, "history", "/history?run={charged}"),
        (DARK, "run", "/history/{signed_up}"),
        (LIGHT, "trace", "/history/{signed_up}?tab=trace"),
        (LIGHT, "workflow", "/workflows/signup-pipeline"),
    ],
    indirect=["context"],
)
def test_the_pictures_of_the_readme_show_pages_that_are_there(tab: Tab, name: str, path: str) -> None:
    keep_picture(tab.go(path.format(**tab.site.showcase.fill())), name)
