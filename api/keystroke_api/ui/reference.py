"""`/docs`: the OpenAPI document, written out for people."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

from flask import Response, current_app

from keystroke.operations.api_keys import Principal
from keystroke_api.rest.health import OPENAPI
from keystroke_api.ui.contexts import ReferencePage
from keystroke_api.ui.showing import show

_PREFIX: Final = "/api/v1/"
_REFERENCE: Final = "#/components/schemas/"


def reference_page(_caller: Principal) -> Response:
    """Every route with what it takes and what it answers."""
    document = current_app.extensions[OPENAPI]
    groups: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for path, methods in document["paths"].items():
        for method, found in methods.items():
            groups[_group(path)].append(_route(method.upper(), path, found))
    page = ReferencePage(
        title=f"{document['info']['title']} API {document['info']['version']}",
        groups=[{"name": name, "routes": routes} for name, routes in groups.items()],
        schemas=document["components"]["schemas"],
    )
    return show("reference.html", page, title="API", section="docs")


def _group(path: str) -> str:
    if not path.startswith(_PREFIX):
        return "Starting" if path.startswith("/workflows") else "Health"
    if path.endswith(("/runs", "/runs:batch")) and "{slug}" in path:
        return "Starting"
    return path.removeprefix(_PREFIX).partition("/")[0].capitalize()


def _route(method: str, path: str, found: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": found["operationId"], "method": method, "path": path, "summary": found["summary"],
        "label": found["operationId"].replace("_", " ").capitalize(),
        "description": found["description"],
        "parameters": [{**each, "type": _type(each["schema"])} for each in found["parameters"]],
        "body": _type(found["requestBody"]["content"]["application/json"]["schema"]) if "requestBody" in found else "",
        "answers": [
            {"status": status, "description": answer["description"], "type": _content_type(answer)}
            for status, answer in found["responses"].items()
        ],
    }  # fmt: skip


def _content_type(answer: dict[str, Any]) -> str:
    for content in answer.get("content", {}).values():
        return _type(content.get("schema", {}))
    return ""


def _type(schema: dict[str, Any]) -> str:
    """A schema in a word: `RunList`, `string`, `one of queued, running`."""
    reference = schema.get("$ref", "")
    if reference:
        return str(reference).removeprefix(_REFERENCE)
    if "enum" in schema:
        return "one of " + ", ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    kinds = [_type(each) for each in schema.get("anyOf", []) or schema.get("oneOf", [])]
    return " or ".join(kinds) or str(schema.get("format") or schema.get("type") or "any JSON")
