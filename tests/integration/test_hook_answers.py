"""Answers to hooks: who may, what is refused and how, and that each wakes its run exactly once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import pytest

from keystroke.domain import states
from keystroke.domain.actor import LINK_HOLDER, LOCAL_OWNER, SYSTEM, Actor
from keystroke.domain.asking import AskingStatus
from keystroke.domain.scope import Scope
from keystroke.domain.states import Status
from keystroke.errors import (
    HookAnswered,
    HookEnded,
    HookExpired,
    HookNotFound,
    InvalidAnswer,
    KeystrokeError,
    NotJson,
    PayloadTooLarge,
    RunEnded,
)
from keystroke.operations.answer_hook import AnswerTaken, answer_by_id, answer_by_token, find_asking
from keystroke.operations.cancel_run import cancel_run
from keystroke.operations.moving import move_run
from keystroke.operations.wake_due import wake_due
from keystroke.store import answers, history
from keystroke.store.sql import Sql
from support.blocking import blocked
from support.hooks import (
    APPROVAL,
    YES,
    Question,
    answer,
    ask,
    later,
    recorded_answer,
    wait_for_answer,
    waiting,
)
from support.starts import Stage

DAY = timedelta(days=1)
_ANSWER = Sql("select answer, answered_at, answered_from from hooks where id = :id")
_AUDIT = Sql("select action, target, detail, actor_name from audit_log order by id desc limit 1")


@pytest.fixture
def tomorrow(stage: Stage) -> Iterator[Stage]:
    """The same stage two days ahead."""
    ahead = later(stage, 2 * 86_400)
    with closing(ahead.database):
        yield ahead


def transitions(stage: Stage, run_id: str) -> list[str]:
    """What the run went through."""
    with stage.database.read() as tx:
        return [entry.transition for entry in history.list_timeline(stage.scope, tx, run_id)]


def kept(stage: Stage, question: Question) -> object:
    """The answer on record."""
    with stage.database.read() as tx:
        text = tx.value(_ANSWER, {"id": question.id})
    return None if text is None else json.loads(text)


def cancel(stage: Stage, question: Question) -> None:
    """Cancel the run that asks."""
    cancel_run(stage.database, stage.scope, question.run_id, LOCAL_OWNER, stage.settings)


def test_an_answer_is_kept_with_who_when_and_from_where_and_queues_the_run(stage: Stage) -> None:
    question = waiting(stage)
    assert stage.run(question.run_id).status is Status.WAITING_ON_HOOK
    taken = answer(stage, question, {"approved": True, "comment": "fine"})
    assert taken.woken == ((stage.project.id, "default"),)
    assert taken.asking.status is AskingStatus.ANSWERED
    assert (taken.asking.hook.answered_by, taken.asking.hook.answered_from) == (LINK_HOLDER, "192.0.2.7")
    assert taken.asking.hook.answered_at is not None
    assert kept(stage, question) == {"approved": True, "comment": "fine"}
    assert stage.run(question.run_id).status is Status.QUEUED
    assert transitions(stage, question.run_id)[-2:] == ["await_hook", "answer"]
    with stage.database.read() as tx:
        assert tuple(tx.rows(_AUDIT)[0]) == ("hook.answer", question.id, "192.0.2.7", LINK_HOLDER.name)
    assert stage.claim() is not None


def test_people_and_keys_answer_by_id_within_what_they_see(stage: Stage) -> None:
    question = waiting(stage)
    actor = Actor("api_key", "key_1", "Ada's key")

    def by_id(scope: Scope, hook_id: str = question.id) -> AnswerTaken:
        return answer_by_id(stage.database, scope, hook_id, YES, actor, None, stage.settings, stage.box)

    for scope in (Scope("org_none"), Scope(stage.project.organization_id, ("prj_none",))):
        with pytest.raises(HookNotFound):
            by_id(scope)
    with pytest.raises(HookNotFound):
        by_id(stage.scope, "hook_none")
    assert by_id(stage.scope).asking.hook.answered_by == actor
    with stage.database.read() as tx:
        assert history.list_timeline(stage.scope, tx, question.run_id)[-1].actor == actor


def test_it_answers_once(stage: Stage) -> None:
    question = waiting(stage)
    answer(stage, question)
    for value in (YES, {"approved": False}, "no answer at all"):
        with pytest.raises(HookAnswered):
            answer(stage, question, value)
    assert kept(stage, question) == YES


@pytest.mark.parametrize(
    "token", ["", "hkt_", "hkt_" + "a" * 32, "hkt_" + "a" * 33, "HKT_" + "a" * 32, "é", "\x00", "x" * 9000]
)
def test_an_unknown_token_is_not_repeated(stage: Stage, token: str) -> None:
    with pytest.raises(HookNotFound) as caught:
        answer_by_token(stage.database, token, YES, None, stage.settings, stage.box)
    assert str(caught.value) == "There is no hook under this link."


def test_an_expired_hook_takes_no_answer_by_the_clock_of_the_database(stage: Stage, tomorrow: Stage) -> None:
    question = waiting(stage, timeout=DAY)
    assert recorded_answer(stage, question).status is AskingStatus.WAITING
    with pytest.raises(HookExpired):
        answer(tomorrow, question)
    assert find_asking(tomorrow.database, question.token).status is AskingStatus.EXPIRED
    answer(stage, question)


@pytest.mark.parametrize("canceled", [True, False])
def test_a_run_that_has_ended_needs_no_answer(stage: Stage, canceled: bool) -> None:
    lease = stage.start_and_claim()
    question = ask(stage, lease)
    if canceled:
        wait_for_answer(stage, lease, question)
        cancel(stage, question)
    else:
        stage.finish(lease)
    with pytest.raises(HookEnded):
        answer(stage, question)
    assert kept(stage, question) is None
    assert recorded_answer(stage, question).status is AskingStatus.ENDED


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({}, "$"), ({"approved": "yes"}, "$.approved"), ([], "$"), (None, "$"),
        ({"approved": True, "email": "nowhere"}, "$.email"), ({"approved": True, "comment": {"$sealed": "k:x"}}, "$.comment"),
        ({"approved": True, "more": {"$sealed": "k:x"}}, "$"),
    ],
)  # fmt: skip
def test_what_breaks_the_schema_leaves_the_run_waiting(stage: Stage, value: object, path: str) -> None:
    question = waiting(stage)
    with pytest.raises(InvalidAnswer) as caught:
        answer_by_token(stage.database, question.token, value, None, stage.settings, stage.box)
    assert path in [error.path for error in caught.value.errors]
    assert stage.run(question.run_id).status is Status.WAITING_ON_HOOK
    answer(stage, question)


def test_a_schema_that_cannot_be_checked_is_a_refusal_that_says_so(stage: Stage) -> None:
    question = waiting(stage, schema={"type": "string", "pattern": r"\p{L}+"})
    with pytest.raises(InvalidAnswer, match="cannot be checked here"):
        answer(stage, question, "yes")


def test_too_much_and_what_is_no_json_leave_the_run_waiting(stage: Stage) -> None:
    question = waiting(stage, schema={})
    small = replace(stage.settings, payload_limit=100)
    deep: object = 1
    for _ in range(300):
        deep = [deep]
    for value, error in (
        ("x" * 200, PayloadTooLarge),
        ("\ud800", NotJson),
        (deep, NotJson),
        (float("nan"), NotJson),
    ):
        with pytest.raises(error):
            answer_by_token(stage.database, question.token, value, None, small, stage.box)
    assert recorded_answer(stage, question).status is AskingStatus.WAITING


def test_secrets_in_an_answer_are_sealed(stage: Stage) -> None:
    schema = {"type": "object", "properties": {"code": {"type": "string", "writeOnly": True}}}
    question = waiting(stage, schema=schema)
    answer(stage, question, {"code": "4711"})
    found = kept(stage, question)
    assert isinstance(found, dict)
    assert stage.box.decrypt(found["code"]["$sealed"]) == "4711"
    assert "4711" not in json.dumps(found)


def test_an_answer_before_the_wait_is_kept_and_wakes_nobody(stage: Stage) -> None:
    lease = stage.start_and_claim()
    question = ask(stage, lease)
    assert answer(stage, question).woken == ()
    assert stage.run(lease.run_id).status is Status.RUNNING
    wait_for_answer(stage, lease, question)
    assert stage.run(lease.run_id).status is Status.QUEUED, "the answer had come already"


def test_an_answer_that_nobody_waits_for_yet_leaves_the_run_at_rest(stage: Stage) -> None:
    lease = stage.start_and_claim()
    first, second = ask(stage, lease, "first"), ask(stage, lease, "second")
    wait_for_answer(stage, lease, first)
    assert answer(stage, second).woken == ()
    assert stage.run(lease.run_id).status is Status.WAITING_ON_HOOK
    assert answer(stage, first).woken
    assert stage.run(lease.run_id).status is Status.QUEUED


def test_of_two_answers_at_once_exactly_one_wins(stage: Stage, second: ThreadPoolExecutor) -> None:
    question = waiting(stage)
    asking = recorded_answer(stage, question)
    with stage.database.transaction() as tx:
        assert answers.lock_hook(tx, asking) is not None
        other = blocked(stage.database, second, lambda: answer(stage, question, {"approved": False}))
        assert answers.put_answer(tx, question.id, answers.Answer('{"approved":true}', LINK_HOLDER, None))
    with pytest.raises(HookAnswered):
        other.result()
    assert kept(stage, question) == YES


def test_many_answers_at_once_wake_the_run_once(stage: Stage) -> None:
    question, start = waiting(stage), Barrier(6)

    def attempt(number: int) -> AnswerTaken | KeystrokeError:
        start.wait(10)
        try:
            return answer(stage, question, {"approved": True, "comment": str(number)})
        except HookAnswered as error:
            return error

    with ThreadPoolExecutor(6) as pool:
        taken = [each for each in pool.map(attempt, range(6)) if isinstance(each, AnswerTaken)]
    assert len(taken) == 1
    assert transitions(stage, question.run_id).count("answer") == 1


def test_a_cancel_that_goes_first_ends_the_run_and_the_answer_is_refused(
    stage: Stage, second: ThreadPoolExecutor
) -> None:
    question = waiting(stage)
    with stage.database.transaction() as tx:
        moved = move_run(tx, states.CANCEL_AT_REST, question.run_id, actor=LOCAL_OWNER)
        late = blocked(stage.database, second, lambda: answer(stage, question))
    assert moved is not None
    with pytest.raises(HookEnded):
        late.result()
    assert (stage.run(question.run_id).status, kept(stage, question)) == (Status.CANCELED, None)


def test_a_cancel_behind_the_answer_cancels_the_queued_run(stage: Stage, second: ThreadPoolExecutor) -> None:
    question = waiting(stage)
    answer(stage, question)
    cancel(stage, question)
    assert stage.run(question.run_id).status is Status.CANCELED
    with pytest.raises(RunEnded):
        cancel(stage, question)
    with pytest.raises(HookAnswered):
        answer(stage, question)


def test_an_answer_beside_the_wake_of_its_timeout_continues_the_run_once(
    stage: Stage, tomorrow: Stage
) -> None:
    """The clock decides: what was answered in time is not woken again, what was not is refused."""
    answered, missed = waiting(stage, timeout=DAY), waiting(stage, timeout=DAY)
    answer(stage, answered)
    assert wake_due(tomorrow.database) == {(stage.project.id, "default")}
    assert transitions(stage, answered.run_id).count("answer") == 1
    assert "due" not in transitions(stage, answered.run_id)
    assert transitions(stage, missed.run_id)[-1] == "due"
    with pytest.raises(HookExpired):
        answer(tomorrow, missed)
    assert transitions(stage, missed.run_id)[-1] == "due"


def test_a_run_woken_by_its_timeout_beside_an_answer_in_time_is_queued_once(
    stage: Stage, second: ThreadPoolExecutor
) -> None:
    """The wake holds the run while an answer comes in time by the clock: it is kept, and the run queued once."""
    question = waiting(stage, timeout=DAY)
    with stage.database.transaction() as tx:
        assert move_run(tx, states.DUE, question.run_id, actor=SYSTEM) is not None
        beside = blocked(stage.database, second, lambda: answer(stage, question))
    assert beside.result().woken == ()
    assert transitions(stage, question.run_id)[-1] == "due"
    assert kept(stage, question) == YES


def test_lists_follow_the_status_and_page_by_id(stage: Stage, tomorrow: Stage) -> None:
    expiring, open_ended, answered, ended = (waiting(stage, timeout=each) for each in (DAY, None, None, None))
    answer(stage, answered)
    cancel(stage, ended)

    def listed(at: Stage, status: AskingStatus | None, **how: object) -> list[str]:
        with at.database.read() as tx:
            found = answers.list_hooks(at.scope, tx, status=status, limit=how.pop("limit", 10), **how)  # type: ignore[arg-type]
        return [asking.hook.id for asking in found]

    assert listed(stage, AskingStatus.WAITING) == [open_ended.id, expiring.id]
    assert listed(stage, AskingStatus.WAITING, limit=1) == [open_ended.id]
    assert listed(stage, AskingStatus.WAITING, before=open_ended.id) == [expiring.id]
    assert listed(stage, AskingStatus.WAITING, run_id=expiring.run_id) == [expiring.id]
    assert listed(stage, AskingStatus.ANSWERED) == [answered.id]
    assert listed(stage, AskingStatus.ENDED) == [ended.id]
    assert listed(stage, AskingStatus.EXPIRED) == []
    assert listed(stage, None) == [ended.id, answered.id, open_ended.id, expiring.id]
    assert listed(tomorrow, AskingStatus.WAITING) == [open_ended.id]
    assert listed(tomorrow, AskingStatus.EXPIRED) == [expiring.id]
    nobody = replace(stage, project=replace(stage.project, organization_id="org_none"))
    assert listed(nobody, None) == []
    assert "token" not in json.dumps(recorded_answer(stage, answered).as_json())
    assert recorded_answer(stage, answered).as_json()["schema"] == APPROVAL
