"""What workflows take and give as tools take and give it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, TypeAdapter

from keystroke.authoring.workflow_input import input_codec
from keystroke.domain.manifest import WorkflowManifest
from keystroke.store.access import Project
from keystroke_api.mcp.catalog import LONGEST_NAME, WorkflowTool
from keystroke_api.mcp.shapes import Shape, shape_of

PLAIN = WorkflowManifest("plain", "Plain", "", {}, {})
PROJECT = Project("prj_1", "shop", "shop", "org_1", "default", "dep_1")


class Leaf(BaseModel):
    name: str = "x"


class Tree(BaseModel):
    children: list[Tree] = []
    leaf: Leaf | None = None


def shape(request: pytest.FixtureRequest, taken: Any = None, given: Any = None) -> Shape:
    """The shape of a workflow with these schemas; schemas that Pydantic makes for types."""
    manifest = replace(
        PLAIN, input_schema=schema(taken, "validation"), output_schema=schema(given, "serialization")
    )
    return shape_of(request.node.name, manifest)


def schema(of: Any, mode: Any) -> dict[str, Any]:
    """A schema as it is, or of a type."""
    found: dict[str, Any] = of if isinstance(of, dict) else TypeAdapter(of).json_schema(mode=mode)
    return found


def takes(found: Shape, arguments: Any) -> bool:
    """Whether a client that checks its arguments would send these."""
    Draft202012Validator.check_schema(found.input_schema)
    assert found.input_schema["type"] == "object", "no revision of the protocol knows other arguments"
    return Draft202012Validator(found.input_schema).is_valid(arguments)


@pytest.mark.parametrize("of", [Tree, Leaf, {"type": "object", "properties": {"name": {"type": "string"}}}])
def test_an_object_is_the_arguments(request: pytest.FixtureRequest, of: Any) -> None:
    found = shape(request, of, of)
    arguments = {"leaf": {"name": "Ada"}, "children": [{}]} if of is Tree else {"name": "Ada"}
    assert takes(found, arguments)
    assert not takes(found, {"leaf": 1, "name": 1})
    assert "$ref" not in found.input_schema, "clients look for properties at the root"
    assert found.input_of(arguments) == arguments
    assert found.input_of({}) == {}
    assert found.path_of("$.name") == "$.name"
    assert found.structured(arguments) == arguments


@pytest.mark.parametrize(
    ("of", "value"), [(int, 3), (list[Tree], [{}]), (Tree | int, {}), (str | None, None), (object, [1])]
)
def test_anything_else_is_a_member(request: pytest.FixtureRequest, of: Any, value: Any) -> None:
    found = shape(request, of, of)
    assert takes(found, {"input": value})
    assert not takes(found, {})
    assert not takes(found, {"input": value, "other": 1})
    assert found.input_of({"input": value}) == value
    assert found.foreign({"input": value, "other": 1}) == ["other"]
    assert found.path_of("$[0].name") == "$.input[0].name"
    assert found.path_of("$") == "$.input"
    assert found.structured(value) == {"result": value}


def test_an_object_or_nothing_is_a_member_of_what_is_given(request: pytest.FixtureRequest) -> None:
    found = shape(request, None, Tree | None)
    assert found.structured(None) == {"result": None}
    assert found.structured({"children": [{}]}) == {"result": {"children": [{}]}}


def test_no_arguments_are_no_input_where_there_need_be_none(request: pytest.FixtureRequest) -> None:
    optional = shape(request, Leaf | None)
    assert takes(optional, {})
    assert takes(optional, {"name": "Ada"})
    assert (optional.input_of({}), optional.input_of({"name": "Ada"})) == (None, {"name": "Ada"})
    nothing = shape_of("nothing", replace(PLAIN, input_schema=input_codec(None).schema("validation")))
    assert takes(nothing, {})
    assert not takes(nothing, {"name": "Ada"})
    assert nothing.input_of({}) is None


def test_references_lead_to_the_same_places(request: pytest.FixtureRequest) -> None:
    """What a schema refers to by another way than `$defs` is found where it has gone."""
    linked = {
        "type": "array",
        "items": {"anyOf": [{"type": "integer"}, {"$ref": "#"}]},
        "maxItems": 2,
        "$id": "urn:x",
    }
    found = shape(request, linked, linked)
    assert takes(found, {"input": [1, [2, []]]})
    assert not takes(found, {"input": [1, [2, "3"]]})
    assert found.structured([1, [2, []]]) == {"result": [1, [2, []]]}
    named = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"$ref": "#/properties/a"}}}
    assert shape_of("named", replace(PLAIN, output_schema=named)).structured({"b": "x"}) is None


def test_what_does_not_fit_is_not_given_out_as_output(request: pytest.FixtureRequest) -> None:
    """A value that was redacted, or the output of other code than that of the listed schema."""
    found = shape(request, Leaf, {"type": "object", "properties": {"token": {"type": "integer"}}})
    assert found.structured({"token": "[redacted]"}) is None
    pointer = {"run_id": "run_1", "status": "queued", "message": "It goes on."}
    assert Draft202012Validator(found.output_schema).is_valid(pointer)


def test_names_are_ones_that_models_take() -> None:
    tools = [
        WorkflowTool("", PROJECT, replace(PLAIN, slug=slug))
        for slug in ("short", "long-" * 30 + "a", "long-" * 30 + "b")
    ]
    names = [tool.qualified_name for tool in tools]
    assert names[0] == "shop__short"
    assert len(set(names)) == 3
    assert all(len(name) <= LONGEST_NAME for name in names)
