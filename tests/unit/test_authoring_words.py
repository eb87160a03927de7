"""The words that `keystroke` itself offers: all there, and none imported before it is used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import keystroke


def test_every_word_is_there() -> None:
    assert {getattr(keystroke, name) for name in keystroke.__all__}
    assert set(keystroke.__all__) <= set(dir(keystroke))


def test_the_version_is_that_of_the_installed_package() -> None:
    assert keystroke.__version__.count(".") == 2


def test_a_word_that_does_not_exist_is_refused_by_naming_those_that_do() -> None:
    with pytest.raises(
        AttributeError, match="module 'keystroke' has no word 'wrokflow'; it has ActionFailed, "
    ):
        keystroke.wrokflow  # noqa: B018


def test_importing_keystroke_imports_nothing_else() -> None:
    code = "import sys; import keystroke; print([name for name in sys.modules if name in ('pydantic', 'asyncio')])"
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert shown.stdout.strip() == "[]"
