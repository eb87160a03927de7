"""Which run of several queues is claimed: the best of those that are open, whoever else claims beside; on both databases."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keystroke.domain.lease import Claimant
from keystroke.operations.claim_run import claim_run
from keystroke.operations.claiming import claim_next
from keystroke.settings import Settings
from keystroke.store import Database, queues
from keystroke.store.claim_statements import PEEKED
from keystroke.store.sql import Sql
from support.starts import GREET, Stage, make_stage, publish

_QUEUES = ("a", "b", "c")
_LOCK = Sql("select id from runs order by priority desc, queued_at limit :limit {for_update}")


@pytest.fixture
def stage(database: Database, settings: Settings) -> Stage:
    slugs = [*_QUEUES, "elsewhere"]
    return make_stage(database, settings, *(replace(GREET, slug=slug, queue=slug) for slug in slugs))


def of(stage: Stage, *names: str) -> Claimant:
    return replace(stage.claimant, queues=names)


def claimed(stage: Stage, claimant: Claimant) -> list[str]:
    return [lease.id for lease in iter(lambda: claim_run(stage.database, claimant), None)]


def test_the_best_of_all_queues_comes_first(stage: Stage) -> None:
    """By priority, then by age, however the queues are named in the worker."""
    last = stage.start("elsewhere")
    started = [
        (priority, stage.start(slug, priority=priority).run_id)
        for priority in (0, 5, 3, 5, 0)
        for slug in ("b", "a", "c")
    ]
    expected = [run_id for _, run_id in sorted(started, key=lambda each: -each[0])]
    assert claimed(stage, of(stage, "c", "a", "b")) == expected
    assert claimed(stage, of(stage, "elsewhere")) == [last.run_id]


def test_a_paused_queue_is_passed_over(stage: Stage) -> None:
    paused, open_one = stage.start("a", priority=9), stage.start("b")
    with stage.database.transaction() as tx:
        queues.set_paused(tx, stage.project, "a", paused=True)
    assert claimed(stage, of(stage, "a", "b")) == [open_one.run_id]
    assert claimed(stage, of(stage, "a")) == []
    with stage.database.transaction() as tx:
        queues.set_paused(tx, stage.project, "a", paused=False)
    assert claimed(stage, of(stage, "a", "b")) == [paused.run_id]


def test_a_lease_says_whether_more_waits_in_any_open_queue(stage: Stage) -> None:
    for slug in ("a", "b", "c"):
        stage.start(slug)
    with stage.database.transaction() as tx:
        queues.set_paused(tx, stage.project, "c", paused=True)
    claimant = of(stage, *_QUEUES)
    more = [lease.more for lease in iter(lambda: claim_run(stage.database, claimant), None)]
    assert more == [True, False]


def test_a_worker_of_no_queue_claims_nothing(stage: Stage) -> None:
    stage.start("a")
    assert claim_run(stage.database, of(stage)) is None


def test_a_claim_behind_a_crowd_looks_again(stage: Stage) -> None:
    """As many as it looks at are about to be taken by others; what waits behind them is not forgotten."""
    if stage.database.backend == "sqlite":
        pytest.skip("one writer at a time")
    runs = [stage.start("a").run_id for _ in range(PEEKED + 1)]
    claimant = of(stage, "a", "b")
    with stage.database.transaction() as tx:
        assert len(tx.rows(_LOCK, {"limit": PEEKED - 1})) == PEEKED - 1
        with stage.database.transaction() as other:
            taken = claim_next(other, claimant).lease
            assert taken is not None
            assert taken.id == runs[PEEKED - 1]
            with stage.database.transaction() as third:
                crowd = claim_next(third, claimant)
    assert (crowd.lease, crowd.again) == (None, True)
    assert claimed(stage, claimant) == [*runs[: PEEKED - 1], runs[PEEKED]]


def test_a_run_behind_a_transform_is_for_code_that_has_it(stage: Stage) -> None:
    """While a deployment rolls out older code has its workflow, and would fail it for want of the transform."""
    older = replace(of(stage, "a"), workflows=("a",))
    current = publish(
        stage.database, replace(GREET, slug="a", queue="a"), digest="newer"
    ).current_deployment_id
    assert current is not None
    first, other = (stage.start("a", behind_transform="signup:a").run_id for _ in range(2))
    assert claimed(stage, older) == []
    assert claim_run(stage.database, replace(older, workflows=("a", "signup:a"))) is not None
    assert claimed(stage, replace(older, deployment_id=current)) == [other], (
        "the current code says that it is gone"
    )
    assert first != other
