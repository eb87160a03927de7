"""What the package adds to every pytest there is: one fixture, and no time."""

from __future__ import annotations

import subprocess
import sys
import time
from importlib.metadata import entry_points

import pytest

from keystroke.testing import TestKit
from keystroke.testing.kit import TestKit as Kit


def test_pytest_finds_the_fixture(keystroke: TestKit) -> None:
    assert isinstance(keystroke, Kit)
    assert [each.value for each in entry_points(group="pytest11", name="keystroke")] == [
        "keystroke.testing.plugin"
    ]


def test_nothing_is_imported_before_the_fixture_is_used() -> None:
    heavy = ("pydantic", "sqlalchemy", "alembic", "asyncio", "keystroke.errors")
    code = f"import sys, keystroke.testing.plugin; print([name for name in {heavy} if name in sys.modules])"
    without = f"import sys, pytest; print([name for name in {heavy} if name in sys.modules])"
    for program in (code, without):
        ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert ran.stdout == "[]\n"


def test_a_kit_is_made_in_no_time() -> None:
    with TestKit():
        pass  # what is made once in a process
    before = time.process_time()
    for _ in range(20):
        with TestKit():
            pass
    assert time.process_time() - before < 1


def test_words_that_are_not_there() -> None:
    import keystroke.testing as words

    with pytest.raises(AttributeError, match="no word 'kit_of'; it has KitProblem"):
        _ = words.kit_of  # type: ignore[attr-defined]
    assert set(words.__all__) <= set(dir(words))
