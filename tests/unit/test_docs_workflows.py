"""The page for authors: its project is loaded, its workflows are run, and what it says of options is so."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import keystroke
from keystroke import action, workflow
from keystroke.authoring.context import Context
from keystroke.authoring.hooks import Hook
from keystroke.authoring.options import WorkflowOptions
from keystroke.authoring.project import LoadedProject, load_project
from keystroke.testing import TestKit
from support.documents import blocks_without_a_file, page, run_its_tests, write_page_project

PAGE = page("workflows.md")
ADA = {"name": "Ada", "email": "ada@example.com"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> LoadedProject:
    """The project of the page: each of its files is a block that begins with its path."""
    return load_project(write_page_project(tmp_path_factory.mktemp("page"), PAGE))


@pytest.fixture
def kit() -> Iterator[TestKit]:
    """At the beginning of a year."""
    with TestKit(datetime(2030, 1, 1, tzinfo=UTC)) as made:
        yield made


def test_each_block_is_part_of_the_project(project: LoadedProject) -> None:
    assert blocks_without_a_file(PAGE) == []
    for slug in project.workflows:
        assert f'"{slug}"' in inspect.getsource(test_what_comes_of_each) + WAITING, slug


@pytest.mark.parametrize(
    ("slug", "value", "output"),
    [
        ("signup-pipeline", ADA, {"brief": "Ada works at example.com."}),
        ("price-list", ["pen", "paper"], {"pen": 300, "paper": 500}),
        ("crunch", 10, 285),
        ("billing", {"customer": "Ada", "cents": 100}, "receipt"),
        ("ship-parcel", {"number": 1}, "FR-1"),
        ("ship-order", [{"number": 1}, {"number": 2, "country": "XX"}], ["FR-1", "there is no way to XX"]),
        ("import-rows", {"customer": "Ada"}, "rows of Ada"),
        ("sync", {"customer": "Ada"}, "Ada is up to date"),
        ("trial", "Ada", "2030-01-15T00:00:00"),
    ],
)
def test_what_comes_of_each(project: LoadedProject, kit: TestKit, slug: str, value: Any, output: Any) -> None:
    result = kit.run(project.workflows[slug], value, skip_time=True)
    assert result.status == "success", result
    assert (result.output[:19] if slug == "trial" else result.output) == output


#: Workflows of the page that the tests below, and the page's own, run.
WAITING = '"call-somebody" "refund"'


def test_a_declined_card_calls_somebody_and_is_not_tried_again(project: LoadedProject, kit: TestKit) -> None:
    result = kit.run(project.workflows["billing"], {"customer": "Ada", "cents": 200_000})
    assert (result.status, result.attempts) == ("failed", 1)
    (called,) = kit.runs[1:]
    assert called.output == "billing of Ada failed: The card of Ada was declined."


def test_the_same_key_is_one_child(project: LoadedProject, kit: TestKit) -> None:
    parcels = [{"number": number} for number in (1, 2, 2)]
    result = kit.run(project.workflows["ship-order"], parcels)
    assert result.output == ["FR-1", "FR-2", "FR-2"]
    assert len(result.children) == 2


def test_relaxed_steps_may_be_executed_again(project: LoadedProject, kit: TestKit) -> None:
    squares = kit.stub("square", calls=lambda number: number * number)
    kit.crash_after("square#4")
    assert kit.run(project.workflows["crunch"], 10).output == 285
    assert len(squares.seen) == 15


def test_its_tests_pass(tmp_path: Path) -> None:
    ran = run_its_tests(write_page_project(tmp_path, PAGE))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"{PAGE.count('def test_')} passed" in ran.stdout


def test_every_option_and_every_word_is_told() -> None:
    options = {*inspect.signature(workflow).parameters, "retries", "backoff", "retry_on", "timeout"}
    assert {option for option in options if option not in PAGE} == set()
    assert set(WorkflowOptions.__dataclass_fields__) <= options
    words = {name for name in dir(Context) if not name.startswith("_")}
    assert {word for word in words if f"ctx.{word}" not in PAGE} == set()
    hook = {name for name in dir(Hook) if not name.startswith("_")}
    assert {word for word in hook if f"{word}`" not in PAGE and f"{word}()`" not in PAGE} == set()
    authors = set(keystroke.__all__) - {"__version__"}
    told = PAGE + page("triggers.md")
    assert {word for word in authors if word not in told} == set()
    assert inspect.getdoc(action)
