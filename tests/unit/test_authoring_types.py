"""What type checkers see: decorated functions keep their signatures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import assert_type

from keystroke import AsyncContext, Context, action, workflow

ROOT = Path(__file__).resolve().parents[2]


@action
def double(number: int, note: str = "") -> list[int]:
    return [number, number]


@action(retries=2)
async def fetch(number: int) -> str:
    return str(number)


@workflow("plain")
def plain(number: int, ctx: Context) -> str:
    assert_type(double(number), list[int])
    assert_type(ctx.map(double, [number]), list[list[int]])
    return ""


@workflow("later")
async def later(number: int, ctx: AsyncContext) -> str:
    assert_type(await fetch(number), str)
    assert_type(await ctx.map(fetch, [number]), list[str])
    assert_type(await ctx.map(double, [number]), list[list[int]])
    return ""


def mistakes() -> None:
    double("3")  # type: ignore[arg-type]
    double(3, nota="x")  # type: ignore[call-arg]
    plain(3)  # type: ignore[call-arg]
    workflow("late", retries=3)  # type: ignore[call-arg]


def test_a_type_checker_agrees() -> None:
    # In strict mode an ignored mistake that is none is reported too.
    command = [sys.executable, "-m", "mypy", "--no-error-summary", __file__]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (checked.stdout, checked.stderr) == ("", "")
