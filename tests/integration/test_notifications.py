"""Notifications: written with what they tell, sent by beat, signed, tried again, each told once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest
from standardwebhooks import WebhookVerificationError

from keystroke.crashpoints import crash_point
from keystroke.domain.failure import Failure
from keystroke.domain.notification import PAUSES, Notification, pause_after
from keystroke.domain.outcome import Completed, Failed, Outcome
from keystroke.domain.secrets import HOOK_MARK
from keystroke.domain.states import Reason, Status
from keystroke.operations import finish_attempt as finishing
from keystroke.operations.recover_runs import recover_attempt
from keystroke.operations.retention import delete_expired
from keystroke.operations.send_notifications import record_answer, take_notifications
from keystroke.settings import Settings
from keystroke.store import Database, notifications
from keystroke.store.sql import Sql
from keystroke_beat.maintenance.notify import FindLateSchedules, SendNotifications, send_due
from keystroke_beat.maintenance.round import Means
from keystroke_beat.posting import post_all
from support.receiver import OLD_SECRET, SECRET, Receiver
from support.schedules import Clockwork, scheduled
from support.starts import GREET, make_stage

_DUE_NOW = Sql("update notifications set due_at = {now} where status = 'pending'")
_AGE = Sql("update notifications set created_at = 0")
NO = Failed(Failure("ValueError", "no such customer"), Reason.USER_ERROR)


@pytest.fixture
def on_each(database: Database, settings: Settings, receiver: Receiver) -> Iterator[Clockwork]:
    """A schedule that fires each second, and somebody to tell; on each database."""
    yield from _telling(database, settings, receiver)


@pytest.fixture
def clockwork(
    sqlite_database: Database, sqlite_settings: Settings, receiver: Receiver
) -> Iterator[Clockwork]:
    """The same for what does not depend on the database."""
    yield from _telling(sqlite_database, sqlite_settings, receiver)


def _telling(database: Database, settings: Settings, receiver: Receiver) -> Iterator[Clockwork]:
    to_tell = replace(
        settings, notify_url=receiver.url, notify_secret=(SECRET,), public_url="https://keystroke.example/"
    )
    clockwork = Clockwork(make_stage(database, to_tell, GREET))
    clockwork.publish(scheduled("nightly", every=1.0))
    yield clockwork
    clockwork.database.close()


def run_of(clockwork: Clockwork, outcome: Outcome) -> str:
    """Let the schedule fire, and its run end so."""
    clockwork.come_to("nightly")
    clockwork.fire()
    lease = clockwork.stage.claim()
    assert lease is not None
    assert clockwork.stage.finish(lease, outcome).won
    return lease.run_id


def told(clockwork: Clockwork) -> list[Notification]:
    """All that is on record, oldest first."""
    with clockwork.database.read() as tx:
        return notifications.list_notifications(clockwork.stage.scope, tx, {}, None, 100)[::-1]


def means(clockwork: Clockwork) -> Means:
    return Means(clockwork.stage.settings, clockwork.database, cast("Any", None), cast("Any", None))


def send(clockwork: Clockwork) -> None:
    """One round of a beat, to its end, with all that is pending being due."""
    with clockwork.database.transaction() as tx:
        tx.run(_DUE_NOW)
    this = SendNotifications()
    this.run(means(clockwork))
    this.wait(30)


def test_a_failed_run_of_a_schedule_is_told_until_it_is_accepted(
    on_each: Clockwork, receiver: Receiver
) -> None:
    run_id = run_of(on_each, NO)
    receiver.answers = [(503, {}), (500, {})]
    for tries in (1, 2, 3):
        send(on_each)
        assert len(receiver.received) == tries
    bodies = [each.verified() for each in receiver.received]
    assert bodies[0] == bodies[1] == bodies[2]
    (told_of,) = told(on_each)
    assert {each.headers["webhook-id"] for each in receiver.received} == {told_of.id}
    assert (told_of.status, told_of.attempts, told_of.last_status, told_of.last_error) == (
        "sent",
        3,
        204,
        None,
    )
    assert told_of.sent_at is not None
    source, run = on_each.source("nightly"), on_each.stage.run(run_id)
    assert bodies[0]["type"] == "schedule.run_failed"
    assert bodies[0]["data"]["trigger"] == {
        "id": source.id, "slug": "nightly", "kind": "schedule",
        "url": f"https://keystroke.example/triggers/{source.id}",
    }  # fmt: skip
    failed = bodies[0]["data"]["run"]
    assert (failed["id"], failed["workflow"], failed["reason"]) == (run_id, "greet", "user_error")
    assert failed["error"] == {"type": "ValueError", "message": "no such customer"}
    assert failed["url"] == f"https://keystroke.example/history/{run_id}"
    assert run.trigger.scheduled_at is not None
    assert failed["scheduled_at"].startswith(run.trigger.scheduled_at.isoformat()[:19])
    send(on_each)
    assert len(receiver.received) == 3, "told once"


def test_between_two_tries_it_waits(clockwork: Clockwork, receiver: Receiver) -> None:
    run_of(clockwork, NO)
    receiver.answers = [(500, {}), (429, {"Retry-After": "3600"}), (500, {"Retry-After": "soon"})]
    for pause in (timedelta(seconds=5), timedelta(hours=1), timedelta(minutes=2)):
        send(clockwork)
        (waiting,) = told(clockwork)
        assert waiting.status == "pending"
        assert waiting.due_at is not None
        with clockwork.database.read() as tx:
            assert not notifications.any_due(tx)
        left = waiting.due_at - clockwork.now()
        assert pause - timedelta(seconds=30) < left <= pause
    assert told(clockwork)[0].last_error == "answered 500"


def test_only_failures_of_runs_by_the_clock_are_told(on_each: Clockwork) -> None:
    run_of(on_each, Completed({}))
    lease = on_each.stage.start_and_claim()
    on_each.stage.finish(lease, NO)
    on_each.come_to("nightly")
    on_each.fire()
    with on_each.database.transaction() as tx:
        tx.run(Sql("update ticks set origin = 'invoke:' || id"))
    lease_of_invoked = on_each.stage.claim()
    assert lease_of_invoked is not None
    on_each.stage.finish(lease_of_invoked, NO)
    assert told(on_each) == []


def test_without_an_address_nothing_is_written(clockwork: Clockwork, receiver: Receiver) -> None:
    clockwork.stage.settings = replace(clockwork.stage.settings, notify_url="", notify_secret=())
    run_of(clockwork, NO)
    assert told(clockwork) == []
    send(clockwork)
    FindLateSchedules().run(means(clockwork))
    assert receiver.received == []


def test_an_end_that_is_rolled_back_tells_nothing(
    clockwork: Clockwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(name: str) -> None:
        if name == "attempt-ending":
            raise KeyboardInterrupt
        crash_point(name)

    monkeypatch.setattr(finishing, "crash_point", die)
    with pytest.raises(KeyboardInterrupt):
        run_of(clockwork, NO)
    assert told(clockwork) == []


@pytest.mark.parametrize("how", ["given up", "timed out"])
def test_a_run_that_is_lost_for_good_is_told(clockwork: Clockwork, how: str) -> None:
    clockwork.come_to("nightly")
    clockwork.fire()
    lease = clockwork.stage.claim()
    assert lease is not None
    settings = replace(clockwork.stage.settings, recovery_budget=0 if how == "given up" else 5)
    with clockwork.database.transaction() as tx:
        tx.run(Sql("update runs set timeout_us = 1000000"))
    worked = timedelta() if how == "given up" else timedelta(seconds=2)
    recovered = recover_attempt(clockwork.database, lease.run_id, lease.attempt, settings, worked)
    assert recovered is not None
    assert recovered.status is Status.FAILED
    (told_of,) = told(clockwork)
    assert told_of.run_id == lease.run_id
    assert told_of.data["run"]["reason"] == ("worker_lost" if how == "given up" else "timeout")


def test_the_token_of_a_hook_is_not_told(clockwork: Clockwork) -> None:
    token = HOOK_MARK + "a" * 32
    run_of(clockwork, Failed(Failure("ValueError", f"posted to {token}"), Reason.USER_ERROR))
    assert told(clockwork)[0].data["run"]["error"]["message"] == f"posted to {HOOK_MARK}[redacted]"


def test_every_secret_signs_and_no_other_does(clockwork: Clockwork, receiver: Receiver) -> None:
    clockwork.stage.settings = replace(clockwork.stage.settings, notify_secret=(SECRET, OLD_SECRET))
    run_of(clockwork, NO)
    send(clockwork)
    (received,) = receiver.received
    assert received.verified(SECRET) == received.verified(OLD_SECRET)
    with pytest.raises(WebhookVerificationError):
        received.verified("whsec_" + "A" * 32)


def test_a_redirect_is_not_followed(
    clockwork: Clockwork, receiver: Receiver, other_receiver: Receiver
) -> None:
    receiver.answers = [(307, {"Location": other_receiver.url})]
    run_of(clockwork, NO)
    send(clockwork)
    assert (len(receiver.received), other_receiver.received) == (1, [])
    (told_of,) = told(clockwork)
    assert told_of.last_error == "answered 307; notifications do not follow redirects"
    assert told_of.status == "pending"


def test_it_is_given_up_after_ten_tries_or_when_the_receiver_is_gone(
    clockwork: Clockwork, receiver: Receiver
) -> None:
    run_of(clockwork, NO)
    receiver.answers = [(500, {})] * 10
    for _ in range(11):
        send(clockwork)
    (given_up,) = told(clockwork)
    assert (given_up.status, given_up.attempts, given_up.due_at) == ("failed", 10, None)
    receiver.answers = [(410, {})]
    run_of(clockwork, NO)
    send(clockwork)
    gone = told(clockwork)[-1]
    assert (gone.status, gone.attempts, gone.last_status) == ("failed", 1, 410)


def test_pauses_grow_to_a_day_and_end() -> None:
    pauses = [pause_after(tries) for tries in range(1, 11)]
    assert pauses == [*PAUSES, None]
    assert pause_after(1, timedelta(minutes=1)) == timedelta(minutes=1)
    assert pause_after(9, timedelta(days=30)) == timedelta(days=1)


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("http://127.0.0.1:1/told", "ConnectError"),
        ("http://user:pass@\x00/", "no URL"),
    ],
)
def test_an_address_that_does_not_answer(clockwork: Clockwork, address: str, why: str) -> None:
    run_of(clockwork, NO)
    clockwork.stage.settings = replace(clockwork.stage.settings, notify_url=address)
    send(clockwork)
    (told_of,) = told(clockwork)
    assert told_of.last_status is None
    assert told_of.last_error is not None
    assert why in told_of.last_error


def test_a_receiver_that_takes_its_time_holds_up_no_round(clockwork: Clockwork, receiver: Receiver) -> None:
    came, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        came.set()
        go_on.wait(30)

    receiver.before = hold
    run_of(clockwork, NO)
    this = SendNotifications()
    this.run(means(clockwork))
    assert came.wait(15)
    this.run(means(clockwork))  # at once: one is still being sent
    assert told(clockwork)[0].status == "pending"
    go_on.set()
    this.wait(30)
    assert (told(clockwork)[0].status, len(receiver.received)) == ("sent", 1)


def test_an_answer_that_does_not_come_ends_with_the_deadline(
    clockwork: Clockwork, receiver: Receiver
) -> None:
    go_on = threading.Event()
    receiver.before = lambda: go_on.wait(30)
    run_of(clockwork, NO)
    (leased,) = take_notifications(clockwork.database, 10)
    (answered,) = post_all([leased], clockwork.stage.settings, deadline=0.2)
    go_on.set()
    assert (answered.status, answered.error) == (None, "no answer within 0.2 s")


def test_beats_side_by_side_send_each_once(on_each: Clockwork, receiver: Receiver) -> None:
    for _ in range(5):
        run_of(on_each, NO)
    together = threading.Barrier(3)

    def beat() -> None:
        together.wait()
        send_due(on_each.database, on_each.stage.settings)

    beats = [threading.Thread(target=beat) for _ in range(3)]
    for each in beats:
        each.start()
    for each in beats:
        each.join()
    ids = [each.headers["webhook-id"] for each in receiver.received]
    assert sorted(ids) == sorted(each.id for each in told(on_each))
    assert {each.status for each in told(on_each)} == {"sent"}


def test_whoever_comes_back_after_the_lease_says_nothing(on_each: Clockwork) -> None:
    run_of(on_each, NO)
    (slow,) = take_notifications(on_each.database, 10)
    assert take_notifications(on_each.database, 10) == []
    with on_each.database.transaction() as tx:
        tx.run(_DUE_NOW)
    (quick,) = take_notifications(on_each.database, 10)
    failed = post_all([slow], replace(on_each.stage.settings, notify_url="http://127.0.0.1:1/"))[0]
    record_answer(on_each.database, slow, failed)
    assert (told(on_each)[0].attempts, told(on_each)[0].last_error) == (2, None)
    record_answer(on_each.database, quick, replace(failed, error=None, status=200))
    assert told(on_each)[0].status == "sent"


def test_what_is_over_is_forgotten_after_a_month(on_each: Clockwork, receiver: Receiver) -> None:
    run_of(on_each, NO)
    send(on_each)
    receiver.answers = [(500, {})]
    run_of(on_each, NO)
    send(on_each)
    delete_expired(on_each.database)
    assert len(told(on_each)) == 2
    with on_each.database.transaction() as tx:
        tx.run(_AGE)
    delete_expired(on_each.database)
    assert [each.status for each in told(on_each)] == ["pending"]
