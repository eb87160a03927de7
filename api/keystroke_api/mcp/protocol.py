"""The tools in the protocol's terms: the SDK's server, whose handlers hand the work to threads.

The event loop only ever passes messages on: whatever asks the database or waits for a run does so on a thread of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from importlib.metadata import version
from typing import Any, Final, TypeVar

from anyio import CapacityLimiter, to_thread
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)

from keystroke.operations.api_keys import Principal
from keystroke_api.mcp.catalog import WorkflowTool, list_workflow_tools
from keystroke_api.mcp.exchange import EXCHANGE, Exchange
from keystroke_api.mcp.outcome import Outcome
from keystroke_api.mcp.run_tools import RUN_TOOLS, RunTool
from keystroke_api.mcp.serving import UnknownTool, serve_tool
from keystroke_api.mcp.workflow_tool import Call

T = TypeVar("T")
#: Tools in one part of the list.
_PAGE: Final = 200
_LONGEST_CLIENT: Final = 100
#: Where the result of a call names the run that it has started.
_RUN_ID: Final = "keystroke/run-id"
_INSTRUCTIONS: Final = (
    "Each tool that is named after a workflow starts a run of it, a durable one, and waits a while for its end. A run that takes "
    "longer goes on: call get_run with its run_id and wait. Do not call the workflow again meanwhile, which would start another "
    "run. list_runs, get_run, cancel_run and replay_run look after all runs."
)


def make_server(threads: int) -> Server[Any]:
    """The server, whose tools are executed by at most so many threads at a time."""
    work = partial(_on_thread, CapacityLimiter(threads))

    async def list_tools(
        context: ServerRequestContext[Any, Any], params: PaginatedRequestParams | None
    ) -> ListToolsResult:
        exchange = _exchange(context)
        return await work(exchange, partial(_part, exchange.caller, params))

    async def call_tool(
        context: ServerRequestContext[Any, Any], params: CallToolRequestParams
    ) -> CallToolResult:
        exchange = _exchange(context)
        called = Call(
            exchange.caller,
            params.arguments or {},
            _client(context, exchange),
            _traceparent(context, exchange),
        )
        try:
            return _result(await work(exchange, partial(serve_tool, params.name, called)))
        except UnknownTool as error:
            raise MCPError(code=INVALID_PARAMS, message=str(error)) from error

    return Server(
        "keystroke", title="Keystroke", version=version("keystroke"), instructions=_INSTRUCTIONS,
        on_list_tools=list_tools, on_call_tool=call_tool, get_tool_input_schema=_no_parameter_headers,
    )  # fmt: skip


def _no_parameter_headers(_tool: str) -> None:
    """No argument is read from a header, so none has to agree with one; else the tools would be listed for each call."""


async def _on_thread(limiter: CapacityLimiter, exchange: Exchange, work: Callable[[], T]) -> T:
    return await to_thread.run_sync(exchange.context.copy().run, work, limiter=limiter)


def _exchange(context: ServerRequestContext[Any, Any]) -> Exchange:
    found: Exchange = context.request.scope["wsgi_environ"][EXCHANGE]  # type: ignore[union-attr]
    return found


def _client(context: ServerRequestContext[Any, Any], exchange: Exchange) -> str:
    """The client's name for itself. Before the revision of 2026-07-28 a call does not carry it: then the key's."""
    known = context.session.client_params
    name = known.client_info.name if known else ""
    readable = "".join(each for each in " ".join(name.split()) if each.isprintable())
    return readable[:_LONGEST_CLIENT] or exchange.caller.actor.name


def _traceparent(context: ServerRequestContext[Any, Any], exchange: Exchange) -> str | None:
    given = (context.meta or {}).get("traceparent")
    return given if isinstance(given, str) else exchange.traceparent


def _part(caller: Principal, params: PaginatedRequestParams | None) -> ListToolsResult:
    cursor = (params.cursor if params else None) or "0"
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 10):
        raise MCPError(code=INVALID_PARAMS, message="The cursor is none of those that were given out.")
    tools: list[RunTool | WorkflowTool] = [*RUN_TOOLS.values(), *list_workflow_tools(caller)]
    first, behind = int(cursor), int(cursor) + _PAGE
    return ListToolsResult(
        tools=[_described(tool) for tool in tools[first:behind]],
        next_cursor=str(behind) if behind < len(tools) else None,
    )


def _described(tool: RunTool | WorkflowTool) -> Tool:
    return _run_tool(tool) if isinstance(tool, RunTool) else _workflow_tool(tool)


def _workflow_tool(tool: WorkflowTool) -> Tool:
    workflow, shape = tool.workflow, tool.shape
    return Tool(
        name=tool.name, title=workflow.name, description=workflow.description or workflow.name,
        input_schema=shape.input_schema, output_schema=shape.output_schema,
    )  # fmt: skip


@cache
def _run_tool(tool: RunTool) -> Tool:
    return Tool(
        name=tool.name, title=tool.title, description=tool.description,
        input_schema=tool.arguments.model_json_schema(mode="validation"),
        output_schema=tool.answer.model_json_schema(mode="serialization"),
        annotations=ToolAnnotations(
            read_only_hint=tool.reads_only, destructive_hint=tool.destroys, open_world_hint=False
        ),
    )  # fmt: skip


def _result(outcome: Outcome) -> CallToolResult:
    texts = [outcome.text, *([outcome.more] if outcome.more else [])]
    meta = {"_meta": {_RUN_ID: outcome.run_id}} if outcome.run_id else {}
    return CallToolResult(
        content=[TextContent(type="text", text=text) for text in texts],
        structured_content=outcome.structured,
        is_error=outcome.failed,
        **meta,  # type: ignore[arg-type]
    )
