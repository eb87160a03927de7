"""What the page on triggers says of transforms is so: its file is loaded, and its transforms are executed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from keystroke.authoring.project import load_project
from keystroke.testing import TestKit
from support.documents import files, page
from support.projects import write_project

_FILE = "triggers/transformed.py"
LEAD = {"data": {"full_name": "Ada", "mail": "ada@example.com"}}


def test_the_page_does_what_it_says(tmp_path: Path, keystroke: TestKit) -> None:
    write_project(tmp_path, {_FILE: files(page("triggers.md"))[_FILE]})
    sources = load_project(tmp_path).sources
    keystroke.now = datetime(2030, 5, 1, 2, 0, tzinfo=UTC)
    run = keystroke.deliver(sources["signed"], LEAD).run
    assert run.output == "Ada, by Webhook · signed"
    assert run.steps["transform:signed#0"].output == run.record.input
    mailed = keystroke.deliver(sources["mailed"], LEAD, headers={"x-sender": "bob@example.com"}).run
    assert mailed.record.input == {"name": "Ada", "email": "bob@example.com"}
    assert keystroke.fire(sources["daily"]).run.output == "the report of 2030-05-01"
