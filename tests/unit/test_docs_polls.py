"""What the page on triggers says of polls is so: its files load, and its functions do what it tells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from keystroke.authoring.poll import Poll
from keystroke.authoring.poll_result import as_result
from keystroke.authoring.project import LoadedProject, load_project
from keystroke.authoring.tick import Tick
from keystroke.clock import from_micros
from keystroke.execution.polling import MOST_PAYLOADS, look_through, sharing
from support.documents import files, page
from support.projects import write_project

PAGE = page("triggers.md")


def _load(folder: Path, place: str) -> LoadedProject:
    write_project(folder, {place: files(PAGE)[place]})
    return load_project(folder)


def _poll(project: LoadedProject, slug: str) -> Poll:
    found = project.sources[slug]
    assert isinstance(found, Poll)
    return found


def test_the_poll_with_a_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    invoices = _poll(_load(tmp_path, "triggers/invoices.py"), "new-invoices")

    def get(url: str, params: dict[str, Any]) -> httpx.Response:
        found = [] if params["after"] else [{"number": 7, "customer": "Ada"}]
        return httpx.Response(200, json=found, request=httpx.Request("GET", url))

    monkeypatch.setattr(httpx, "get", get)
    tick = Tick("tick_1", "new-invoices", from_micros(0))
    first = invoices.invoke(None, tick)
    assert (first.payloads[0].customer, first.state.last) == ("Ada", 7)
    second = invoices.invoke(first.state, tick)
    assert (second.payloads, second.state.last) == ([], 7)


def test_the_group(tmp_path: Path) -> None:
    project = _load(tmp_path, "triggers/mail.py")
    group = sharing(project.sources.values(), _poll(project, "urgent-mail"))
    assert [each.slug for each in group] == ["every-mail", "urgent-mail"]
    result = as_result(group[0].function())
    brought = [look_through(each, result, tmp_path, 1000) for each in group]
    assert [[item.key for item in each.items] for each in brought] == [["1", "2"], ["1"]]


def test_the_numbers() -> None:
    assert f"A tick takes {MOST_PAYLOADS} payloads at most" in PAGE
