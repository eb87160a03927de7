"""`keystroke triggers` against an API that serves."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from keystroke.cli.main import main
from keystroke.operations.carry_out_backfill import carry_out_next
from keystroke.settings import Settings
from keystroke.store import Database
from support.api import Api
from support.triggers import Triggers, make_triggers

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def triggers(sqlite_database: Database, sqlite_settings: Settings) -> Iterator[Triggers]:
    """A trigger of each kind, on one database: the command line knows neither."""
    made = make_triggers(sqlite_database, sqlite_settings)
    yield made
    made.api.services.close()


@pytest.fixture
def api(triggers: Triggers) -> Api:
    """The app that is served."""
    return triggers.api


@pytest.fixture
def run(api_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `keystroke triggers`: exit code, what it printed, and what it said on stderr."""
    monkeypatch.setenv("KEYSTROKE_TARGET", api_url)
    monkeypatch.setenv("KEYSTROKE_PROJECT", "demo")

    def call(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        code = main(["triggers", *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


def shown(run: Run, *arguments: str, code: int = 0) -> Any:
    """What it printed, as JSON."""
    found, printed, said = run(*arguments)
    assert found == code, said
    return json.loads(printed)


def test_triggers_are_listed_and_shown(run: Run, triggers: Triggers) -> None:
    assert [each["slug"] for each in shown(run, "list")] == ["hourly", "inbox", "signup"]
    assert [each["slug"] for each in shown(run, "list", "--workflow", "count", "--kind", "webhook")] == [
        "signup"
    ]
    table = run("list", "--output", "table")[1]
    assert "Health" in table
    assert "greet, count" in table
    assert run("get", "hourly", "--field", "health.status")[1] == "ok\n"
    assert set(shown(run, "get", "signup", "--summary")) == {"slug", "kind", "health", "next_at", "url"}
    assert "Transform" in run("get", "signup", "--output", "table")[1]
    assert len(shown(run, "preview", "hourly", "--count", "3")["data"]) == 3
    assert "CE" in run("preview", "hourly", "--output", "table")[1]
    code, printed, said = run("url", "signup")
    assert (code, printed.endswith("/triggers/demo/signup\n"), "webhook-signature" in said) == (0, True, True)
    assert shown(run, "url", "signup", "--output", "json")["signing"]["scheme"] == "standard_webhooks"
    assert run("url", "hourly") == (
        1, "", "error: The trigger hourly is a schedule: only webhooks have an address that is posted to.\n",
    )  # fmt: skip
    code, _, said = run("get", "hourli")
    assert (code, "Did you mean hourly" in said) == (1, True)


def test_triggers_are_switched_and_paused(run: Run) -> None:
    assert run("disable", "hourly", "--field", "health.status")[1] == "disabled\n"
    assert "disabled: An" in run("list", "--output", "table")[1]
    assert run("enable", "hourly", "--field", "health.status")[1] == "ok\n"
    off = shown(run, "disable", "signup", "--workflow", "count")["attachments"]
    assert [each["disabled_at"] is None for each in off] == [True, False]
    assert run("disable", "signup", "--workflow", "nope")[0] == 1
    assert run("pause", "hourly", "--for", "2h", "--field", "health.status")[1] == "paused\n"
    assert run("resume", "hourly", "--field", "health.status")[1] == "ok\n"
    assert run("pause", "hourly", "--until", "2999-01-01T00:00", "--field", "health.status")[1] == "paused\n"
    assert run("pause", "hourly")[0] == 2
    assert run("pause", "hourly", "--until", "2999-01-01", "--for", "1h")[0] == 2
    assert run("pause", "hourly", "--until", "2020-01-01")[0] == 1


def test_triggers_are_fired_and_tried(run: Run, triggers: Triggers) -> None:
    fired = shown(run, "invoke", "signup", "--input", '{"name": "Ada"}', "--workflow", "greet")
    assert (fired["outcome"], len(fired["run_ids"])) == ("fired", 1)
    assert run("invoke", "signup", "--input", "{}")[0] == 1
    assert run("invoke", "signup", "--input", "{")[0] == 2
    listed = shown(run, "runs", "list", "signup", "--outcome", "fired")["data"]
    assert [each["id"] for each in listed] == [fired["id"]]
    assert fired["run_ids"][0] in run("runs", "list", "signup", "--output", "table")[1]
    assert run("runs", "get", "signup", fired["id"], "--field", "outcome")[1] == "fired\n"
    assert run("runs", "get", "signup", "dlv_none")[0] == 1
    assert run("runs", "list", "signup", "--outcome", "x")[0] == 2
    tried = shown(run, "dry-run", "hourly")
    assert [each["workflow"] for each in tried["would_start"]] == ["greet"]
    assert "Workflow" in run("dry-run", "hourly", "--output", "table")[1]
    assert shown(run, "dry-run", "hourly", "--input", "{}", code=1)["would_start"][0]["errors"]
    assert shown(run, "invoke", "inbox")["outcome"] is None
    assert run("invoke", "inbox")[0] == 1, "one is under way"


def test_invoke_waits_for_the_tick_and_its_runs(run: Run, triggers: Triggers) -> None:
    end = (
        "update ticks set status = 'ended', outcome = 'filtered', finished_at = {now} where status = 'queued'"
    )
    timer = threading.Timer(0.3, triggers.execute, (end,))
    timer.start()
    assert shown(run, "invoke", "inbox", "--wait")["outcome"] == "filtered"
    timer.join()
    error = "update ticks set status = 'ended', outcome = 'error', finished_at = {now}, error = :error where status = 'queued'"
    timer = threading.Timer(
        0.3, triggers.execute, (error,), {"error": '{"type": "OSError", "message": "gone"}'}
    )
    timer.start()
    code, printed, said = run("dry-run", "inbox", "--output", "table")
    timer.join()
    assert (code, "OSError: gone" in said) == (1, True), printed

    def execute() -> None:
        lease = None
        while lease is None:
            lease = triggers.stage.claim()
        triggers.stage.finish(lease)  # type: ignore[arg-type]

    worker = threading.Thread(target=execute)
    worker.start()
    assert shown(run, "invoke", "hourly", "--wait")["outcome"] == "fired"
    worker.join()


def test_a_backfill_is_made_waited_for_and_stopped(run: Run, triggers: Triggers) -> None:
    day = ("--from", "2026-03-02T00:00:00Z", "--to", "2026-03-02T06:00:00Z")
    assert shown(run, "backfill", "hourly", *day, "--dry-run")["fires"] == 6
    made = shown(run, "backfill", "hourly", *day)
    assert shown(run, "backfill", "hourly", "--cancel", made["id"])["status"] == "canceled"
    assert run("backfill", "hourly", "--cancel", made["id"])[0] == 1
    stage = triggers.stage

    def beat() -> None:
        while carry_out_next(stage.database, stage.settings, stage.box) is None:
            continue

    beating = threading.Thread(target=beat)
    beating.start()
    done = shown(run, "backfill", "hourly", *day, "--wait", "--summary")
    beating.join()
    assert (done["status"], done["fired"], done["total"]) == ("completed", 6, 6)
    assert run("backfill", "hourly")[0] == 2
    assert run("backfill", "inbox", "--from", "1d")[0] == 1


def test_the_state_of_a_poll_is_shown_and_set(run: Run) -> None:
    first = shown(run, "state", "get", "inbox")
    assert (first["state"], first["version"]) == (None, "none")
    written = shown(run, "state", "set", "inbox", "--input", '{"after": 5}', "--version", "none")
    assert run("state", "get", "inbox", "--field", "state.after")[1] == "5\n"
    assert run("state", "set", "inbox", "--input", '{"after": 6}', "--version", "none")[0] == 1
    assert (
        shown(run, "state", "set", "inbox", "--input", "null", "--version", written["version"])["state"]
        is None
    )
    assert run("state", "set", "inbox", "--input", '{"after": "x"}')[0] == 1
    assert run("state", "get", "hourly")[0] == 1


def test_slugs_are_completed(run: Run) -> None:
    import click

    from keystroke.cli.commands.triggers import get_trigger
    from keystroke.cli.session import Session

    context = click.Context(get_trigger, obj=Session())
    [argument] = [each for each in get_trigger.params if each.name == "slug"]
    assert [item.value for item in argument.shell_complete(context, "h")] == ["hourly"]
