"""A tool's call, from its name to its outcome; on a thread, with the surroundings of the request."""

from __future__ import annotations

import difflib

from keystroke.errors import KeystrokeError
from keystroke_api.mcp.catalog import find_workflow_tool, list_workflow_tools
from keystroke_api.mcp.outcome import Outcome, broken, refused
from keystroke_api.mcp.run_tools import RUN_TOOLS
from keystroke_api.mcp.workflow_tool import Call, call_workflow


class UnknownTool(KeystrokeError):
    """There is no tool {tool}.{hint}"""

    code = "unknown-tool"


def serve_tool(name: str, call: Call) -> Outcome:
    """Call the tool of this name. What is wrong with the call is its outcome; only an unknown tool is raised."""
    try:
        return _served(name, call)
    except UnknownTool:
        raise
    except KeystrokeError as error:
        return refused(error)
    except Exception as error:  # noqa: BLE001 - the log has it; what the caller reads tells no internals
        return broken(error)


def _served(name: str, call: Call) -> Outcome:
    if name in RUN_TOOLS:
        return RUN_TOOLS[name].call(call.caller, call.arguments)
    tool = find_workflow_tool(call.caller, name)
    if tool is None:
        raise UnknownTool(tool=repr(name[:100]), hint=_hint(name, call))
    return call_workflow(tool, call)


def _hint(name: str, call: Call) -> str:
    known = [*RUN_TOOLS, *(tool.name for tool in list_workflow_tools(call.caller))]
    near = difflib.get_close_matches(name[:100], known, n=3)
    return f" Did you mean {', '.join(near)}?" if near else ""
