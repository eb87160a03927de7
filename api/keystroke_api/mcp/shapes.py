"""What a workflow takes and gives as a tool takes and gives it: as JSON objects.

The protocol knows arguments as an object alone, and structured content of clients up to its revision of 2025-11-25 as well.
An input that is an object *is* the arguments; any other is their one member `input`. An output that is an object is the
structured content; any other is its one member `result`. A call that ends before its run gives a pointer to the run instead,
so the output schema of each tool has that as its second choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from jsonschema import Draft202012Validator

from keystroke.domain.manifest import WorkflowManifest

Schema = dict[str, Any]
_INPUT: Final = "input"
_RESULT: Final = "result"
_DEFS: Final = "#/$defs/"
#: Of a document of its own; a part of another one has none.
_OF_ROOTS: Final = ("$defs", "$schema", "$id")
#: Where the run is, of a call whose run has not ended, or whose output is not shown.
POINTER: Final[Schema] = {
    "type": "object",
    "description": "The run has not ended yet, or its output is not shown: get_run tells more.",
    "properties": {
        "run_id": {"type": "string"},
        "status": {"type": "string"},
        "message": {"type": "string"},
    },
    "required": ["run_id", "status", "message"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Shape:
    """The schemas of a tool, and how its arguments become an input and an output becomes structured content."""

    input_schema: Schema
    output_schema: Schema
    wraps_input: bool
    takes_nothing: bool
    wraps_output: bool

    def input_of(self, arguments: Mapping[str, Any]) -> Any:
        """The workflow's input. No arguments are no input where the workflow takes none, or has a default.

        Other members beside a wrapped input are left out; they were refused before, see `foreign`.
        """
        if self.wraps_input:
            return arguments.get(_INPUT)
        return None if self.takes_nothing and not arguments else dict(arguments)

    def foreign(self, arguments: Mapping[str, Any]) -> list[str]:
        """The names of arguments that have no place in a wrapped input."""
        return [name for name in arguments if name != _INPUT] if self.wraps_input else []

    def path_of(self, path: str) -> str:
        """A JSONPath of the workflow's input as one of the arguments."""
        return f"$.{_INPUT}{path.removeprefix('$')}" if self.wraps_input else path

    def structured(self, output: Any) -> dict[str, Any] | None:
        """The output as structured content; None where it does not fit the schema that the tool is listed with.

        Such is one of which something is redacted, or that another version of the code has made.
        """
        content: Any = {_RESULT: output} if self.wraps_output else output
        fits = Draft202012Validator(self.output_schema).is_valid(content)
        return content if fits and isinstance(content, dict) else None


def shape_of(deployment_id: str, workflow: WorkflowManifest) -> Shape:
    """The shape of a published workflow."""
    return _shape(_Published(deployment_id, workflow))


class _Published:
    """A workflow of a deployment, which never changes; equal by where it stands."""

    def __init__(self, deployment_id: str, workflow: WorkflowManifest) -> None:
        self.workflow = workflow
        self._at = (deployment_id, workflow.slug)

    def __hash__(self) -> int:
        return hash(self._at)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Published) and other._at == self._at


@lru_cache(maxsize=500)
def _shape(published: _Published) -> Shape:
    taken, given = published.workflow.input_schema, published.workflow.output_schema
    objects, takes_nothing = _objects(taken)
    content, nothing_too = _objects(given)
    if nothing_too:
        content = None
    return Shape(
        input_schema=_wrapped(taken, _INPUT, "") if objects is None else objects,
        output_schema=_output_schema(given, content),
        wraps_input=objects is None,
        takes_nothing=takes_nothing,
        wraps_output=content is None,
    )


def _output_schema(given: Schema, content: Schema | None) -> Schema:
    choice = _wrapped(given, _RESULT, "/anyOf/0") if content is None else _moved(content, "/anyOf/0")
    definitions = given.get("$defs")
    choice = {name: part for name, part in choice.items() if name not in _OF_ROOTS}
    schema: Schema = {"type": "object", "anyOf": [choice, POINTER]}
    return schema | ({"$defs": definitions} if definitions else {})


def _objects(schema: Schema) -> tuple[Schema | None, bool]:
    """The schema of the objects that it takes, and whether it takes null besides; None where it takes anything else."""
    root = _resolved(schema, schema)
    kind = root.get("type")
    if kind == "object":
        return _as_root(schema, root), False
    if isinstance(kind, list) and set(kind) == {"object", "null"}:
        return _as_root(schema, root), True
    choices = [_resolved(schema, each) for each in root.get("anyOf", ())]
    found = [each for each in choices if each.get("type") == "object"]
    if len(choices) == 2 and len(found) == 1 and {"type": "null"} in choices:
        told: Schema = {name: root[name] for name in ("title", "description") if name in root}
        return _as_root(schema, {**found[0], **told}), True
    return None, False


def _resolved(document: Schema, part: Any) -> Schema:
    """The part, or what it refers to, with what stands beside the reference."""
    if not isinstance(part, dict):
        return {}
    reference = part.get("$ref")
    if not isinstance(reference, str) or not reference.startswith(_DEFS):
        return part
    found = document.get("$defs", {}).get(reference.removeprefix(_DEFS))
    if not isinstance(found, dict) or "$ref" in found:
        return part
    return {**found, **{name: value for name, value in part.items() if name != "$ref"}}


def _as_root(document: Schema, part: Schema) -> Schema:
    definitions = document.get("$defs")
    return {**part, "type": "object"} | ({"$defs": definitions} if definitions else {})


def _wrapped(schema: Schema, name: str, at: str) -> Schema:
    """An object with the schema's value as its one member, to stand at this JSON pointer of a document."""
    part = _moved(
        {key: value for key, value in schema.items() if key not in _OF_ROOTS}, f"{at}/properties/{name}"
    )
    definitions = schema.get("$defs")
    wrapped: Schema = {
        "type": "object",
        "properties": {name: part},
        "required": [name],
        "additionalProperties": False,
    }
    return wrapped | ({"$defs": definitions} if definitions else {})


def _moved(part: Any, pointer: str) -> Any:
    """The schema at another place of its document: references to what does not move along as `$defs` follow it there."""
    if isinstance(part, list):
        return [_moved(each, pointer) for each in part]
    if not isinstance(part, dict):
        return part
    moved = {name: _moved(value, pointer) for name, value in part.items() if name != "$defs"}
    reference = moved.get("$ref")
    if isinstance(reference, str) and reference.startswith("#") and not reference.startswith(_DEFS):
        moved["$ref"] = f"#{pointer}{reference.removeprefix('#')}"
    return moved
