"""The OpenAPI 3.1 document, made from the operations and the very models that validate their requests."""

from __future__ import annotations

import re
from collections.abc import Iterable
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from keystroke_api.operation import Answer, NoQuery, Operation
from keystroke_api.problems import MEDIA_TYPE, Problem

Schema = dict[str, Any]
_REF: Final = "#/components/schemas/{model}"
_PATH_PARAMETER: Final = re.compile(r"<(?:\w+:)?(\w+)>")
_RUN_ID: Final[Schema] = {
    "type": "string", "pattern": "^run_[0-9a-hjkmnp-tv-z]{0,26}$", "examples": ["run_01kasjb2vzf0btnyfp0a4dd6pb"],
}  # fmt: skip
_SLUG: Final[Schema] = {"type": "string", "minLength": 1}
_SECURITY_SCHEMES: Final = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"},
}
#: A key in either place, or none at all on a machine that has no keys yet.
_SECURITY: Final[list[Schema]] = [{"bearer": []}, {"apiKey": []}, {}]


def openapi_document(operations: Iterable[Operation]) -> Schema:
    """The document as JSON."""
    listed = list(operations)
    schemas = _Schemas(listed)
    paths: dict[str, Schema] = {}
    for found in listed:
        path = _PATH_PARAMETER.sub(r"{\1}", found.path)
        paths.setdefault(path, {})[found.method.lower()] = _operation(found, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Keystroke",
            "version": version("keystroke"),
            "description": "Start, list and cancel runs.",
        },
        "paths": paths,
        "components": {"schemas": schemas.shared, "securitySchemes": _SECURITY_SCHEMES},
    }


class _Schemas:
    """The JSON Schema of every model: requests as they are validated, answers as they are sent."""

    def __init__(self, operations: list[Operation]) -> None:
        wanted: set[tuple[type[BaseModel], JsonSchemaMode]] = {(Problem, "serialization")}
        for found in operations:
            wanted |= {(model, "validation") for model in (found.query, found.headers, found.body) if model}
            wanted |= {(answer.model, "serialization") for answer in found.answers.values() if answer.model}
        ordered = sorted(wanted, key=lambda each: each[0].__name__)
        self._references, definitions = models_json_schema(ordered, ref_template=_REF)
        parameters = {
            model.__name__ for found in operations for model in (found.query, found.headers) if model
        }
        everything: dict[str, Schema] = definitions["$defs"]
        self._all = everything
        #: What requests and answers refer to; models of parameters are spelled out where they are used.
        self.shared = {name: schema for name, schema in everything.items() if name not in parameters}

    def of_request(self, model: type[BaseModel]) -> Schema:
        """A reference to the schema that validates the model."""
        return self._references[model, "validation"]

    def of_answer(self, model: type[BaseModel]) -> Schema:
        """A reference to the schema of what is sent."""
        return self._references[model, "serialization"]

    def parameters(self, model: type[BaseModel], place: str) -> list[Schema]:
        """The fields of a model as parameters in `query` or `header`."""
        schema = self._all[model.__name__]
        required = schema.get("required", [])
        return [
            {"name": name, "in": place, "required": name in required, **_described(part)}
            for name, part in schema.get("properties", {}).items()
        ]


def _described(part: Schema) -> Schema:
    """A parameter's description beside its schema, which says nothing of titles and of being absent."""
    schema = {key: value for key, value in part.items() if key not in ("title", "description", "default")}
    kinds = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
    if len(kinds) == 1:
        schema = {**{key: value for key, value in schema.items() if key != "anyOf"}, **kinds[0]}
    described: Schema = {"schema": schema}
    if "description" in part:
        described["description"] = part["description"]
    return described


def _operation(found: Operation, schemas: _Schemas) -> Schema:
    summary, _, description = (found.view.__doc__ or "").partition("\n")
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": _RUN_ID if name == "run_id" else _SLUG}
        for name in _PATH_PARAMETER.findall(found.path)
    ]
    if found.query is not NoQuery:
        parameters += schemas.parameters(found.query, "query")
    if found.headers:
        parameters += schemas.parameters(found.headers, "header")
    described: Schema = {
        "operationId": found.name,
        "summary": summary.rstrip("."),
        "description": description.strip(),
        "parameters": parameters,
        "responses": _responses(found, schemas),
        "security": _SECURITY if found.role is not None else [],
    }
    if found.body:
        content = {"application/json": {"schema": schemas.of_request(found.body)}}
        described["requestBody"] = {"required": not found.body_optional, "content": content}
    return described


def _responses(found: Operation, schemas: _Schemas) -> Schema:
    responses: Schema = {str(status): _answer(answer, schemas) for status, answer in found.answers.items()}
    for status in sorted(_problem_statuses(found)):
        problem = {"schema": schemas.of_answer(Problem)}
        phrase = HTTPStatus(status).phrase
        responses[str(status)] = {"description": phrase, "content": {MEDIA_TYPE: problem}}
    return responses


def _problem_statuses(found: Operation) -> set[int]:
    """What the view may refuse, and what is checked before it is called."""
    statuses = {414, 422, 431, 500, *found.problems}
    if found.role is not None:
        statuses |= {401, 403, 503}
    if found.body:
        statuses |= {400, 408, 413, 415}
    return statuses


def _answer(answer: Answer, schemas: _Schemas) -> Schema:
    described: Schema = {"description": answer.description}
    if answer.model:
        described["content"] = {"application/json": {"schema": schemas.of_answer(answer.model)}}
    if answer.headers:
        described["headers"] = {
            name: {"description": text, "schema": {"type": "string"}} for name, text in answer.headers.items()
        }
    return described
