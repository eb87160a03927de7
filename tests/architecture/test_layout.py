"""The shape of the tree: where packages are, how long files and functions get, what modules are called."""

from __future__ import annotations

import ast

from support.sources import ROOT, functions, sources

_EVERYTHING = ("platform", "worker", "beat", "api", "tests", "examples")
_BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.Match)


def test_folders_of_components_and_tests_are_no_packages() -> None:
    """`platform/__init__.py` would shadow the standard library's `platform` wherever the root is on the path."""
    folders = [ROOT / name for name in ("platform", "worker", "beat", "api")]
    folders += [ROOT / "tests", *(path for path in (ROOT / "tests").rglob("*") if path.is_dir())]
    assert [str(folder) for folder in folders if (folder / "__init__.py").exists()] == []


def test_a_component_is_exactly_one_package() -> None:
    for folder, package in (
        ("platform", "keystroke"),
        ("worker", "keystroke_worker"),
        ("beat", "keystroke_beat"),
        ("api", "keystroke_api"),
    ):
        assert [path.name for path in (ROOT / folder).iterdir() if path.suffix != ".toml"] == [package]


def test_files_have_at_most_400_lines() -> None:
    long = {source.path: source.text.count("\n") for source in sources(*_EVERYTHING)}
    assert {path: lines for path, lines in long.items() if lines > 400} == {}


def test_functions_have_at_most_40_lines() -> None:
    """Of code: the lines of a text (a project that a test writes, a statement) are not counted."""
    long = {
        f"{source.at(function)} {function.name}": _lines(function) - _lines_of_texts(function)
        for source in sources(*_EVERYTHING)
        if "/migrations/versions/" not in source.path
        for function in functions(source)
    }
    assert {name: lines for name, lines in long.items() if lines > 40} == {}


def test_blocks_are_nested_at_most_four_deep() -> None:
    deep = {
        f"{source.at(function)} {function.name}": _depth(function)
        for source in sources(*_EVERYTHING)
        for function in functions(source)
    }
    assert {name: depth for name, depth in deep.items() if depth > 4} == {}


def test_no_module_is_named_after_having_no_subject() -> None:
    forbidden = {"util", "utils", "helper", "helpers", "common", "manager", "base", "misc"}
    assert [source.path for source in sources(*_EVERYTHING) if source.stem in forbidden] == []


def _lines(node: ast.stmt | ast.expr) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _lines_of_texts(function: ast.stmt) -> int:
    texts = [
        node for node in ast.walk(function) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    return sum(_lines(text) - 1 for text in texts)


def _depth(node: ast.AST) -> int:
    """How many blocks lie inside of each other; an `elif` is as deep as its `if`, an inner function begins anew."""
    deepest = 0
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        is_elif = isinstance(node, ast.If) and node.orelse == [child] and isinstance(child, ast.If)
        deepest = max(deepest, _depth(child) + (isinstance(child, _BLOCKS) and not is_elif))
    return deepest
