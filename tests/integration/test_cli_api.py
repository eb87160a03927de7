"""The command line against a real API: what it prints, what it asks for, how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from keystroke.domain.failure import Failure
from keystroke.domain.outcome import Failed
from keystroke.domain.states import Reason
from keystroke.domain.trace import LogLine
from keystroke.local.ports import free_port
from keystroke.operations.api_keys import create_api_key
from keystroke.operations.record_progress import record_progress
from keystroke.operations.record_trace import record_trace
from keystroke.settings import Settings
from keystroke.store import Database
from support.processes import Processes, environment_of
from support.replays import Recorder
from support.starts import GREET, Stage, make_stage
from support.waiting import wait_until

INPUT = '{"name": "Ada"}'


class CommandLine:
    """Runs `keystroke` with the API as its target."""

    def __init__(self, stage: Stage, url: str, directory: Path) -> None:
        self.stage = stage
        self.url = url
        self._directory = directory

    def run(
        self, *arguments: str, code: int = 0, stdin: str = "", **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """One command; its exit code has to be `code`."""
        program = str(Path(sys.executable).parent / "keystroke")
        environment = {"PATH": "", "KEYSTROKE_TARGET": self.url, "KEYSTROKE_PROJECT": "demo", **variables}
        done = subprocess.run(
            [program, *arguments], env=environment, cwd=self._directory, input=stdin, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        return done

    def json(self, *arguments: str, code: int = 0, **options: Any) -> Any:
        """What one command printed, as JSON."""
        return json.loads(self.run(*arguments, code=code, **options).stdout)

    def start(self) -> str:
        """Start a run; its id."""
        return str(self.json("workflows", "run", "greet", "--input", INPUT)["id"])


@pytest.fixture
def stage(sqlite_database: Database, sqlite_settings: Settings) -> Stage:
    """A published project; the test itself is its worker."""
    return make_stage(sqlite_database, sqlite_settings, GREET)


@pytest.fixture
def cli(stage: Stage, processes: Processes, broker_url: str, tmp_path: Path) -> CommandLine:
    """The command line with a running API."""
    port = free_port(0)
    settings = replace(stage.settings, broker_url=broker_url, listen=f"127.0.0.1:{port}")
    processes.keystroke("api", settings=settings)
    command_line = CommandLine(stage, f"http://127.0.0.1:{port}", tmp_path)
    wait_until(lambda: command_line_answers(command_line), what="the API answers")
    return command_line


def command_line_answers(cli: CommandLine) -> bool:
    """Whether the API serves."""
    from keystroke.client import Client
    from keystroke.errors import ServerUnreachable

    try:
        with Client(cli.url) as client:
            return bool(client.list_projects())
    except ServerUnreachable:
        return False


def test_a_run_from_start_to_end(cli: CommandLine) -> None:
    started = cli.json(
        "workflows", "run", "greet", "--input", INPUT, "--tag", "team=sales", "--priority", "3"
    )
    assert (started["status"], started["workflow"], started["tags"]) == ("queued", "greet", {"team": "sales"})
    assert started["trigger"]["type"] == "cli"
    assert started["priority"] == 3
    lease = cli.stage.claim()
    assert lease
    cli.stage.finish(lease)
    run = cli.json("workflows", "runs", "get", "greet", started["id"])
    assert (run["status"], run["input"], run["output"]) == ("success", {"name": "Ada"}, {"greeting": "hello"})
    field = cli.run("history", "get", started["id"], "--field", "output.greeting")
    assert field.stdout == "hello\n"
    parts = cli.json("history", "get", started["id"], "--include", "steps,timeline,attempts")
    assert [entry["transition"] for entry in parts["timeline"]][-2:] == ["claim", "complete"]
    assert parts["steps"] == []


def test_wait_ends_with_the_outcome(cli: CommandLine) -> None:
    def work(outcome: Failed | None) -> None:
        lease = wait_until(cli.stage.claim)
        assert lease
        cli.stage.finish(lease, outcome)

    failed = Failed(Failure("ValueError", "no such account"), Reason.USER_ERROR)
    for outcome, code, status in ((None, 0, "success"), (failed, 1, "failed")):
        worker = threading.Thread(target=work, args=(outcome,))
        worker.start()
        done = cli.run("workflows", "run", "greet", "--input", "-", "--wait", stdin=INPUT, code=code)
        worker.join()
        assert json.loads(done.stdout)["status"] == status
    assert done.stderr.strip().endswith("ended failed: ValueError: no such account")


def test_an_idempotency_key_gives_the_same_run(cli: CommandLine) -> None:
    command = ("workflows", "run", "greet", "--input", INPUT, "--idempotency-key", "order-7", "--field", "id")
    assert cli.run(*command).stdout == cli.run(*command).stdout
    other = cli.run(
        "workflows", "run", "greet", "--input", '{"name": "Bob"}', "--idempotency-key", "order-7", code=1
    )
    assert "order-7 was used for run" in other.stderr


def test_the_beginning_of_an_id_is_enough(cli: CommandLine) -> None:
    run_id = cli.start()
    assert cli.json("history", "get", run_id[:-4])["id"] == run_id
    other = cli.start()
    common = next(run_id[:length] for length in range(29, 4, -1) if other.startswith(run_id[:length]))
    assert "several runs" in cli.run("history", "get", common, code=1).stderr
    assert "There is no run run_zzzz" in cli.run("history", "get", "run_zzzz", code=1).stderr


def test_lists_and_their_filters(cli: CommandLine) -> None:
    ids = [cli.start() for _ in range(3)]
    page = cli.json("history", "list", "--limit", "2")
    assert [run["id"] for run in page["data"]] == ids[:0:-1]
    rest = cli.json("history", "list", "--cursor", page["next_cursor"])
    assert [run["id"] for run in rest["data"]] == ids[:1]
    filters = {
        "--status": "queued", "--kind": "workflow", "--project": "demo", "--workflow": "greet", "--trigger": "cli",
        "--since": "2h", "--max-cost": "1", "--max-steps": "5", "--q": ids[0],
    }  # fmt: skip
    arguments = [part for pair in filters.items() for part in pair]
    assert [run["id"] for run in cli.json("history", "list", *arguments)["data"]] == ids[:1]
    assert cli.json("history", "list", "--status", "failed", "--status", "running")["data"] == []
    assert cli.json("history", "list", "--min-duration", "2s")["data"] == []
    assert cli.json("history", "list", "--until", "1h")["data"] == []
    listed = cli.json(
        "workflows", "runs", "list", "greet", "--status", "queued", "--since", "1h", "--summary"
    )
    assert [set(run) for run in listed["data"]] == [
        {"id", "workflow", "status", "created_at", "duration_ms"}
    ] * 3


def test_what_cannot_be_canceled_is_named_once(cli: CommandLine) -> None:
    run_id = cli.start()
    cli.run("workflows", "runs", "cancel", run_id)
    for name in (run_id, run_id[:-1]):
        told = cli.run("workflows", "runs", "cancel", name, code=1).stderr
        assert told == f"error: The run {run_id} has ended already: canceled.\n"


def test_runs_of_a_workflow_that_does_not_exist(cli: CommandLine) -> None:
    assert cli.json("workflows", "runs", "list", "greet")["data"] == []
    assert "Did you mean" in cli.run("workflows", "runs", "list", "greets", code=1).stderr


def test_an_id_that_is_empty_is_of_no_run(cli: CommandLine) -> None:
    assert "There is no run" in cli.run("history", "get", "", code=1).stderr


def test_cancel(cli: CommandLine) -> None:
    first, second = cli.start(), cli.start()
    assert cli.json("workflows", "runs", "cancel", first)["status"] == "canceled"
    both = cli.run("workflows", "runs", "cancel", first, second, code=1)
    assert [run["id"] for run in json.loads(both.stdout)] == [second]
    assert both.stderr.count(first) == 1
    assert "canceled" in both.stderr


def test_workflows(cli: CommandLine) -> None:
    assert [workflow["slug"] for workflow in cli.json("workflows", "list")] == ["greet"]
    assert cli.json("workflows", "get", "greet")["input_schema"]["required"] == ["name"]
    assert "greet" in cli.run("workflows", "get", "greeet", code=1).stderr
    assert cli.run("workflows", "list", "--output", "table").stdout.splitlines()[0].startswith("Workflow")


def test_refusals_are_one_or_two_lines(cli: CommandLine) -> None:
    for arguments in (
        ("workflows", "run", "greet", "--input", "{}"),
        ("workflows", "list", "--project", "nothing"),
        ("history", "list", "--trigger", "nonsense"),
        ("history", "get", "run_01jd3v5w0gf8tbm5zbbdb40jyq"),
    ):
        done = cli.run(*arguments, code=1)
        assert done.stdout == ""
        assert done.stderr.startswith("error: ")
        assert len(done.stderr.splitlines()) <= 2


def test_keys(cli: CommandLine) -> None:
    key = create_api_key(cli.stage.database, "default", "tests", "viewer", None, None).key
    assert "Set KEYSTROKE_API_KEY" in cli.run("history", "list", code=1).stderr
    assert cli.json("history", "list", KEYSTROKE_API_KEY=key)["data"] == []
    assert (
        "role" in cli.run("workflows", "run", "greet", "--input", INPUT, code=1, KEYSTROKE_API_KEY=key).stderr
    )


def test_keys_are_made_listed_and_revoked_on_the_database(cli: CommandLine) -> None:
    own: dict[str, Any] = environment_of(cli.stage.settings)
    made = cli.json("api-keys", "create", "ci", "--role", "runner", "--expires", "90d", **own)
    assert made["key"].startswith("ks_")
    (listed,) = cli.json("api-keys", "list", **own)
    assert (listed["name"], listed["prefix"], listed["revoked_at"]) == ("ci", made["prefix"], None)
    assert "key" not in listed
    cli.run("history", "list", KEYSTROKE_API_KEY=made["key"])
    cli.run("api-keys", "revoke", made["prefix"], **own)
    (revoked,) = cli.json("api-keys", "list", **own)
    assert revoked["revoked_at"]
    assert "There is no API key" in cli.run("api-keys", "revoke", made["prefix"], code=1, **own).stderr


def test_slugs_are_completed(cli: CommandLine) -> None:
    words: dict[str, Any] = {
        "_KEYSTROKE_COMPLETE": "bash_complete",
        "COMP_WORDS": "keystroke workflows run gr",
        "COMP_CWORD": "3",
    }
    assert cli.run(**words).stdout.strip() == "plain,greet"
    unreachable = cli.run(**words, KEYSTROKE_TARGET="http://127.0.0.1:9")
    assert (unreachable.stdout.strip(), unreachable.stderr) == ("", "")


@contextmanager
def worked_on(cli: CommandLine, outcome: Failed | None = None) -> Iterator[None]:
    """Somebody claims the run, logs two lines and ends it, while the block goes on."""

    def work() -> None:
        lease = wait_until(cli.stage.claim)
        assert lease
        at = datetime(2026, 11, 23, tzinfo=UTC)
        lines = [LogLine(at, "INFO", body, "app", None, "charge#0") for body in ("first", "second")]
        record_progress(cli.stage.database, lease, 0.5, "half way")
        record_trace(cli.stage.database, lease, [], lines, cli.stage.settings)
        cli.stage.finish(lease, outcome)

    worker = threading.Thread(target=work)
    worker.start()
    yield
    worker.join()


def test_watch_follows_a_run_to_its_end(cli: CommandLine) -> None:
    run_id = cli.start()
    with worked_on(cli):
        watched = cli.run("workflows", "runs", "watch", run_id[:-2])
    events = [json.loads(line) for line in watched.stdout.splitlines()]
    statuses = [event["status"] for event in events if event["event"] == "status"]
    assert statuses == ["queued", "running", "success"]
    assert [event["body"] for event in events if event["event"] == "log"] == ["first", "second"]
    assert [event["message"] for event in events if event["event"] == "progress"] == ["half way"]


def test_watch_ends_with_the_outcome_and_reads_well(cli: CommandLine) -> None:
    run_id = cli.start()
    failed = Failed(Failure("ValueError", "no such account"), Reason.USER_ERROR)
    with worked_on(cli, failed):
        watched = cli.run("workflows", "runs", "watch", run_id, "--output", "table", code=1)
    assert "INFO    charge#0 first" in watched.stdout
    assert "running attempt 1" in watched.stdout
    assert "failed  (user_error)" in watched.stdout
    assert watched.stderr.strip() == f"error: {run_id} ended failed: ValueError: no such account"


def test_logs_are_printed_and_followed(cli: CommandLine) -> None:
    run_id = cli.start()
    with worked_on(cli):
        followed = cli.run("workflows", "runs", "logs", run_id, "--follow")
    printed = cli.run("workflows", "runs", "logs", run_id)
    for text in (followed.stdout, printed.stdout):
        assert [json.loads(line)["body"] for line in text.splitlines()] == ["first", "second"]


def test_run_follow_shows_the_logs_and_prints_the_run(cli: CommandLine) -> None:
    with worked_on(cli):
        done = cli.run("workflows", "run", "greet", "--input", INPUT, "--follow")
    assert json.loads(done.stdout)["status"] == "success"
    assert [line.split()[-1] for line in done.stderr.splitlines()] == ["first", "second"]


def test_watching_an_unknown_run_says_so(cli: CommandLine) -> None:
    refused = cli.run("workflows", "runs", "watch", "run_01m8542e53eqdtw3zb6n64n8k7", code=1)
    assert refused.stderr == "error: There is no run run_01m8542e53eqdtw3zb6n64n8k7.\n"


def test_replay(cli: CommandLine) -> None:
    lease = cli.stage.start_and_claim()
    recorder = Recorder(cli.stage, lease)
    recorder.step("charge#0")
    recorder.step("mail#0", "failed", error=Failure("Bounced", "no").as_json())
    cli.stage.finish(lease, Failed(Failure("Bounced", "no"), Reason.USER_ERROR))
    replay = ("workflows", "runs", "replay", lease.run_id)
    whole = cli.json(*replay)
    assert (whole["replay_of"], whole["input"], whole["status"]) == (lease.run_id, {"name": "Ada"}, "queued")
    rest = cli.json(*replay, "--from-step", "failed", "--input", '{"name": "Bob"}', "--idempotency-key", "k")
    assert (rest["input"], rest["step_count"], rest["trigger"]["label"]) == (
        {"name": "Bob"},
        1,
        "Replay · from mail#0",
    )
    assert "Did you mean mail#0?" in cli.run(*replay, "--from-step", "mial#0", code=1).stderr
    assert cli.run(*replay, "--input", "{", code=2).stdout == ""


def test_queues_are_listed_paused_and_resumed_and_workers_drained(cli: CommandLine) -> None:
    cli.start()
    assert cli.json("queues", "pause", "default")["paused_at"] is not None
    [queue] = cli.json("queues", "list")
    assert (queue["name"], queue["depth"], queue["places"]) == ("default", 1, 1)
    assert "Paused since" in cli.run("queues", "list", "--output", "table").stdout
    assert cli.json("queues", "resume", "default")["paused_at"] is None
    assert "there are: default" in cli.run("queues", "pause", "defaults", code=1).stderr
    [worker] = cli.json("workers", "list")
    assert cli.json("workers", "drain", worker["id"])["state"] == "draining"
