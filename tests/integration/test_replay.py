"""Replays: what a new run is given of the old one, on each database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from keystroke.box import Box
from keystroke.domain.failure import Failure
from keystroke.domain.outcome import Completed, Failed, HandedBack
from keystroke.domain.scope import Scope
from keystroke.domain.states import Reason, Status
from keystroke.domain.step import Step, StepStatus
from keystroke.errors import (
    IdempotencyConflict,
    InvalidInput,
    NoFailedStep,
    RunNotFound,
    StepNotFound,
    WorkflowNotFound,
)
from keystroke.operations.record_step import record_step
from keystroke.operations.record_tags import record_tags
from keystroke.store import history
from keystroke.store.sql import Sql
from support.replays import REPLAYER, Recorder, replay
from support.starts import GREET, Stage, publish

SECRETS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "card": {"type": "string", "writeOnly": True, "minLength": 4},
        "password": {"type": "string"},
        "accounts": {"type": "array", "items": {"type": "object", "properties": {
            "who": {"type": "string"}, "pin": {"type": "string", "writeOnly": True}}}},
    },
    "required": ["name"],
}  # fmt: skip


def steps(stage: Stage, run_id: str) -> dict[str, Step]:
    with stage.database.read() as tx:
        return {step.identity: step for step in history.list_steps(stage.scope, tx, run_id)}


def failed_run(stage: Stage, *identities: str, **changes: Any) -> str:
    """A run whose steps succeeded but for the last."""
    lease = stage.start_and_claim(**changes)
    recorder = Recorder(stage, lease)
    for identity in identities[:-1]:
        recorder.step(identity)
    recorder.step(identities[-1], "failed", error=Failure("Declined", "no").as_json())
    stage.finish(lease, Failed(Failure("Declined", "no", step=identities[-1]), Reason.USER_ERROR))
    return lease.run_id


def test_a_replay_is_a_new_run_with_the_same_input(stage: Stage) -> None:
    source = failed_run(stage, "a#0", "b#0", tags={"customer": "acme"}, priority=3)
    started = replay(stage, source)
    assert (started.status, started.created, started.due) == (Status.QUEUED, True, True)
    run = stage.run(started.run_id)
    assert (run.input, run.tags, run.priority) == ({"name": "Ada"}, {"customer": "acme"}, 3)
    assert (run.replay_of, run.root_run_id, run.parent_run_id) == (source, run.id, None)
    assert (run.trigger.type, run.trigger.label, run.trigger.value) == (
        "replay",
        "Replay",
        f"replay:{source}",
    )
    assert run.actor == REPLAYER
    assert steps(stage, run.id) == {}


def test_from_a_step_it_begins_with_copies_of_those_before(stage: Stage) -> None:
    source = failed_run(stage, "a#0", "b#0", "c#0")
    run_id = replay(stage, source, "c#0").run_id
    copied = steps(stage, run_id)
    assert list(copied) == ["a#0", "b#0"]
    for identity, step in steps(stage, source).items():
        if identity != "c#0":
            assert copied[identity] == replace(step, copied_from=source)
    run = stage.run(run_id)
    assert run.trigger.label == "Replay · from c#0"
    assert (len(run.usage), run.total_cost, run.step_count) == (0, Decimal(0), 2)
    seeds = [_column(stage, each, "seed") for each in (source, run_id, replay(stage, source).run_id)]
    assert seeds[0] == seeds[1] != seeds[2]
    with stage.database.read() as tx:
        assert tx.value(Sql("select count(*) from audit_log where action = 'run.replay'")) == 2


def test_copies_are_events_of_the_new_run(stage: Stage) -> None:
    from keystroke.store import changes

    source = failed_run(stage, "a#0", "b#0", "c#0")
    run_id = replay(stage, source, "c#0").run_id
    with stage.database.read() as tx:
        latest = changes.get_latest(stage.scope, tx, run_id)
        told = changes.list_step_states(stage.scope, tx, run_id, changes.Between(0, latest.event))
    assert [(number, step.identity) for number, step in told] == [(2, "a#0"), (3, "b#0")]
    assert latest.event == 3
    lease = stage.claim()
    assert lease
    assert lease.run_id == run_id
    Recorder(stage, lease).step("c#0")
    with stage.database.read() as tx:
        assert changes.get_latest(stage.scope, tx, run_id).event == 5


def test_the_first_failed_step_is_found_by_itself(stage: Stage) -> None:
    lease = stage.start_and_claim()
    Recorder(stage, lease).step("a#0")
    with pytest.raises(NoFailedStep, match="There are a#0"):
        replay(stage, lease.run_id, "failed")
    source = failed_run(stage, "a#0", "b#0")
    assert list(steps(stage, replay(stage, source, "failed").run_id)) == ["a#0"]


def test_a_step_that_is_not_there_is_refused_with_those_that_are(stage: Stage) -> None:
    source = failed_run(stage, "charge#0", "mail#0")
    with pytest.raises(StepNotFound, match="Did you mean charge#0"):
        replay(stage, source, "charge#1")
    with pytest.raises(StepNotFound, match="There are charge#0, mail#0"):
        replay(stage, source, "nothing like it")
    queued = stage.start().run_id
    with pytest.raises(StepNotFound, match="replay all of it"):
        replay(stage, queued, "charge#0")
    with stage.database.read() as tx:
        assert tx.value(Sql("select count(*) from runs")) == 2


def test_of_branches_what_had_started_is_before(stage: Stage) -> None:
    lease = stage.start_and_claim()
    recorder = Recorder(stage, lease)
    recorder.step("first#0")
    slow = replace(recorder.step("0/slow#0", "running", lasts=60))
    recorder.step("1/quick#0")
    recorder.step("1/next#0")
    ended = replace(
        slow, status=StepStatus.SUCCESS, finished_at=slow.started_at + timedelta(seconds=60), output=1
    )
    record_step(stage.database, lease, ended, stage.settings)
    recorder.step("last#0", begins=60)
    stage.finish(lease)
    copied = {
        at: set(steps(stage, replay(stage, lease.run_id, at).run_id)) for at in steps(stage, lease.run_id)
    }
    assert copied == {
        "first#0": set(),
        "0/slow#0": {"first#0"},
        "1/quick#0": {"first#0", "0/slow#0"},
        "1/next#0": {"first#0", "0/slow#0", "1/quick#0"},
        "last#0": {"first#0", "0/slow#0", "1/quick#0", "1/next#0"},
    }


def test_only_what_is_final_is_copied(stage: Stage) -> None:
    lease = stage.start_and_claim()
    recorder = Recorder(stage, lease)
    recorder.step("caught#0", "failed", error=Failure("Declined", "no").as_json())
    recorder.step("0/again#0", "retrying", due_at=recorder.at)
    recorder.step("1/sleep#0", "running", "sleep", due_at=recorder.at)
    recorder.step("2/sleep#0", "success", "sleep", due_at=recorder.at)
    recorder.step("3/run:child#0", "success", "workflow", child_run_id="run_01jd3v5w0gf8tbm5zbbdb40jyq")
    recorder.step("4/hook:asked#0", "running", "hook")
    recorder.step("5/hook:ok#0", "success", "hook", output={"yes": True})
    recorder.step("last#0", "running")
    copied = steps(stage, replay(stage, lease.run_id, "last#0").run_id)
    assert list(copied) == ["caught#0", "2/sleep#0", "3/run:child#0", "5/hook:ok#0"]
    assert copied["5/hook:ok#0"].output == {"yes": True}
    assert copied["3/run:child#0"].child_run_id == "run_01jd3v5w0gf8tbm5zbbdb40jyq"
    assert (copied["caught#0"].error or {})["type"] == "Declined"


def test_an_answer_that_came_after_the_step_is_asked_for_anew(stage: Stage) -> None:
    lease = stage.start_and_claim()
    recorder = Recorder(stage, lease)
    hook = recorder.step("hook:approval#0", "running", "hook")
    recorder.step("mail_the_link#0")
    answered = replace(
        hook, status=StepStatus.SUCCESS, finished_at=recorder.at + timedelta(seconds=2), output="yes"
    )
    record_step(stage.database, lease, answered, stage.settings)
    recorder.step("go_on#0", begins=3)
    stage.finish(lease)
    assert list(steps(stage, replay(stage, lease.run_id, "mail_the_link#0").run_id)) == []
    assert list(steps(stage, replay(stage, lease.run_id, "go_on#0").run_id)) == [
        "hook:approval#0",
        "mail_the_link#0",
    ]


def test_a_child_that_has_ended_is_not_started_again_though_nobody_asked_for_its_result(stage: Stage) -> None:
    child, lease, active = stage.start_and_claim(), stage.start_and_claim(), stage.start().run_id
    recorder = Recorder(stage, lease)
    recorder.step("run:ended#0", "running", "workflow", child_run_id=child.run_id)
    recorder.step("run:active#0", "running", "workflow", child_run_id=active)
    recorder.step("last#0")
    assert list(steps(stage, replay(stage, lease.run_id, "last#0").run_id)) == []
    stage.finish(child)
    copied = steps(stage, replay(stage, lease.run_id, "last#0").run_id)
    assert [(step.identity, step.child_run_id) for step in copied.values()] == [("run:ended#0", child.run_id)]


def test_clocks_that_differ_do_not_mix_up_the_order(stage: Stage) -> None:
    lease = stage.start_and_claim()
    Recorder(stage, lease).step("first#0", begins=3600)
    stage.finish(lease, HandedBack())
    again = stage.claim()
    assert again
    behind = Recorder(stage, again)
    behind.step("second#0", begins=-600)
    behind.step("third#0")
    stage.finish(again)
    once = replay(stage, lease.run_id, "third#0").run_id
    assert list(steps(stage, once)) == ["first#0", "second#0"]
    claimed = stage.claim()
    assert claimed
    Recorder(stage, claimed).step("third#0", begins=-3600)
    twice = replay(stage, once, "third#0").run_id
    assert {identity: step.copied_from for identity, step in steps(stage, twice).items()} == {
        "first#0": once, "second#0": once,
    }  # fmt: skip
    assert list(steps(stage, replay(stage, twice, "second#0").run_id)) == ["first#0"]


def test_an_edited_input_is_checked_like_that_of_a_start(stage: Stage) -> None:
    source = failed_run(stage, "a#0", "b#0")
    with pytest.raises(InvalidInput):
        replay(stage, source, input={"nobody": 1})
    run = stage.run(replay(stage, source, "b#0", input={"name": "Bob"}).run_id)
    assert run.input == {"name": "Bob"}
    assert list(steps(stage, run.id)) == ["a#0"]
    with pytest.raises(InvalidInput, match="reserved"):
        replay(stage, source, input={"name": {"$sealed": "x"}})


def test_redacted_values_that_are_left_alone_stay(stage: Stage) -> None:
    publish(stage.database, GREET, replace(GREET, slug="sealed", input_schema=SECRETS), digest="two")
    stage.project = publish(
        stage.database, replace(GREET, slug="sealed", input_schema=SECRETS), GREET, digest="two"
    )
    value = {
        "name": "Ada", "card": "4242 4242", "password": "hunter2",
        "accounts": [{"who": "a", "pin": "1111"}, {"who": "b", "pin": "2222"}],
    }  # fmt: skip
    source = stage.start("sealed", value).run_id
    recorded = stage.run(source).input
    hidden = "[redacted]"
    shown = {
        "name": "Bob", "card": hidden, "password": hidden, "accounts": [{"who": "b", "pin": hidden}],
    }  # fmt: skip
    edited = stage.run(replay(stage, source, input=shown).run_id).input
    assert edited == {
        "name": "Bob", "card": recorded["card"], "password": "hunter2", "accounts": [recorded["accounts"][1]],
    }  # fmt: skip
    anew = stage.run(replay(stage, source, input={"name": "Bob", "card": "9999"}).run_id).input
    assert stage.box.decrypt(anew["card"]["$sealed"]) == "9999"
    for unclear in ({"name": hidden}, {"name": "x", "accounts": [{"who": "c", "pin": hidden}]}):
        with pytest.raises(InvalidInput, match="not clear"):
            replay(stage, source, input=unclear)
    assert stage.run(replay(stage, source).run_id).input == recorded


def test_what_is_wrong_with_a_kept_secret_is_said_without_it(stage: Stage) -> None:
    stage.project = publish(stage.database, replace(GREET, slug="sealed", input_schema=SECRETS), digest="two")
    source = stage.start("sealed", {"name": "Ada", "card": "4242"}).run_id
    properties = {**SECRETS["properties"], "card": {"type": "string", "writeOnly": True, "minLength": 9}}
    stricter = replace(GREET, slug="sealed", input_schema={**SECRETS, "properties": properties})
    stage.project = publish(stage.database, stricter, digest="three")
    with pytest.raises(InvalidInput) as refused:
        replay(stage, source, input={"name": "Bob", "card": "[redacted]"})
    assert [each.path for each in refused.value.errors] == ["$.card"]
    assert "4242" not in str(refused.value)


def test_a_secret_whose_key_is_gone_has_to_be_entered_anew(stage: Stage) -> None:
    stage.project = publish(stage.database, replace(GREET, slug="sealed", input_schema=SECRETS), digest="two")
    source = stage.start("sealed", {"name": "Ada", "card": "4242"}).run_id
    stage.box = Box(("another secret",))
    with pytest.raises(InvalidInput, match="KEYSTROKE_SECRET_KEY does not hold"):
        replay(stage, source, input={"name": "Bob", "card": "[redacted]"})
    anew = replay(stage, source, input={"name": "Bob", "card": "9999"})
    assert stage.run(anew.run_id).input["name"] == "Bob"


def test_what_does_not_exist_or_is_no_longer_published_is_refused(stage: Stage) -> None:
    source = stage.start().run_id
    with pytest.raises(RunNotFound):
        replay(stage, "run_01jd3v5w0gf8tbm5zbbdb40jyq")
    publish(stage.database, replace(GREET, slug="another"), digest="two")
    with pytest.raises(WorkflowNotFound):
        replay(stage, source)


def test_a_run_of_another_project_does_not_exist(stage: Stage) -> None:
    from keystroke.operations.replay_run import ReplayRequest, replay_run

    elsewhere = Scope(stage.project.organization_id, ("prj_other",))
    with pytest.raises(RunNotFound):
        replay_run(
            stage.database,
            elsewhere,
            ReplayRequest(stage.start().run_id, REPLAYER),
            stage.settings,
            stage.box,
        )


def test_an_idempotency_key_gives_the_same_replay_again(stage: Stage) -> None:
    source = failed_run(stage, "a#0", "b#0")
    first = replay(stage, source, "b#0", idempotency_key="once")
    second = replay(stage, source, "b#0", idempotency_key="once")
    assert (second.run_id, second.created) == (first.run_id, False)
    assert list(steps(stage, first.run_id)) == ["a#0"]
    with pytest.raises(IdempotencyConflict):
        replay(stage, source, "a#0", idempotency_key="once")


@pytest.mark.parametrize("status", ["queued", "running", "success"])
def test_runs_in_any_status_are_replayed(stage: Stage, status: str) -> None:
    source = stage.start().run_id
    if status != "queued":
        lease = stage.claim()
        assert lease
        if status == "success":
            stage.finish(lease, Completed({}))
    assert stage.run(source).status == status
    assert stage.run(replay(stage, source).run_id).input == {"name": "Ada"}


def _column(stage: Stage, run_id: str, name: str) -> Any:
    with stage.database.read() as tx:
        return tx.value(Sql(f"select {name} from runs where id = :run_id"), {"run_id": run_id})


def test_a_repeated_replay_is_the_same_whatever_the_source_has_done_meanwhile(stage: Stage) -> None:
    lease = stage.start_and_claim()
    first = replay(stage, lease.run_id, idempotency_key="once")
    record_tags(stage.database, lease, {"customer": "acme"})
    assert replay(stage, lease.run_id, idempotency_key="once").run_id == first.run_id


def test_a_wait_began_when_it_was_noted_and_an_action_when_it_was_executed(stage: Stage) -> None:
    lease = stage.start_and_claim()
    recorder = Recorder(stage, lease)
    wait = recorder.step("sleep#0", "running", "sleep")
    lost = recorder.step("action#0", "running")
    stage.finish(lease, HandedBack())
    again = stage.claim()
    assert again
    for each, started_at in ((wait, wait.started_at), (lost, lost.started_at - timedelta(minutes=5))):
        ended = replace(each, status=StepStatus.SUCCESS, started_at=started_at, finished_at=lost.started_at)
        record_step(stage.database, again, ended, stage.settings)
    with stage.database.read() as tx:
        rows = tx.rows(
            Sql("select identity, began_in from steps where run_id = :run_id"), {"run_id": lease.run_id}
        )
    assert {row.identity: row.began_in for row in rows} == {"sleep#0": 1, "action#0": 2}
    assert list(steps(stage, lease.run_id)) == ["sleep#0", "action#0"]
