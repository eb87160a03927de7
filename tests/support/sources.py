"""The project's own Python files, parsed, for the tests that hold the rules of the house."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
COMPONENTS: Final = (
    "platform/keystroke",
    "worker/keystroke_worker",
    "beat/keystroke_beat",
    "api/keystroke_api",
)


@dataclass(frozen=True)
class Source:
    """One Python file; `path` is relative to the repository."""

    path: str
    text: str
    tree: ast.Module

    @property
    def stem(self) -> str:
        """The module's own name."""
        return Path(self.path).stem

    def at(self, node: ast.stmt | ast.expr | ast.ExceptHandler) -> str:
        """Where a node is, as editors and people jump to it."""
        return f"{self.path}:{node.lineno}"


@cache
def sources(*folders: str) -> tuple[Source, ...]:
    """Every Python file below the folders (default: the four components), parsed once."""
    files = sorted(file for folder in folders or COMPONENTS for file in (ROOT / folder).rglob("*.py"))
    return tuple(_parsed(file) for file in files)


def functions(source: Source) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method of a file."""
    return (
        node for node in ast.walk(source.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def texts(source: Source) -> Iterator[tuple[ast.expr, str]]:
    """Every string of a file; an f-string as one text with `{}` for each of its expressions."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.JoinedStr):
            pieces = [part.value if isinstance(part, ast.Constant) else "{}" for part in node.values]
            yield node, "".join(map(str, pieces))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node, node.value


def calls(source: Source) -> Iterator[tuple[str, ast.Call]]:
    """Every call, by the last word of what is called: `f` for both `f()` and `module.f()`."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", None) or getattr(node.func, "id", None)
            if name:
                yield name, node


def _parsed(file: Path) -> Source:
    text = file.read_text(encoding="utf-8")
    return Source(str(file.relative_to(ROOT)), text, ast.parse(text))
