"""Ticks of polls: made when they are due, executed, and ended in one transaction with their state and their runs."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from keystroke.errors import TickUnderWay
from keystroke.operations.publish_deployment import publish_deployment
from keystroke.store.sql import Sql
from support.poll_rig import INVOICES, MakePolls, PollRig, any_poll

_DISABLE = Sql("update sources set disabled_at = {now} where slug = :slug")
_NOTIFICATIONS = Sql("select kind, body from notifications")
_PAUSE = Sql("update sources set paused_until = {now} + :us where slug = :slug")
_CANCEL = Sql("update ticks set cancel_requested_at = {now} where status = 'running'")
_DISABLE_ATTACHMENT = Sql("update attachments set disabled_at = {now} where workflow = :workflow")


@pytest.fixture
def rig(make_polls: MakePolls) -> PollRig:
    return make_polls(INVOICES)


def test_the_first_tick_comes_at_once_and_starts_a_run_for_each_payload(rig: PollRig) -> None:
    rig.given["invoices"] = [1, 2]
    tick = rig.tick()
    assert (tick.outcome, tick.status, tick.error) == ("fired", "ended", None)
    runs = rig.runs()
    assert [run.input for run in runs] == [{"number": 1}, {"number": 2}]
    assert json.loads(tick.run_ids) == [run.id for run in runs]
    assert {(run.trigger.type, run.trigger.id, run.trigger.value) for run in runs} == {
        ("poll", tick.id, "invoices:handle")
    }
    assert runs[0].trigger.label == "Poll · invoices"
    assert runs[0].trigger.scheduled_at is not None
    assert rig.state("invoices") == {"at": 2}
    assert json.loads(tick.found) == {"payloads": 2, "filtered": 0, "seen": 0, "runs": 2}


def test_the_state_goes_from_tick_to_tick(rig: PollRig) -> None:
    for number in (1, 2, 3):
        rig.given["invoices"] = [number]
        rig.tick()
        rig.advance(300)
    assert rig.calls == [None, 1, 2]
    assert rig.state("invoices") == {"at": 3}


def test_nothing_is_due_before_its_time_and_after_a_downtime_there_is_one_tick(rig: PollRig) -> None:
    rig.given["invoices"] = []
    rig.tick()
    assert rig.queue() == []
    rig.advance(86_400)
    tick = rig.tick()
    assert tick.missed == 287
    assert rig.queue() == []
    assert len(rig.ticks()) == 2


def test_a_tick_while_another_one_goes_on_is_skipped_and_on_record(rig: PollRig) -> None:
    rig.given["invoices"] = []
    [first] = rig.queue()
    rig.advance(300)
    assert rig.queue() == []
    assert [(row.id == first.tick_id, row.status, row.outcome) for row in rig.ticks()] == [
        (True, "queued", None), (False, "ended", "skipped_overlap"),
    ]  # fmt: skip
    rig.work()
    rig.advance(300)
    assert len(rig.queue()) == 1


def test_disabled_paused_and_retired_polls_are_left_alone(rig: PollRig) -> None:
    rig.given["invoices"] = []
    with rig.database.transaction() as tx:
        tx.run(_PAUSE, {"slug": "invoices", "us": 60_000_000})
    assert rig.queue() == []
    rig.advance(61)
    assert len(rig.queue()) == 1
    rig.work()
    rig.advance(300)
    with rig.database.transaction() as tx:
        tx.run(_DISABLE, {"slug": "invoices"})
    assert rig.queue() == []


def test_a_redeploy_keeps_the_clock_unless_the_times_change(make_polls: MakePolls) -> None:
    first = make_polls(INVOICES)
    first.given["invoices"] = []
    first.tick()
    second = make_polls(INVOICES + "\nTWO = 2\n")
    assert second.queue() == [], "a redeploy changes nothing about when it looks"
    third = make_polls(INVOICES.replace("5m", "10m"))
    assert len(third.queue()) == 1, "a new timing begins at once"


def test_a_failing_tick_is_on_record_with_the_users_frames_and_is_tried_again_soon(rig: PollRig) -> None:
    rig.given["invoices"] = ValueError("no connection")
    tick = rig.tick()
    error = json.loads(tick.error)
    assert (tick.outcome, error["type"], error["message"]) == ("error", "ValueError", "no connection")
    assert [frame["function"] for frame in error["stack"]] == ["invoices"]
    assert error["stack"][0]["path"] == "triggers/polls.py"
    assert rig.source("invoices").failures == 1
    assert rig.queue() == []
    rig.advance(11)
    again = rig.tick()
    assert again.outcome == "error"
    assert rig.source("invoices").failures == 2
    rig.advance(11)
    assert rig.queue() == [], "the pause doubles"
    rig.advance(10)
    rig.given["invoices"] = [7]
    assert rig.tick().outcome == "fired"
    assert rig.source("invoices").failures == 0
    assert rig.state("invoices") == {"at": 7}


def test_after_some_failures_in_a_row_somebody_is_told_once(rig: PollRig) -> None:
    rig.settings = replace(rig.settings, notify_url="https://example.com/hook")
    rig.given["invoices"] = ValueError("no connection")
    for _ in range(5):
        rig.tick()
        rig.advance(301)
    with rig.database.read() as tx:
        [told] = tx.rows(_NOTIFICATIONS)
    assert told.kind == "poll.unhealthy"
    assert json.loads(told.body)["tick_id"] == rig.ticks()[2].id


def test_what_was_seen_starts_nothing_until_it_is_forgotten(make_polls: MakePolls) -> None:
    rig = any_poll(make_polls, 'dedupe_key=lambda payload: payload["id"], dedupe_for="1h"')
    rig.given["any"] = [{"id": 1}, {"id": 2}, {"id": 1}]
    assert json.loads(rig.tick().found) == {"payloads": 3, "filtered": 0, "seen": 1, "runs": 2}
    for _ in range(30):
        rig.advance(300)
        rig.given["any"] = [{"id": 2}]
        assert rig.tick().outcome == "filtered", "what goes on coming stays known"
    rig.given["any"] = [{"id": 1}, {"id": 2}]
    rig.advance(300)
    rig.tick()
    assert [run.input["id"] for run in rig.runs()] == [1, 2, 1]


def test_a_key_counts_only_where_something_was_started_for_it(make_polls: MakePolls) -> None:
    rig = any_poll(make_polls, 'dedupe_key=lambda payload: "x" * 5000 + chr(0)')
    rig.given["any"] = [1]
    with rig.database.transaction() as tx:
        tx.run(_DISABLE_ATTACHMENT, {"workflow": "anything"})
    assert rig.tick().outcome == "filtered"
    with rig.database.transaction() as tx:
        tx.run(Sql("update attachments set disabled_at = null"))
    rig.advance(300)
    assert rig.tick().outcome == "fired"
    rig.advance(300)
    assert rig.tick().outcome == "filtered"


def test_a_state_that_was_edited_meanwhile_is_not_overwritten(rig: PollRig) -> None:
    rig.given["invoices"] = [1]
    rig.queue()
    lease = rig.claim()
    result = rig.execute(lease)
    rig.edit_state("invoices", {"at": 100})
    rig.finish(lease, result)
    [tick] = rig.ticks()
    assert json.loads(tick.error)["type"] == "StateEdited"
    assert (rig.state("invoices"), rig.runs(), rig.source("invoices").failures) == ({"at": 100}, [], 0)
    rig.given["invoices"] = [101]
    assert rig.tick().outcome == "fired", "the next one comes at once"
    assert rig.calls == [None, 100]


def test_by_hand_with_who_did_it(rig: PollRig) -> None:
    rig.given["invoices"] = [1]
    rig.tick()
    rig.given["invoices"] = [2]
    fired = rig.fire("invoices")
    with pytest.raises(TickUnderWay):
        rig.fire("invoices")
    assert rig.work().id == fired.tick_id
    first, second = rig.ticks()
    assert (second.origin, second.actor_name) == (f"invoke:{second.id}", "Ada")
    assert [run.actor.name for run in rig.runs()] == ["Poll · invoices", "Ada"]
    assert rig.state("invoices") == {"at": 2}
    assert first.id != second.id


def test_a_dry_run_tells_what_would_start_and_changes_nothing(make_polls: MakePolls) -> None:
    rig = make_polls(INVOICES.replace('every="5m"', 'every="5m", dedupe_key=lambda each: each.number'))
    rig.given["invoices"] = [1]
    rig.tick()
    rig.given["invoices"] = [1, 2]
    before = rig.source("invoices")
    rig.fire("invoices", dry_run=True)
    tick = rig.work()
    assert (tick.outcome, json.loads(tick.run_ids)) == ("fired", [])
    assert json.loads(tick.found) == {
        "payloads": 2, "filtered": 0, "seen": 1, "runs": 1, "state": {"at": 2},
        "starts": [{"attachment": "invoices:handle", "payload": {"number": 2}}],
    }  # fmt: skip
    rig.given["invoices"] = ValueError("no")
    rig.fire("invoices", dry_run=True)
    assert rig.work().outcome == "error"
    after = rig.source("invoices")
    assert (after.failures, after.next_at, len(rig.runs())) == (0, before.next_at, 1)
    assert rig.state("invoices") == {"at": 1}


def test_a_cancel_that_comes_at_the_end_counts(rig: PollRig) -> None:
    rig.given["invoices"] = [1]
    rig.queue()
    lease = rig.claim()
    result = rig.execute(lease)
    with rig.database.transaction() as tx:
        tx.run(_CANCEL)
    rig.finish(lease, result)
    assert json.loads(rig.ticks()[0].error)["type"] == "TickCanceled"
    assert (rig.runs(), rig.state("invoices")) == ([], None)


GROUP = """
def look():
    CALLS.append(1)
    given = GIVEN["inbox"]
    if isinstance(given, BaseException):
        raise given
    return given

urgent = poll("urgent", every="5m", group="inbox", filter=lambda mail: mail.get("urgent"))(look)
urgent.attach(anything)

@poll("all-mail", every="5m", group="inbox", dedupe_key=lambda mail: mail["id"])
def all_mail():
    return look()
all_mail.attach(anything)
"""


def test_a_group_is_polled_once_and_each_is_given_the_result(make_polls: MakePolls) -> None:
    rig = make_polls(GROUP)
    rig.given["inbox"] = [{"id": 1}, {"id": 2, "urgent": True}]
    assert len(rig.queue()) == 1
    rig.work()
    assert rig.calls == [1]
    [of_all], [of_urgent] = rig.ticks("all-mail"), rig.ticks("urgent")
    assert (of_all.outcome, of_urgent.outcome) == ("fired", "fired")
    assert of_all.scheduled_at == of_urgent.scheduled_at
    assert (len(json.loads(of_all.run_ids)), len(json.loads(of_urgent.run_ids))) == (2, 1)
    rig.advance(300)
    rig.tick()
    assert [row.outcome for row in rig.ticks("all-mail")] == ["fired", "filtered"]
    assert [row.outcome for row in rig.ticks("urgent")] == ["fired", "fired"]
    assert [run.trigger.value for run in rig.runs()].count("urgent:anything") == 2


def test_a_group_fails_together_and_each_comes_back(make_polls: MakePolls) -> None:
    rig = make_polls(GROUP)
    rig.given["inbox"] = ValueError("no connection")
    rig.tick()
    assert [rig.source(slug).failures for slug in ("all-mail", "urgent")] == [1, 1]
    rig.given["inbox"] = [{"urgent": True}]
    rig.advance(11)
    rig.tick()
    [_, of_all], [_, of_urgent] = rig.ticks("all-mail"), rig.ticks("urgent")
    assert (of_all.outcome, of_urgent.outcome) == ("error", "fired"), "its key fails for one of them alone"
    assert [rig.source(slug).failures for slug in ("all-mail", "urgent")] == [2, 0]


def test_of_a_group_only_the_active_are_given_anything(make_polls: MakePolls) -> None:
    rig = make_polls(GROUP)
    rig.given["inbox"] = [{"id": 1, "urgent": True}]
    with rig.database.transaction() as tx:
        tx.run(_DISABLE, {"slug": "all-mail"})
    rig.tick()
    assert rig.ticks("all-mail") == []
    assert [row.outcome for row in rig.ticks("urgent")] == ["fired"]
    rig.fire("all-mail")
    rig.work()
    assert [row.outcome for row in rig.ticks("all-mail")] == ["fired"], "by hand it is for one of them alone"
    assert len(rig.ticks("urgent")) == 1


def test_a_poll_that_lost_its_workflow_while_it_was_executed(make_polls: MakePolls) -> None:
    rig = make_polls(INVOICES)
    rig.given["invoices"] = [1]
    rig.queue()
    lease = rig.claim()
    result = rig.execute(lease)
    manifest = rig.project.manifest
    workflows = {slug: each for slug, each in manifest.workflows.items() if slug != "handle"}
    publish_deployment(rig.database, replace(manifest, workflows=workflows, sources={}, digest="two"))
    rig.finish(lease, result)
    [tick] = rig.ticks()
    assert json.loads(tick.error)["type"] == "WorkflowNotFound"
    assert rig.state("invoices") is None
