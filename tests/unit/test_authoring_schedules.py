"""What an author may write of a schedule, and what he is told when something is wrong with it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from keystroke import schedule
from keystroke.authoring.project import load_project
from keystroke.errors import DefinitionError, ProjectErrors
from support.projects import write_project

_PROJECT = """
from dataclasses import dataclass
from pydantic import BaseModel
from keystroke import schedule, workflow

class Scope(BaseModel):
    team: str
    days: int = 1

@workflow("report")
def report(scope: Scope) -> None: ...

@workflow("sweep")
def sweep() -> None: ...

{schedules}
"""


def _load(folder: Path, schedules: str) -> Any:
    write_project(folder, {"triggers/all.py": _PROJECT.format(schedules=schedules)})
    return load_project(folder)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({}, "say when it fires"),
        ({"cron": "0 2 * * *", "every": "5m"}, "not both"),
        ({"cron": "0 0 30 2 *"}, "never comes"),
        ({"cron": "61 * * * *"}, "is no cron expression"),
        ({"cron": "* * * *"}, "has 4 fields"),
        ({"cron": 5}, "cron is 5"),
        ({"every": "0.5s"}, "a second or longer"),
        ({"every": "soon"}, "is not a duration"),
        ({"every": "5m", "timezone": "Europe/Paris"}, "timezone is for cron expressions"),
        ({"cron": "@daily", "timezone": "Europe/Pari"}, "no IANA time zone"),
        ({"cron": "@daily", "timezone": None}, "timezone is None"),
        ({"cron": "@daily", "catch_up": "some"}, "one of last, all, none"),
        ({"cron": "@daily", "catch_up_limit": 3}, 'for catch_up="all"'),
        ({"cron": "@daily", "catch_up": "all", "catch_up_limit": 0}, "a whole number from 1"),
        ({"cron": "@daily", "overlap": "wait"}, "one of allow, skip, queue_one, cancel_running"),
        ({"cron": "@daily", "pause_after": 0}, "a whole number from 1"),
        ({"cron": "@daily", "jitter": "-3s"}, "jitter"),
        ({"every": "1m", "jitter": "2m"}, "jitter is longer than every"),
        ({"cron": "@daily", "max_lateness": "0s"}, "longer than zero"),
        ({"cron": "@daily", "expected_within": object}, "expected_within"),
        ({"cron": "@daily", "starts_at": "tomorrow"}, "starts_at"),
        ({"cron": "@daily", "starts_at": 3}, "starts_at is 3"),
        ({"every": "1h", "starts_at": "2027-01-02", "ends_at": "2027-01-01"}, "it never fires"),
        ({"cron": "@yearly", "starts_at": "2027-02-01", "ends_at": "2027-11-01"}, "it never fires"),
        ({"cron": "@daily", "payload": object()}, "cannot be kept as JSON"),
        ({"cron": "@daily", "name": 3}, "name is 3"),
        ({"cron": "@daily", "slug": "Nightly Report"}, "slug is"),
    ],
)  # fmt: skip
def test_each_mistake_is_one_problem_with_its_place(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(DefinitionError) as refused:
        schedule(options.pop("slug", "nightly"), **options)
    (found,) = refused.value.problems
    assert problem in found.message
    assert found.path == __file__
    assert found.line is not None


def test_all_options_are_published_as_seconds_and_instants() -> None:
    made = schedule(
        "nightly", "0 2 * * *", timezone="Europe/Paris", payload={"a": 1}, catch_up="all", catch_up_limit=5, overlap="skip",
        jitter="30s", starts_at=datetime(2027, 1, 1), ends_at="2028-01-01T00:00:00Z", pause_after=3,  # noqa: DTZ001
        max_lateness=timedelta(minutes=5), expected_within=3600, name="Nightly", description="Every night.",
    )  # fmt: skip
    assert made.options == {
        "cron": "0 2 * * *", "every": None, "timezone": "Europe/Paris", "starts_at": "2026-12-31T23:00:00.000000Z",
        "ends_at": "2028-01-01T00:00:00.000000Z", "jitter": 30.0, "payload": {"a": 1}, "catch_up": "all", "catch_up_limit": 5,
        "overlap": "skip", "pause_after": 3, "max_lateness": 300.0, "expected_within": 3600.0,
    }  # fmt: skip
    assert (made.name, made.description) == ("Nightly", "Every night.")
    aware = schedule("aware", every=90, starts_at=datetime(2027, 1, 1, tzinfo=UTC))
    assert (aware.options["every"], aware.options["starts_at"]) == (90.0, "2027-01-01T00:00:00.000000Z")


@pytest.mark.parametrize(
    "schedules",
    [
        'schedule("a", "@daily", payload={"team": "sales"}).attach(report)',
        'schedule("a", "@daily", payload=Scope(team="sales")).attach(report)',
        'schedule("a", "@daily").attach(sweep)',
        'schedule("a", "@daily").attach(report, transform=lambda payload: {"team": "sales"})',
        'schedule("a", "@daily", payload=3).attach(report, transform=lambda payload, tick: {"team": "sales"})',
    ],
)
def test_a_payload_that_fits_loads(tmp_path: Path, schedules: str) -> None:
    assert set(_load(tmp_path, schedules).sources) == {"a"}


@pytest.mark.parametrize(
    ("schedules", "problem"),
    [
        ('schedule("a", "@daily").attach(report)', "the workflow report"),
        ('schedule("a", "@daily", payload={"team": 3}).attach(report)', "$.team"),
        ('schedule("a", "@daily", payload={"x": 1}).attach(sweep)', "the workflow sweep"),
        (
            'def made(payload: int) -> dict: ...\nschedule("a", "@daily", payload="x").attach(report, transform=made)',
            "the transform for report",
        ),
        ('schedule("a", "@daily", payload={"team": "b"})', "nothing is attached"),
    ],
)
def test_a_payload_that_does_not_fit_is_a_problem_of_the_project(
    tmp_path: Path, schedules: str, problem: str
) -> None:
    with pytest.raises(ProjectErrors) as refused:
        _load(tmp_path, schedules)
    (found,) = refused.value.problems
    assert problem in found.message
    assert found.path == "triggers/all.py"
    assert found.line is not None
