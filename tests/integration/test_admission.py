"""Runs that an attempt admits: two at once, payloads that did not fit at the start, secrets in what came from outside."""

from __future__ import annotations

import json
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

import pytest

from keystroke.domain import states
from keystroke.domain.actor import LOCAL_OWNER, SYSTEM
from keystroke.domain.keys import limits_of
from keystroke.domain.lease import AnyLease, Lease
from keystroke.domain.outcome import Admitting, Completed, Failed
from keystroke.domain.presentation import run_json
from keystroke.domain.states import Reason, Status
from keystroke.errors import RunEnded
from keystroke.operations.admit_run import Admission
from keystroke.operations.cancel_run import cancel_run
from keystroke.operations.finish_attempt import Finished, finish_attempt
from keystroke.operations.moving import move_run
from keystroke.operations.start_attached import SourceEvent, start_attached, wishes
from keystroke.store import sources
from keystroke.store.sql import Sql
from support.blocking import blocked
from support.limited import broken_keys
from support.limited import states as all_states
from support.transformed import MakeTriggered, TriggeredRig

_FLOWS = """
    class Secret(BaseModel):
        user: str
        password: SecretStr

    class Count(BaseModel):
        count: int

    def flow(slug, policy):
        @workflow(slug, concurrency=Concurrency(1, key="{input.count}", policy=policy))
        def limited(counted: Count) -> int:
            return counted.count
        return limited

    queued, skipped, replaced = flow("queued", "queue"), flow("skipped", "skip"), flow("replaced", "replace")

    @workflow("sign-in")
    def sign_in(secret: Secret, ctx: Context) -> str:
        CALLS.append(ctx.trigger.payload)
        return secret.password.get_secret_value()[:1]

    @workflow("sign-up")
    def sign_up(user: str) -> str:
        return user

    def user_of(secret: Secret):
        CALLS.append(secret.password.get_secret_value())
        return secret.user

    raw = webhook("raw", "raw", verify=open_endpoint())
    for each in (queued, skipped, replaced):
        raw.attach(each, transform=lambda payload: payload)
    webhook("plain", "plain", verify=open_endpoint()).attach(queued).attach(sign_in)
    webhook("sealed", "sealed", payload=Secret, verify=open_endpoint()).attach(sign_up, transform=user_of)
"""
_BODIES = Sql("select name, body from run_payloads where run_id = :run_id")


@pytest.fixture
def rig(make_triggered: MakeTriggered) -> TriggeredRig:
    """The project above."""
    return make_triggered(_FLOWS)


def _admission(rig: TriggeredRig, workflow: str, count: int) -> Admission:
    value = {"count": count}
    return Admission(
        json.dumps(value), limits_of(rig.project.manifest.workflows[workflow], lambda: value, {})
    )


def test_the_second_admission_sees_the_first(rig: TriggeredRig, second: ThreadPoolExecutor) -> None:
    for workflow, expected in (
        ("skipped", [Status.QUEUED, Status.CANCELED]),
        ("replaced", [Status.CANCELED, Status.QUEUED]),
    ):
        run_ids = [rig.bring("raw", {"count": 1}, workflow) for _ in range(2)]
        leases = [rig.claim(), rig.claim()]
        admission = _admission(rig, workflow, 1)
        with rig.database.transaction() as tx:
            admission.reserve(tx, rig.stage.project.id)
            attempted = blocked(rig.database, second, partial(rig.attempt, leases[1]))
            moved = move_run(tx, states.ADMIT, run_ids[0], actor=SYSTEM, attempt=1)
            assert moved is not None
            admission.admit(tx, moved, rig.settings)
        assert isinstance(attempted.result(), Admitting)
        assert [rig.run(each).status for each in run_ids] == expected
        rig.run_queued()


def _admit(rig: TriggeredRig, lease: Lease) -> AnyLease | None:
    """As its attempt does, claiming the next; attempts themselves are for one thread."""
    return _admitted(rig, lease).next


def _admitted(rig: TriggeredRig, lease: Lease) -> Finished:
    workflow, value = rig.project.manifest.workflows[lease.workflow], lease.trigger.payload
    outcome = Admitting(value, limits_of(workflow, lambda: value, {}))
    return finish_attempt(rig.database, lease, outcome, timedelta(), rig.settings, rig.stage.claimant)


def test_an_admission_says_which_running_run_it_replaces(rig: TriggeredRig) -> None:
    """Its worker is told at once, instead of with its next heartbeat."""
    first, other = (rig.bring("raw", {"count": 1}, "replaced") for _ in range(2))
    running = _admitted(rig, rig.claim()).next
    assert running is not None
    assert (running.id, running.attempt) == (first, 2)
    lease = rig.claim()
    assert lease.id == other
    [canceled] = _admitted(rig, lease).canceled
    assert (canceled.worker_id, canceled.run_id, canceled.attempt) == (running.worker_id, first, 2)


def test_many_are_admitted_started_and_canceled_at_once(rig: TriggeredRig) -> None:
    """Nobody waits for ever, and at the end every run has ended and no key is broken."""
    choice = random.Random(8)
    for number in range(24):
        rig.bring("raw", {"count": number % 2}, choice.choice(["queued", "skipped", "replaced"]))
    leases = [rig.claim() for _ in range(24)]

    def start() -> None:
        with rig.database.transaction() as tx:
            source = sources.of_slug(tx, rig.stage.project.id, "plain")
            assert source is not None
            wanted = wishes(source, {"count": 1}, "queued")
            start_attached(tx, rig.stage.project, SourceEvent("dlv_1"), wanted, rig.settings, rig.stage.box)

    def cancel(run_id: str) -> None:
        try:
            cancel_run(rig.database, rig.stage.scope, run_id, LOCAL_OWNER, rig.settings)
        except RunEnded:
            return

    with ThreadPoolExecutor(4) as pool:
        admitted = [pool.submit(_admit, rig, lease) for lease in leases]
        others = [pool.submit(start) for _ in range(6)]
        others += [pool.submit(cancel, lease.run_id) for lease in leases[::5]]
        claimed = [lease for job in admitted if isinstance(lease := job.result(), Lease)]
        for job in others:
            job.result()
    assert broken_keys(rig.stage) == []
    for lease in claimed:
        rig.attempt(lease)
    rig.run_queued()
    assert {row.status for row in all_states(rig.stage)} <= {"success", "canceled"}


def test_what_did_not_fit_at_the_start_is_judged_by_the_first_attempt(rig: TriggeredRig) -> None:
    """By the code's own word: it may take what the published schema refuses, and is limited then as any other."""
    fits, taken, refused = (
        rig.bring("plain", {"count": each}, "queued") for each in (1, "1", "one")
    )  # fmt: skip
    assert isinstance(rig.attempt(), Completed)
    assert isinstance(rig.attempt(), Admitting)
    assert isinstance(rig.attempt(), Completed)
    assert isinstance(rig.attempt(), Failed)
    keys = {row.id: row.concurrency_key for row in all_states(rig.stage)}
    assert (keys[fits], keys[taken], keys[refused]) == ("queued/1", "queued/1", None)
    run = rig.run(refused)
    assert (run.status_reason, run.input) == (Reason.INVALID_INPUT, {"count": "one"})


def _kept(rig: TriggeredRig, run_id: str) -> str:
    with rig.database.read() as tx:
        return " ".join(row.body for row in tx.rows(_BODIES, {"run_id": run_id}))


def _shown(rig: TriggeredRig, run_id: str) -> str:
    return json.dumps(run_json(rig.run(run_id), frozenset()))


def test_secrets_of_an_input_are_those_of_the_payload_as_well(rig: TriggeredRig) -> None:
    run_id = rig.bring("plain", {"user": "ada", "password": "hunter2"}, "sign-in")
    assert "hunter2" not in _kept(rig, run_id) + _shown(rig, run_id)
    assert rig.attempt() == Completed("h")
    assert rig.calls == [{"user": "ada", "password": "hunter2"}], "the code reads it"
    assert rig.run(run_id).trigger.payload["user"] == "ada"


@pytest.mark.parametrize(
    "payload", [{"password": "hunter2"}, {"user": "ada", "pass": {"word": ["hunter2"]}}, "hunter2"]
)
def test_an_input_that_does_not_fit_may_have_its_secrets_anywhere(rig: TriggeredRig, payload: object) -> None:
    run_id = rig.bring("plain", payload, "sign-in")
    assert isinstance(rig.attempt(), Failed)
    assert rig.run(run_id).status_reason is Reason.INVALID_INPUT
    assert "hunter2" not in _kept(rig, run_id) + _shown(rig, run_id)


def test_secrets_of_a_payload_behind_a_transform(rig: TriggeredRig) -> None:
    run_id = rig.bring("sealed", {"user": "ada", "password": "hunter2"})
    assert rig.attempt() == Completed("ada")
    assert rig.calls == ["hunter2"]
    assert "hunter2" not in _kept(rig, run_id) + _shown(rig, run_id)


def test_nobody_outside_writes_an_encrypted_value(rig: TriggeredRig) -> None:
    """It would be opened for the code, whoever it was encrypted for."""
    token = rig.stage.box.encrypt("of somebody else")
    run_id = rig.bring("plain", {"user": "ada", "password": {"$sealed": token}}, "sign-in")
    rig.attempt()
    run = rig.run(run_id)
    assert (run.status, run.output) == (Status.SUCCESS, "{"), "a text like any other"
