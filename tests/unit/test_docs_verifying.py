"""What the page on triggers says of verifying: its webhooks load, each by another word, and each names its secret."""

from __future__ import annotations

from pathlib import Path

from keystroke.authoring.project import load_project
from keystroke.domain.notification import KINDS
from support.documents import files, page
from support.projects import write_project

PAGE = page("triggers.md")


def test_the_webhooks_of_the_page_load_and_name_their_secrets(tmp_path: Path) -> None:
    place = "triggers/verified.py"
    write_project(tmp_path, {place: files(PAGE)[place], "workflows/none.py": ""})
    sources = load_project(tmp_path).manifest.sources
    assert {each.options["verify"]["scheme"] for each in sources.values()} == {
        "standard_webhooks", "github", "stripe", "slack", "hmac", "token", "open",
    }  # fmt: skip
    assert sources["pushes"].options["verify"] == {"scheme": "github", "secret": "operator:GITHUB"}


def test_each_type_of_notification_is_told() -> None:
    assert [kind for kind in KINDS if f"| `{kind}` |" not in PAGE] == []
