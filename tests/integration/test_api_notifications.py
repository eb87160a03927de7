"""The list of notifications, over HTTP and on the command line."""

from __future__ import annotations

import json
from typing import Any

import pytest

from keystroke.cli.main import main
from keystroke.settings import Settings
from keystroke.store import Database, notifications
from support.api import Api, assert_problem
from support.starts import GREET, Stage, make_stage, publish
from support.triggers import fits


@pytest.fixture
def stage(sqlite_database: Database, sqlite_settings: Settings) -> Stage:
    """A published project with two notifications, of which one was sent, and another project with one."""
    stage = make_stage(sqlite_database, sqlite_settings, GREET)
    other = publish(sqlite_database, GREET, project="other")
    with sqlite_database.transaction() as tx:
        notifications.insert_notification(
            tx, stage.project.id, "schedule.late", "one", {"a": 1}, source_id="trg_1"
        )
        [first] = notifications.lease_due(tx, 10, 1)
        notifications.record_sent(tx, first.notification, 204)
        notifications.insert_notification(
            tx, stage.project.id, "schedule.run_failed", "two", {"b": 2}, run_id="run_1"
        )
        notifications.insert_notification(tx, other.id, "poll.unhealthy", "three", {"c": 3})
    return stage


def listed(api: Api, query: str = "", **options: Any) -> dict[str, Any]:
    answer = api.get(f"/notifications?{query}", **options)
    found: dict[str, Any] = fits(api, "/notifications", "get", answer)
    return found


def types(found: dict[str, Any]) -> list[str]:
    return [each["type"] for each in found["data"]]


def test_notifications_are_listed_newest_first_and_filtered(api: Api) -> None:
    assert types(listed(api)) == ["poll.unhealthy", "schedule.run_failed", "schedule.late"]
    assert types(listed(api, "project=demo")) == ["schedule.run_failed", "schedule.late"]
    assert types(listed(api, "status=sent")) == ["schedule.late"]
    assert types(listed(api, "type=schedule.late&type=poll.unhealthy")) == ["poll.unhealthy", "schedule.late"]
    first = listed(api, "limit=2")
    assert (len(first["data"]), first["has_more"]) == (2, True)
    rest = listed(api, f"limit=2&cursor={first['next_cursor']}")
    assert (types(rest), rest["has_more"], rest["next_cursor"]) == (["schedule.late"], False, None)
    for wrong in ("status=lost", "type=x", "limit=0", "cursor=x", "since=1"):
        assert_problem(api.get(f"/notifications?{wrong}"), 422)


def test_a_notification_tells_what_was_posted_and_how_that_went(api: Api) -> None:
    sent = listed(api, "status=sent")["data"][0]
    assert sent["body"] == {"type": "schedule.late", "timestamp": sent["created_at"], "data": {"a": 1}}
    assert (sent["attempts"], sent["last_status"], sent["next_attempt_at"]) == (1, 204, None)
    assert (sent["trigger_id"], sent["run_id"], sent["project"]) == ("trg_1", None, "demo")
    pending = listed(api, "type=schedule.run_failed")["data"][0]
    assert (pending["status"], pending["attempts"], pending["run_id"]) == ("pending", 0, "run_1")
    assert pending["next_attempt_at"] is not None


def test_a_key_of_a_project_sees_no_other_projects(api: Api) -> None:
    assert types(listed(api, headers=api.key("viewer", project="other"))) == ["poll.unhealthy"]
    elsewhere = api.key("viewer", organization="another")
    assert listed(api, headers=elsewhere)["data"] == []


def test_the_command_line(
    api: Api, api_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEYSTROKE_TARGET", api_url)

    def run(*arguments: str) -> str:
        assert main(["notifications", "list", *arguments]) == 0
        return capsys.readouterr().out

    assert len(json.loads(run())["data"]) == 3
    assert types(json.loads(run("--status", "pending", "--project", "demo"))) == ["schedule.run_failed"]
    assert types(json.loads(run("--type", "schedule.late", "--type", "poll.unhealthy", "--limit", "1"))) == [
        "poll.unhealthy"
    ]
    assert "schedule.run_failed" in run("--output", "table")
