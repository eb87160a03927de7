"""A route as a function: its signature says what it takes, and both the checks and the OpenAPI document come from it.

    @operation("POST", "/api/v1/runs/<run_id>/cancel", role=Role.RUNNER, answers={202: Answer(...)}, problems=(404, 409))
    def cancel_run(caller: Principal, run_id: str) -> Response: ...

Parameters are filled by name: `caller` is who asks, `query`, `headers` and `body` are Pydantic models that the request was
validated with, all others are parts of the path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, get_type_hints

from flask import Flask, Response, request
from pydantic import BaseModel, ConfigDict, RootModel, ValidationError

from keystroke.errors import PathError
from keystroke_api.auth import Role, identify, require_role
from keystroke_api.bodies import read_json
from keystroke_api.refusals import InvalidRequest
from keystroke_api.services import services

View = Callable[..., Response]
#: Room for what stands around a payload in a body: names, tags, options.
SLACK: Final = 64 * 1024
_OPERATION: Final = "__operation__"


class NoQuery(BaseModel):
    """No parameters."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class Answer:
    """One kind of answer: what it means, the model of its JSON, the headers it carries (name to description)."""

    description: str
    model: type[BaseModel] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operation:
    """A route with everything that the server checks and the document describes.

    `role` None leaves the route open to everybody; `payloads` is how many payloads its body may hold.
    """

    view: View
    method: str
    path: str
    role: Role | None
    answers: Mapping[int, Answer]
    problems: tuple[int, ...]
    query: type[BaseModel]
    headers: type[BaseModel] | None
    body: type[BaseModel] | None
    body_optional: bool
    payloads: int

    @property
    def name(self) -> str:
        """The name of the view: Flask's endpoint, OpenAPI's operationId."""
        return self.view.__name__

    def serve(self, **path: str) -> Response:
        """Identify the caller, validate the request, call the view."""
        arguments: dict[str, Any] = dict(path)
        if self.role is not None:
            arguments["caller"] = identify(services().database)
            require_role(arguments["caller"], self.role)
        query = _validated(self.query, _query_values(self.query), "query")
        if self.query is not NoQuery:
            arguments["query"] = query
        if self.headers is not None:
            arguments["headers"] = _validated(self.headers, _header_values(self.headers), "headers")
        if self.body is not None:
            arguments["body"] = self._read_body(self.body)
        return self.view(**arguments)

    def _read_body(self, model: type[BaseModel]) -> BaseModel:
        limit = services().settings.payload_limit * self.payloads + SLACK
        value = read_json(limit, optional=self.body_optional)
        if value is None and self.body_optional:
            value = {}
        return _validated(model, value, "body")


def operation(
    method: str,
    path: str,
    *,
    answers: Mapping[int, Answer],
    role: Role | None = None,
    problems: tuple[int, ...] = (),
    body_optional: bool = False,
    payloads: int = 1,
) -> Callable[[View], View]:
    """Mark a function as a route; `register` makes it one."""

    def mark(view: View) -> View:
        hints = get_type_hints(view)
        described = Operation(
            view=view, method=method, path=path, role=role, answers=answers, problems=problems,
            query=hints.get("query", NoQuery), headers=hints.get("headers"), body=hints.get("body"),
            body_optional=body_optional, payloads=payloads,
        )  # fmt: skip
        setattr(view, _OPERATION, described)
        return view

    return mark


def operation_of(view: View) -> Operation:
    """What `@operation` says about a function."""
    found: Operation = getattr(view, _OPERATION)
    return found


def register(app: Flask, found: Operation) -> None:
    """Make the operation a route of the app."""
    app.add_url_rule(
        found.path, found.name, found.serve, methods=[found.method], provide_automatic_options=False
    )


def _validated(model: type[BaseModel], value: Any, what: str) -> BaseModel:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise InvalidRequest(what=what, errors=path_errors(error)) from error


def path_errors(error: ValidationError) -> list[PathError]:
    """What Pydantic found, as JSONPath and message; the values themselves are not repeated."""
    listed = error.errors(include_url=False, include_context=False, include_input=False)
    return [PathError(_json_path(each["loc"]), each["msg"].removeprefix("Value error, ")) for each in listed]


def _json_path(location: tuple[int | str, ...]) -> str:
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return "$" + "".join(parts)


def _query_values(model: type[BaseModel]) -> dict[str, Any]:
    """The query's values: those of a list as a list, any other once; a repeated one stays a list, which is refused."""
    values: dict[str, Any] = {}
    for name, found in request.args.lists():
        values[name] = found if _is_list(model, name) or len(found) > 1 else found[0]
    return values


def _is_list(model: type[BaseModel], name: str) -> bool:
    info = model.model_fields.get(name)
    return info is not None and isinstance(info.get_default(call_default_factory=True), tuple)


def _header_values(model: type[BaseModel]) -> dict[str, str]:
    names = (info.alias or name for name, info in model.model_fields.items())
    return {name: request.headers[name] for name in names if name in request.headers}


class AnyJson(RootModel[Any]):
    """Any JSON value."""
