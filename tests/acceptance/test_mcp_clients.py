"""The tools, as a client of the official SDK sees them: a real API and a real worker, shared by all tests here."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import httpx
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, Implementation

from keystroke.domain.manifest import WorkflowManifest
from keystroke.domain.scope import Scope
from keystroke.operations.api_keys import Role, create_api_key
from keystroke.settings import Settings
from keystroke.store import Database, access, history
from keystroke.store.sql import Sql
from support.fleet import Fleet, start_fleet
from support.processes import Processes
from support.projects import write_project
from support.servers import Valkey
from support.starts import publish
from support.waiting import wait_until

pytestmark = pytest.mark.timeout(180)
T = TypeVar("T")
Era = Literal["auto", "legacy"]
#: Seconds that a call waits for its run here.
_WAIT = 1.5
_AUDITED = Sql(
    "select action, target, actor_name from audit_log where action in ('run.cancel', 'run.replay') order by id"
)
_RUNS = Sql("select count(*) from runs")
_PROJECT = {
    "workflows/tools.py": """
        from keystroke import Context, action, workflow
        from pydantic import BaseModel


        class Order(BaseModel):
            item: str
            count: int = 1


        class Receipt(BaseModel):
            total: int
            token: str | None = None


        @action
        def price(item: str) -> int:
            print(f"pricing {item}")
            return len(item)


        @workflow("order", name="Order something", tool=True)
        def order(order: Order) -> Receipt:
            \"\"\"Order so many of an item.\"\"\"
            return Receipt(total=price(order.item) * order.count, token=order.item if order.item == "key" else None)


        @workflow("double", tool=True)
        def double(number: int) -> int:
            return 2 * number


        @workflow("approve", tool=True)
        def approve(ctx: Context) -> str:
            return ctx.hook("approval", str).wait()


        @workflow("refuse", tool=True)
        def refuse(order: Order) -> None:
            raise ValueError(f"no {order.item} left")


        @workflow("hidden")
        def hidden() -> int:
            return 1
    """
}


@dataclass
class Served:
    """The address of the API, and keys for it by name."""

    fleet: Fleet
    url: str
    database: Database
    organization: str

    def key(self, role: Role, *, project: str | None = None, name: str = "a key") -> str:
        """A new API key."""
        return create_api_key(self.database, self.organization, name, role, project, None).key

    def talk(self, key: str, talking: Callable[[Client], Awaitable[T]], era: Era = "auto") -> T:
        """What somebody with this key says to the server, and hears."""

        async def connected() -> T | MCPError:
            headers = {"Authorization": f"Bearer {key}"}
            async with create_mcp_http_client(headers) as http_client:
                transport = streamable_http_client(f"{self.url}/mcp", http_client=http_client)
                async with Client(
                    transport, mode=era, client_info=Implementation(name="Some Desk", version="1")
                ) as client:
                    try:
                        return await talking(client)
                    except MCPError as error:  # raised in here, it would come out inside of a group
                        return error

        # In a thread of its own: a browser that was here before keeps an event loop in this one.
        with ThreadPoolExecutor(1) as thread:
            heard = thread.submit(asyncio.run, connected()).result()
        if isinstance(heard, MCPError):
            raise heard
        return heard

    def call(
        self, key: str, tool: str, arguments: dict[str, Any] | None = None, era: Era = "auto"
    ) -> CallToolResult:
        """The result of one call of a tool."""

        async def calling(client: Client) -> CallToolResult:
            return await client.call_tool(tool, arguments)

        return self.talk(key, calling, era)


@pytest.fixture(scope="module")
def served(
    migrated_sqlite: Path, valkey_server: Valkey, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """The API and a worker of the project `shop`; the project `warehouse` is published, and has no worker."""
    directory = tmp_path_factory.mktemp("tools")
    shutil.copyfile(migrated_sqlite, directory / "keystroke.db")
    settings = Settings(
        database_url=f"sqlite:///{directory}/keystroke.db", broker_url=valkey_server.url, secret_key=("a secret for tests",),
        project="shop", organization="default", tool_wait=_WAIT, payload_limit=20_000,
    )  # fmt: skip
    project = write_project(
        directory / "shop", _PROJECT, project_file='organization = "default"\nproject = "shop"\n'
    )
    processes = Processes(directory)
    with closing(Database.from_settings(settings)) as database:
        publish(database, WorkflowManifest("stock", "Stock", "", {}, {}, tool=True), project="warehouse")
        fleet = start_fleet(processes, settings, project, apis=1, workers=1, beats=0)
        yield Served(fleet, fleet.urls[0], database, "default")
    assert fleet.apis[0].stop() == 0
    assert "Traceback" not in fleet.apis[0].output
    processes.close()


@pytest.fixture(scope="module")
def runner(served: Served) -> str:
    """A key that may start runs in all projects."""
    return served.key("runner", name="agent")


def run_of(served: Served, result: CallToolResult) -> Any:
    """The record of the run that a call has started."""
    assert result.meta is not None
    with served.database.read() as tx:
        scope = Scope(access.local_scope(tx).organization_id)
        return history.get_run(scope, tx, result.meta["keystroke/run-id"])


def database_runs(database: Database) -> int:
    """How many runs there are."""
    with database.read() as tx:
        return int(tx.value(_RUNS) or 0)


@pytest.mark.parametrize("era", ["auto", "legacy"])
def test_workflows_that_are_marked_are_tools_with_their_schemas(
    served: Served, runner: str, era: Era
) -> None:
    tools = {tool.name: tool for tool in served.talk(runner, lambda client: client.list_tools(), era).tools}
    assert set(tools) == {
        "list_runs", "get_run", "cancel_run", "replay_run",
        "order", "double", "approve", "refuse", "warehouse__stock",
    }  # fmt: skip
    order = tools["order"]
    assert (order.title, order.description) == ("Order something", "Order so many of an item.")
    assert order.input_schema["required"] == ["item"]
    assert order.output_schema is not None
    assert "total" in order.output_schema["anyOf"][0]["properties"]
    assert tools["double"].input_schema["properties"]["input"]["type"] == "integer"
    assert tools["list_runs"].annotations is not None
    assert tools["list_runs"].annotations.read_only_hint


def test_a_call_gives_the_validated_output_and_says_who_called(served: Served, runner: str) -> None:
    given = served.call(runner, "order", {"item": "tea", "count": 2})
    assert (given.is_error, given.structured_content) == (False, {"total": 6, "token": None})
    run = run_of(served, given)
    assert (run.trigger.type, run.trigger.value) == ("workflow_tool", "workflow_tool:Some Desk")
    assert (run.trigger.label, run.actor.name) == ("Tool · Some Desk", "agent")
    found = served.call(runner, "list_runs", {"trigger": ["workflow_tool:Some Desk"]}).structured_content[
        "data"
    ]
    assert run.id in [each["id"] for each in found]
    earlier = served.call(runner, "shop__double", {"input": 4}, "legacy")
    assert earlier.structured_content == {"result": 8}
    assert run_of(served, earlier).trigger.value == "workflow_tool:agent", (
        "no client's name comes with such a call"
    )


def test_what_is_never_displayed_is_not_given_out_either(served: Served, runner: str) -> None:
    assert served.call(runner, "order", {"item": "key"}).structured_content == {
        "total": 3,
        "token": "[redacted]",
    }


def test_a_run_that_takes_longer_is_asked_for_looked_into_and_canceled(served: Served, runner: str) -> None:
    given = served.call(runner, "approve")
    assert not given.is_error
    run_id = given.structured_content["run_id"]
    assert given.structured_content["status"] == "waiting_on_hook"
    assert "get_run" in given.structured_content["message"]
    shown = served.call(runner, "get_run", {"run_id": run_id, "wait": 1}).structured_content
    assert (shown["id"], shown["status"], len(shown["steps"])) == (run_id, "waiting_on_hook", 1)
    assert {span["name"] for span in shown["trace"]["spans"]}
    canceled = served.call(runner, "cancel_run", {"run_id": run_id})
    assert (canceled.is_error, canceled.structured_content["status"]) == (False, "canceled")
    again = served.call(runner, "cancel_run", {"run_id": run_id})
    assert again.is_error
    assert again.structured_content["type"] == "urn:keystroke:problem:run-ended"


def test_a_run_that_fails_is_an_error_that_says_why_and_can_be_replayed(served: Served, runner: str) -> None:
    failed = served.call(runner, "refuse", {"item": "tea"})
    assert failed.is_error
    assert "ValueError: no tea left" in failed.content[0].text  # type: ignore[union-attr]
    run_id = failed.structured_content["run_id"]
    replayed = served.call(runner, "replay_run", {"run_id": run_id, "input": {"item": "milk"}})
    new = served.call(runner, "get_run", {"run_id": replayed.structured_content["run_id"], "wait": 30})
    assert new.structured_content["error"]["message"] == "no milk left"
    assert new.structured_content["replay_of"] == run_id
    found = served.call(runner, "list_runs", {"workflow": ["refuse"], "trigger": ["workflow_tool"]})
    assert run_id in [run["id"] for run in found.structured_content["data"]]
    with served.database.read() as tx:
        audited = [tuple(row) for row in tx.rows(_AUDITED)]
    assert ("run.replay", run_id, "agent") in audited


def test_bad_calls_are_errors_with_paths(served: Served, runner: str) -> None:
    bad = served.call(runner, "order", {"count": "many"})
    assert bad.is_error
    assert [each["path"] for each in bad.structured_content["errors"]] == ["$.count", "$"]
    wrapped = served.call(runner, "double", {"input": "many"})
    assert [each["path"] for each in wrapped.structured_content["errors"]] == ["$.input"]
    foreign = served.call(runner, "double", {"input": 1, "number": 2})
    assert [each["path"] for each in foreign.structured_content["errors"]] == ["$.number"]
    with pytest.raises(MCPError, match=r"There is no tool 'ordr'\. Did you mean order"):
        served.call(runner, "ordr")
    with pytest.raises(MCPError, match="There is no tool 'hidden'"):
        served.call(runner, "hidden")
    with pytest.raises(MCPError):
        served.call(runner, "order", {"item": "x" * 100_000})


def test_who_only_reads_starts_nothing(served: Served) -> None:
    viewer = served.key("viewer")
    assert not served.call(viewer, "list_runs").is_error
    for tool in ("order", "cancel_run", "replay_run"):
        refused = served.call(viewer, tool, {"item": "tea"} if tool == "order" else {"run_id": "run_0"})
        assert refused.is_error
        assert refused.structured_content["type"] == "urn:keystroke:problem:role-too-low"


def test_a_key_of_one_project_sees_nothing_of_others(served: Served, runner: str) -> None:
    order = run_of(served, served.call(runner, "order", {"item": "tea"}))
    limited = served.key("runner", project="warehouse")
    names = {tool.name for tool in served.talk(limited, lambda client: client.list_tools()).tools}
    assert names == {"list_runs", "get_run", "cancel_run", "replay_run", "stock"}
    assert served.call(limited, "list_runs").structured_content["data"] == []
    assert served.call(limited, "get_run", {"run_id": order.id}).structured_content["status"] == 404
    with pytest.raises(MCPError, match="There is no tool"):
        served.call(limited, "shop__order", {"item": "tea"})


def test_without_a_good_key_nothing_is_answered(served: Served) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    for headers in ({}, {"Authorization": "Bearer ks_wrong"}, {"x-api-key": "ks_wrong"}):
        answer = httpx.post(f"{served.url}/mcp", json=message, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_calls_that_wait_end_with_the_process(
    processes: Processes, sqlite_settings: Settings, broker_url: str
) -> None:
    """Each of the forked processes has a loop of its own; nobody executes the runs, so both calls would wait on."""
    settings = replace(
        sqlite_settings, broker_url=broker_url, project="shop", api_processes=2, tool_wait=60.0
    )
    with closing(Database.from_settings(settings)) as database:
        publish(database, WorkflowManifest("order", "Order", "", {}, {}, tool=True), project="shop")
        fleet = start_fleet(processes, settings, Path(), apis=1, workers=0, beats=0)
        call = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": "order", "arguments": {}},
        }
        with ThreadPoolExecutor() as calling:
            answers = [
                calling.submit(httpx.post, f"{fleet.urls[0]}/mcp", json=call, timeout=60) for _ in range(6)
            ]
            wait_until(
                lambda: database_runs(database) == len(answers), 30, what="all calls have started a run"
            )
            ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
            for _ in range(4):  # a loop that waited itself would answer nobody else
                assert httpx.post(f"{fleet.urls[0]}/mcp", json=ping, timeout=5).json()["result"] == {}
            began = time.monotonic()
            assert fleet.apis[0].stop() == 0
            assert time.monotonic() - began < 8
            results = [each.result().json()["result"] for each in answers]
    assert {each["structuredContent"]["status"] for each in results} == {"queued"}
