"""A failure is handled or goes on: nothing swallows what it does not know."""

from __future__ import annotations

import ast

from support.sources import sources

_EVERYTHING = {"Exception", "BaseException"}


def test_no_handler_is_bare() -> None:
    assert [at for at, handler in _handlers() if handler.type is None] == []


def test_no_handler_of_everything_does_nothing() -> None:
    silent = [
        at
        for at, handler in _handlers()
        if _names(handler.type) & _EVERYTHING
        and all(isinstance(line, ast.Pass | ast.Continue) for line in handler.body)
    ]
    assert silent == []


def test_nothing_suppresses_everything() -> None:
    suppressed = [
        source.at(node)
        for source in sources()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress")
        if {ast.unparse(argument) for argument in node.args} & _EVERYTHING
    ]
    assert suppressed == []


def _handlers() -> list[tuple[str, ast.ExceptHandler]]:
    return [
        (source.at(node), node)
        for source in sources()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ExceptHandler)
    ]


def _names(caught: ast.expr | None) -> set[str]:
    parts = caught.elts if isinstance(caught, ast.Tuple) else [caught] if caught else []
    return {ast.unparse(part) for part in parts}
