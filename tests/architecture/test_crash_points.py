"""Every commit of the life cycle lies between two crash points, so that tests can make a process die on either side of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from support.sources import ROOT

#: Transactions that are no part of a run's life: people and keys, the fleet and its queues, what is shown, what is deleted, and
#: places in limits, which are given away anew where they were forgotten; what was refused;
#: what operators set on triggers and ask of them.
_NO_LIFE_CYCLE: Final = {
    "api_keys", "drain_worker", "fleet_state", "pause_queue", "publish_deployment", "record_progress",
    "record_tags", "record_trace", "retention", "put_secret", "delete_secret",
    "send_notifications", "find_late_schedules",
    "unpark_runs", "pause_failing", "read_recorded_run", "record_step.note_running_steps", "recover_runs.recover_dead_workers",
    "receive_delivery.refuse_delivery", "set_trigger", "set_poll_state", "backfill_trigger",
}  # fmt: skip
_WRITING: Final = {"transaction", "held", "statement"}


def test_every_commit_of_the_life_cycle_lies_between_two_crash_points() -> None:
    bare = {name for name, function in _operations() if _commits(function) and not _is_framed(function)}
    assert bare == set()


def _operations() -> Iterator[tuple[str, ast.FunctionDef]]:
    for path in (ROOT / "platform" / "keystroke" / "operations").glob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if (
                isinstance(node, ast.FunctionDef)
                and not {path.stem, f"{path.stem}.{node.name}"} & _NO_LIFE_CYCLE
            ):
                yield f"{path.stem}.{node.name}", node


def _commits(function: ast.FunctionDef) -> bool:
    """Whether it opens a transaction that writes."""
    return any(
        isinstance(node, ast.Attribute) and node.attr in _WRITING and _name(node.value) == "database"
        for node in ast.walk(function)
    )


def _is_framed(function: ast.FunctionDef) -> bool:
    """One point in (or before) the transaction, another one behind it."""
    inside = {
        point
        for node in ast.walk(function)
        if isinstance(node, ast.With)
        for statement in node.body
        for point in _points(statement)
    }
    every = set(_points(function))
    return len(every) >= 2 and bool(every - inside)


def _points(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name(node.func) == "crash_point":
            yield ast.literal_eval(node.args[0])


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""
