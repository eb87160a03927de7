"""Reads of the store say for whom they read; a status moves only along the table of transitions."""

from __future__ import annotations

import re
from collections.abc import Iterator

from support.sources import functions, sources, texts

_STORE = "platform/keystroke/store"
#: The two modules that render a row of the transition table as a guarded update.
_RENDERERS = {f"{_STORE}/runs.py", f"{_STORE}/claim_statements.py"}
_UPDATE = re.compile(r"\bupdate\s+runs\s+set\b(.*?)(?:\bwhere\b|\Z)", re.IGNORECASE | re.DOTALL)


def test_every_read_takes_its_scope_first() -> None:
    """What lies outside of a reader's scope does not exist for it; nobody can forget to say who reads."""
    wrong = [
        f"{source.at(function)} {function.name}({', '.join(arguments)})"
        for source in sources(_STORE)
        for function in functions(source)
        if function.name.startswith(("get_", "list_", "find_"))
        and (arguments := [argument.arg for argument in function.args.args])[:2] != ["scope", "tx"]
    ]
    assert wrong == []


def test_a_status_is_written_only_where_transitions_are_rendered() -> None:
    writers = {path for path, changes in _updates_of_runs() if re.search(r"(?<![\w.])status\s*=", changes)}
    assert writers == _RENDERERS


def test_the_status_written_is_the_transitions_target() -> None:
    literal = [
        (path, changes)
        for path, changes in _updates_of_runs()
        if re.search(r"(?<![\w.])status\s*=\s*'\w", changes)
    ]
    assert literal == []


def test_runs_are_inserted_in_one_place() -> None:
    inserters = [
        source.path
        for source in sources()
        for _, text in texts(source)
        if re.search(r"insert\s+into\s+runs\b", text, re.IGNORECASE)
    ]
    assert inserters == [f"{_STORE}/runs.py"]


def _updates_of_runs() -> Iterator[tuple[str, str]]:
    for source in sources():
        for _, text in texts(source):
            for changes in _UPDATE.findall(text):
                yield source.path, changes
