"""The page about the test kit: its tests are run, and every word of the kit is told."""

from __future__ import annotations

import re
from pathlib import Path

from keystroke.testing import SeenCall, Stub, TestEvent, TestKit, TestRun
from support.documents import blocks_without_a_file, page, run_its_tests, write_page_project

PAGE = page("testing.md")


def test_its_tests_pass(tmp_path: Path) -> None:
    ran = run_its_tests(write_page_project(tmp_path, PAGE))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    passed = re.search(r"(\d+) passed", ran.stdout)
    assert passed is not None
    assert int(passed[1]) >= PAGE.count("def test_")
    assert blocks_without_a_file(PAGE) == []


def test_every_word_of_the_kit_is_told() -> None:
    words = {name for name in dir(TestKit) if not name.startswith("_")}
    assert {word for word in words if f"keystroke.{word}" not in PAGE} == set()
    told = (*dir(TestRun), *dir(TestEvent))
    fields = {name for name in told if not name.startswith("_")} | {"seen", "arguments", "step"}
    assert {word for word in fields if f"`{word}" not in PAGE and f".{word}`" not in PAGE} == set()
    assert set(SeenCall.__slots__) == {"arguments", "step"}
    assert "seen" in Stub.__dataclass_fields__
