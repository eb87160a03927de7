"""A run's events are numbered under its row's lock: from every number on, a reader is sent exactly the rest."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from keystroke.domain.lease import Lease
from keystroke.domain.outcome import HandedBack
from keystroke.domain.states import Status
from keystroke.domain.step import Step, StepKind, StepStatus
from keystroke.domain.trace import LogLine
from keystroke.operations.record_progress import record_progress
from keystroke.operations.record_step import note_running_steps, record_step
from keystroke.operations.record_trace import record_trace
from keystroke.store import changes
from keystroke.store.changes import Between
from keystroke.store.sql import Sql
from support.api import Api
from support.starts import Stage
from support.streams import Event, events

_AT = datetime(2026, 11, 23, 12, tzinfo=UTC)


def step(number: int, status: StepStatus = StepStatus.SUCCESS) -> Step:
    """A step as the execution hands it over."""
    return Step(f"work#{number}", "work", "Work", StepKind.ACTION, status, 1, "digest", _AT, _AT)


def say(stage: Stage, lease: Lease, *bodies: str) -> None:
    """Write log lines."""
    lines = [LogLine(_AT, "INFO", body, "stdout") for body in bodies]
    record_trace(stage.database, lease, [], lines, stage.settings)


def live(stage: Stage) -> Lease:
    """A run in its second attempt, to whom everything has happened that makes an event."""
    first = stage.start_and_claim("retried")
    say(stage, first, "one", "two")
    note_running_steps(stage.database, first, [step(0, StepStatus.RUNNING)], stage.settings)
    record_step(stage.database, first, step(0), stage.settings)
    record_progress(stage.database, first, 0.5, "half")
    stage.finish(first, HandedBack())
    second = stage.claim()
    assert second is not None
    say(stage, second, *map(str, range(3)))
    record_step(stage.database, second, step(1), stage.settings)
    return second


def told(api: Api, run_id: str, after: int) -> list[Event]:
    """All that an ended run's stream sends after a number."""
    return list(events(api, f"/runs/{run_id}/events", **{"Last-Event-ID": str(after)}))


def test_from_every_number_on_the_rest_is_told_and_no_more(api: Api) -> None:
    lease = live(api.stage)
    api.stage.finish(lease)
    whole = told(api, lease.run_id, 0)
    assert whole[-1].name == "end"
    numbers = [int(event.position) for event in whole[:-1]]
    assert numbers == sorted(set(numbers))
    assert [event.name for event in whole] == [
        "status", "status", "log", "log", "step", "progress", "status", "status", "log", "log", "log", "step", "status",
        "end",
    ]  # fmt: skip
    for after in range(1, numbers[-1] + 1):
        assert told(api, lease.run_id, after) == [
            event for event in whole if event.name == "end" or int(event.position) > after
        ]


def test_a_step_that_changed_twice_is_told_as_it_is_now(api: Api) -> None:
    lease = api.stage.start_and_claim()
    running = events(api, f"/runs/{lease.run_id}/events")
    assert [next(running).name for _ in range(2)] == ["status", "status"]
    note_running_steps(api.stage.database, lease, [step(0, StepStatus.RUNNING)], api.stage.settings)
    shown = next(running)
    assert (shown.name, shown.data["status"]) == ("step", "running")
    record_step(api.stage.database, lease, step(0), api.stage.settings)
    changed = next(running)
    assert (changed.name, changed.data["status"]) == ("step", "success")
    assert int(changed.position) > int(shown.position)
    running.close()
    api.stage.finish(lease)
    again = told(api, lease.run_id, 0)
    assert [event.data["status"] for event in again if event.name == "step"] == ["success"]


@pytest.mark.parametrize("position", ["17.2041", "x' or 1=1", "-1", "9" * 90, "4000000", "\u0663"])
def test_a_position_that_is_none_of_the_run_begins_anew(api: Api, position: str) -> None:
    lease = api.stage.start_and_claim()
    api.stage.finish(lease)
    headers = {"Last-Event-ID": position} if position.isascii() else {}
    told = events(api, f"/runs/{lease.run_id}/events", **headers)
    assert [event.name for event in told] == ["status", "status", "status", "end"]


def test_an_address_with_a_position_of_two_numbers_begins_anew(api: Api) -> None:
    lease = api.stage.start_and_claim()
    api.stage.finish(lease)
    told = events(api, f"/runs/{lease.run_id}/events?after=17.2041")
    assert [event.name for event in told] == ["status", "status", "status", "end"]


def test_whoever_has_seen_the_end_is_told_so_at_once(api: Api) -> None:
    lease = api.stage.start_and_claim()
    api.stage.finish(lease)
    last = int(told(api, lease.run_id, 0)[-1].position)
    assert [event.name for event in told(api, lease.run_id, last)] == ["end"]


def test_many_lines_are_told_in_their_order_before_the_end(api: Api) -> None:
    lease = api.stage.start_and_claim()
    for start in range(0, 500, 50):
        say(api.stage, lease, *map(str, range(start, start + 50)))
        record_step(api.stage.database, lease, step(start), api.stage.settings)
    api.stage.finish(lease)
    whole = told(api, lease.run_id, 0)
    assert [event.data["body"] for event in whole if event.name == "log"] == [str(n) for n in range(500)]
    numbers = [int(event.position) for event in whole]
    assert numbers == sorted(numbers)
    assert whole[-1].name == "end"


def test_writers_beside_each_other_share_no_number(stage: Stage) -> None:
    lease = stage.start_and_claim()

    def work(number: int) -> None:
        if number % 3 == 0:
            say(stage, lease, *["line"] * 5)
        elif number % 3 == 1:
            record_step(stage.database, lease, step(number), stage.settings)
        else:
            record_progress(stage.database, lease, number / 60, None)

    with ThreadPoolExecutor(6) as executor:
        list(executor.map(work, range(60)))
    stage.finish(lease)
    with stage.database.read() as tx:
        latest = changes.get_latest(stage.scope, tx, lease.run_id)
        every = Between(0, latest.event)
        lines = changes.list_lines(stage.scope, tx, lease.run_id, every, after_line=0, limit=1000)
        steps = changes.list_step_states(stage.scope, tx, lease.run_id, every)
        moves = changes.list_transitions(stage.scope, tx, lease.run_id, every)
    numbers = [each[0] for each in (*lines, *steps, *moves)]
    assert len(numbers) == 100 + 20 + 3
    assert len({*numbers, latest.progress_event}) == len(numbers) + 1
    assert latest.event == 100 + 20 + 20 + 3
    assert [line[0] for line in lines] == sorted(line[0] for line in lines)
    assert latest.status is Status.SUCCESS


def test_lines_that_come_after_the_end_are_kept_and_told_to_later_readers(api: Api) -> None:
    """A worker that was thought dead says what it had to say; whoever was told the end is not told more."""
    lease = api.stage.start_and_claim()
    api.stage.finish(lease)
    ended = told(api, lease.run_id, 0)
    say(api.stage, lease, "late")
    assert [event.name for event in told(api, lease.run_id, int(ended[-1].position))] == ["log", "end"]


def test_lines_of_a_deleted_run_are_dropped(stage: Stage) -> None:
    lease = stage.start_and_claim()
    say(stage, replace(lease, run_id="run_gone"), "too late")
    with stage.database.read() as tx:
        assert tx.value(Sql("select count(*) from logs")) == 0
