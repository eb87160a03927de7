"""Three beats on PostgreSQL, one of them killed again and again: each of many schedules fires exactly once.

By default some fire for some seconds. `KEYSTROKE_TEST_SCHEDULES=1000` is the whole proof: as many within a minute, and a beat
is killed each ten seconds.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from keystroke.clock import rfc3339
from keystroke.domain.source import SourceManifest
from keystroke.settings import Settings
from support.processes import Processes, Started
from support.schedules import HOUR, MakeClockwork, micros, scheduled
from support.waiting import wait_until

_SCHEDULES = int(os.environ.get("KEYSTROKE_TEST_SCHEDULES", "150"))
_WHOLE = _SCHEDULES >= 1000
_SECONDS = 60.0 if _WHOLE else 6.0
_KILLED_EACH = 10.0 if _WHOLE else 2.0
#: A tenth of them are due at one instant.
_TOGETHER = _SCHEDULES // 10
_PATIENCE = 60.0


@pytest.mark.timeout(240)
def test_many_schedules_fire_exactly_once_while_beats_are_killed(
    postgresql_settings: Settings, broker_url: str, processes: Processes, make_clockwork: MakeClockwork
) -> None:
    settings = replace(postgresql_settings, broker_url=broker_url)
    beats = _Beats(processes, settings, 3)
    clockwork = make_clockwork(settings=settings)
    # Publishing them takes its time.
    start = clockwork.now() + timedelta(seconds=2 + _SCHEDULES / 40)
    clockwork.publish(*(_one(number, start) for number in range(_SCHEDULES)), digest="many")
    print(f"published {(start - clockwork.now()).total_seconds():.1f} s before the first")
    wait_until(
        lambda: beats.kill_due() or clockwork.now() > start + timedelta(seconds=_SECONDS),
        2 * _SECONDS + _PATIENCE,
        what="it is over",
    )
    wait_until(lambda: len(clockwork.ticks()) == _SCHEDULES, _PATIENCE, what="all have fired")
    assert beats.killed >= 2
    assert clockwork.outcomes() == ["fired"] * _SCHEDULES
    assert {tick.slug for tick in clockwork.ticks()} == {f"one-{number}" for number in range(_SCHEDULES)}
    assert len(clockwork.runs()) == _SCHEDULES
    assert clockwork.broken() == []
    late = sorted(tick.fired_at - tick.scheduled_at for tick in clockwork.ticks())
    print(
        f"late: half {late[len(late) // 2] / 1000:.0f} ms, 99 of 100 {late[len(late) * 99 // 100] / 1000:.0f} ms"
    )
    beats.stop()
    processes.assert_none_left()


def test_an_hour_without_any_beat_is_made_up_for_by_three_at_once(
    postgresql_settings: Settings, broker_url: str, processes: Processes, make_clockwork: MakeClockwork
) -> None:
    settings = replace(postgresql_settings, broker_url=broker_url)
    clockwork = make_clockwork(
        scheduled("last", every=600.0), scheduled("all", every=600.0, catch_up="all"),
        scheduled("none", every=600.0, catch_up="none"), scheduled("skip", every=600.0, catch_up="all", overlap="skip"),
        settings=settings,
    )  # fmt: skip
    first = clockwork.come_to("last", late=HOUR - 300)
    beats = _Beats(processes, replace(settings, clock_offset=clockwork.stage.settings.clock_offset), 3)
    wait_until(lambda: len(clockwork.ticks()) == 1 + 6 + 1 + 6, _PATIENCE, what="all are looked after")
    beats.stop()
    outcomes = {slug: clockwork.outcomes(slug) for slug in ("last", "all", "none", "skip")}
    assert outcomes == {
        "last": ["fired"], "all": ["fired"] * 6, "none": ["missed"], "skip": ["fired", *["skipped_overlap"] * 5],
    }  # fmt: skip
    assert clockwork.ticks("last")[0].missed == 5
    assert clockwork.ticks("last")[0].scheduled_at == micros(first + timedelta(minutes=50))
    assert clockwork.broken() == []


class _Beats:
    """Some beats, of which one is killed now and then, and another started in its place."""

    def __init__(self, processes: Processes, settings: Settings, count: int) -> None:
        self._processes, self._settings = processes, settings
        self._living = [self._start() for _ in range(count)]
        for beat in self._living:
            beat.wait_for("beat_started", _PATIENCE)
        self._next = time.monotonic() + _KILLED_EACH
        self.killed = 0

    def kill_due(self) -> bool:
        """Kill one when it is time; False, so that it can stand in what is waited for."""
        if time.monotonic() >= self._next:
            self._next += _KILLED_EACH
            self._living.pop(0).kill()
            self._living.append(self._start())
            self.killed += 1
        return False

    def stop(self) -> None:
        """End them all as is proper."""
        for beat in self._living:
            beat.wait_for("beat_started", _PATIENCE)
            assert beat.stop() == 0, beat.output

    def _start(self) -> Started:
        return self._processes.keystroke("beat", settings=self._settings)


def _one(number: int, start: datetime) -> SourceManifest:
    """Fires once within the seconds of the test, and then after a day."""
    after = _SECONDS / 2 if number < _TOGETHER else number * _SECONDS / _SCHEDULES
    at = start + timedelta(seconds=after)
    return scheduled(f"one-{number}", every=86_400.0, starts_at=rfc3339(at))
