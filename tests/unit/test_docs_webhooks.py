"""What the page on triggers says of webhooks: its example loads and is published as the page tells, its tables are whole."""

from __future__ import annotations

import inspect
from pathlib import Path

from keystroke import webhook
from keystroke.authoring.project import load_project
from keystroke.domain.challenge import CHALLENGES
from support.documents import files, page
from support.projects import write_project

PAGE = page("triggers.md")


def test_the_webhooks_of_the_page_load(tmp_path: Path) -> None:
    place = "triggers/signup.py"
    write_project(tmp_path, {place: files(PAGE)[place], "workflows/none.py": ""})
    sources = load_project(tmp_path).manifest.sources
    assert {slug: each.options["endpoint"] for slug, each in sources.items()} == {
        "signup": "signup", "pushes": "github",
    }  # fmt: skip
    assert sources["pushes"].options["match"] == {
        "header:x-github-event": ["push"], "body:repository.private": [False],
    }  # fmt: skip
    assert sources["signup"].attachments[0].transform


def test_every_option_and_handshake_is_told() -> None:
    options = [name for name in inspect.signature(webhook).parameters if name not in ("slug", "description")]
    rows = [line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `")]
    assert [name for name in options if not any(f"`{name}" in row for row in rows)] == []
    assert [name for name in CHALLENGES if f"`{name}`" not in PAGE] == []
