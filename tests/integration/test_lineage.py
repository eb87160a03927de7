"""What came out of a run: its children and its replays."""

from __future__ import annotations

from dataclasses import replace

from keystroke.domain.lineage import Lineage
from keystroke.domain.scope import Scope
from keystroke.store.lineage import Relatives, list_children, list_replays
from support.starts import Stage


def _children(stage: Stage, scope: Scope, run_id: str, limit: int = 100) -> Relatives:
    with stage.database.read() as tx:
        return list_children(scope, tx, run_id, limit)


def test_children_and_replays_are_listed_oldest_first(stage: Stage) -> None:
    parent = stage.start().run_id
    lineages = [Lineage(parent, f"run:greet#{number}", parent) for number in range(3)]
    children = [stage.start(lineage=lineage).run_id for lineage in lineages]
    replayed = stage.start(lineage=Lineage(replay_of=parent)).run_id
    found = _children(stage, stage.scope, parent)
    assert [run.id for run in found.runs] == children
    assert found.total == 3
    assert found.steps[children[1]] == "run:greet#1"
    assert {(run.parent_run_id, run.root_run_id) for run in found.runs} == {(parent, parent)}
    with stage.database.read() as tx:
        replays = list_replays(stage.scope, tx, parent)
    assert [(run.id, run.replay_of) for run in replays.runs] == [(replayed, parent)]


def test_a_list_of_children_is_bounded_and_counts_them_all(stage: Stage) -> None:
    parent = stage.start().run_id
    children = [stage.start(lineage=Lineage(parent, f"run:greet#{at}", parent)).run_id for at in range(4)]
    found = _children(stage, stage.scope, parent, limit=2)
    assert [run.id for run in found.runs] == children[:2]
    assert found.total == 4


def test_what_lies_outside_of_the_scope_has_no_relatives(stage: Stage) -> None:
    parent = stage.start().run_id
    stage.start(lineage=Lineage(parent, "run:greet#0", parent))
    for scope in (replace(stage.scope, project_ids=("proj_other",)), Scope("org_other")):
        assert _children(stage, scope, parent) == Relatives([], 0, {})
