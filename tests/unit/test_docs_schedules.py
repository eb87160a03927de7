"""What the page on triggers says of schedules is so."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from keystroke.authoring.project import load_project
from keystroke.domain.catch_up import CATCH_UP_LIMIT, ON_TIME
from keystroke.domain.schedule import Timing
from support.documents import files, page
from support.projects import write_project

PAGE = page("triggers.md")
SECTION = PAGE[PAGE.index("## Schedules") : PAGE.index("## Polls")]


def test_the_schedules_load(tmp_path: Path) -> None:
    write_project(tmp_path, {"triggers/reports.py": files(PAGE)["triggers/reports.py"]})
    sources = load_project(tmp_path).sources
    assert set(sources) == {"nightly", "pulse"}
    assert sources["pulse"].attachments[0].takes_event


def test_the_numbers() -> None:
    assert f"`catch_up_limit` ({CATCH_UP_LIMIT})" in SECTION
    assert ON_TIME.total_seconds() == 10
    assert "later than ten seconds" in SECTION


def test_the_expressions_of_the_table() -> None:
    def days(cron: str) -> list[str]:
        fires = Timing.from_options({"cron": cron}).upcoming(datetime(2027, 1, 1, tzinfo=UTC), 2)
        return [fire.local[:10] for fire in fires]

    assert days("0 9 L * *") == ["2027-01-31", "2027-02-28"]
    assert days("0 9 * * L5") == ["2027-01-29", "2027-02-26"]
    assert days("0 9 * * FRI#2") == ["2027-01-08", "2027-02-12"]
    assert days("0 9 15W * *") == ["2027-01-15", "2027-02-15"]
    assert days("0 9 13 * FRI") == ["2027-01-01", "2027-01-08"], "either suffices"
    for nickname in ("@hourly", "@daily", "@weekly", "@monthly", "@yearly"):
        assert f"`{nickname}`" in SECTION
        assert days(nickname)
    fires = Timing.from_options({"cron": "*/10 * * * * *"}).upcoming(datetime(2027, 1, 1, tzinfo=UTC), 2)
    assert [fire.at.second for fire in fires] == [10, 20]
