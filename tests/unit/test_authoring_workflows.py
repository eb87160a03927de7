"""Workflows: what their signature and options mean."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel, EmailStr, SecretStr

from keystroke import AsyncContext, Backoff, Concurrency, Context, RateLimit, workflow
from keystroke.authoring.workflow_manifest import workflow_manifest
from keystroke.domain.manifest import WorkflowManifest
from keystroke.errors import DefinitionError, InvalidValue

if TYPE_CHECKING:
    from keystroke import Context as TypedContext


class Signup(BaseModel):
    name: str
    email: EmailStr


@workflow(
    "sign-up",
    tags={"team": "sales"},
    priority=3,
    max_attempts=2,
    backoff=Backoff("2s", 3, "1m"),
    retention="30d",
)
def sign_up(signup: Signup, ctx: Context) -> str:
    """Greets."""
    return f"{signup.name} {ctx}"


def test_a_workflow_is_its_function_when_it_is_called() -> None:
    assert sign_up(Signup(name="Ada", email="ada@example.com"), "ctx") == "Ada ctx"  # type: ignore[arg-type]


def test_options_and_their_defaults() -> None:
    assert (sign_up.slug, sign_up.name, sign_up.description) == ("sign-up", "sign_up", "Greets.")
    options = sign_up.options
    assert (options.queue, options.priority, options.max_attempts, options.tool) == ("default", 3, 2, False)
    assert options.retry() == {"first": 2.0, "factor": 3, "longest": 60.0}
    assert Backoff(**(options.retry() or {})).bound(2) == timedelta(seconds=6)
    assert options.idempotency_ttl == timedelta(hours=24)
    assert options.retention == timedelta(days=30)
    assert options.tags == {"team": "sales"}


def test_the_schemas_are_those_of_the_annotations() -> None:
    assert sign_up.input_schema()["properties"]["email"] == {
        "format": "email",
        "title": "Email",
        "type": "string",
    }
    assert sign_up.output_schema() == {"type": "string"}
    assert sign_up.takes_context
    assert sign_up.problems() == []


def test_the_input_is_read_and_recorded() -> None:
    with pytest.raises(
        InvalidValue, match=r"The input of sign-up does not fit Signup: \$.email: value is not a valid email"
    ):
        sign_up.input.load({"name": "Ada", "email": "ada"}, what="input of sign-up")
    assert sign_up.invoke(sign_up.input.load({"name": "Ada", "email": "ada@example.com"}), "ctx") == "Ada ctx"


def test_the_context_is_known_by_its_name_or_by_its_type_wherever_it_stands() -> None:
    @workflow("by-name")
    def by_name(ctx, number: int):  # type: ignore[no-untyped-def]
        return ctx, number

    @workflow("by-type")
    def by_type(*, run: Context | None, number: int) -> Any:
        return run, number

    @workflow("by-typed-name")
    def by_typed_name(number: int, /, ctx: TypedContext) -> Any:
        return ctx, number

    for each in (by_name, by_type, by_typed_name):
        assert each.problems() == []
        assert each.invoke(7, "ctx") == ("ctx", 7)


def test_async_workflows_are_awaited() -> None:
    @workflow("later")
    async def later(number: int, run: AsyncContext) -> int:
        return number

    assert later.is_async
    assert later.problems() == []
    assert asyncio.run(later.invoke(7, None)) == 7


def test_without_a_parameter_nothing_and_an_empty_object_are_accepted() -> None:
    @workflow("nightly")
    def nightly() -> None: ...

    assert nightly.input.load(None) is None
    assert nightly.input.load({}) is None
    assert nightly.input.dump(None) is None
    assert nightly.invoke(None, None) is None
    with pytest.raises(InvalidValue):
        nightly.input.load({"a": 1})
    assert nightly.input_schema()["type"] == ["object", "null"]


def test_a_default_stands_for_a_missing_input_and_is_recorded() -> None:
    @workflow("count")
    def count(limit: int = 10) -> int:
        return limit

    assert count.input.load(None) == 10
    assert count.input.dump(count.input.load(None)) == 10
    assert count.input.load(3) == 3
    assert {"type": "null"} in count.input_schema()["anyOf"]


def test_without_a_result_type_anything_goes() -> None:
    @workflow("free")
    def free(value):  # type: ignore[no-untyped-def]
        return value

    assert free.output_schema() == {}
    assert free.output.dump({"a": {3, 1}}) == {"a": [1, 3]}


def test_limits_and_bounds_are_published() -> None:
    @workflow("alert")
    def alert(failed: dict[str, Any]) -> None:
        """Tells somebody."""

    bounded = workflow(
        "bounded",
        timeout="1h",
        budget="5.00",
        concurrency=Concurrency(4, key="{input.name}", policy="replace"),
        rate_limit=RateLimit(10, per="1m"),
        on_failure=alert,
        durability="relaxed",
    )(sign_up.function)
    manifest = workflow_manifest(bounded)
    assert (manifest.timeout, manifest.budget, manifest.durability) == (3600.0, "5", "relaxed")
    assert manifest.concurrency == {"limit": 4, "key": "{input.name}", "policy": "replace"}
    assert manifest.rate_limit == {"limit": 10, "per": 60.0, "key": None}
    assert manifest.on_failure == "alert"
    assert WorkflowManifest.from_json(manifest.as_json()) == manifest


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("timeout", "soon", "timeout: 'soon' is not a duration"),
        ("concurrency", 4, "concurrency is 4; write it like Concurrency"),
        ("rate_limit", "10/m", "rate_limit is '10/m'; write it like RateLimit"),
        ("budget", "0", "budget is '0'; it must be more than zero"),
        ("budget", "much", "budget is not a decimal number"),
        ("durability", "lax", "durability is 'lax'; it is one of strict, relaxed"),
        ("on_failure", "alert", "on_failure is 'alert'; it must be a workflow"),
    ],
)
def test_wrong_limits_and_bounds_are_named(option: str, value: Any, told: str) -> None:
    with pytest.raises(DefinitionError, match=f"workflow sign-up: {re.escape(told)}"):
        workflow("sign-up", **{option: value})(sign_up.function)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Concurrency(0), "limit is 0"),
        (lambda: Concurrency(1, key="{run.id}"), "key names {run.id}; it sees input and tags"),
        (lambda: Concurrency(1, key=""), "key is ''"),
        (lambda: Concurrency(1, policy="wait"), "policy is 'wait'"),  # type: ignore[arg-type]
        (lambda: RateLimit(True), "limit is True"),
        (lambda: RateLimit(1, per=0), "per is 0"),
    ],
)
def test_limits_that_make_no_sense_are_refused_where_they_are_written(
    make: Callable[[], object], told: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        make()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"slug": "Sign up"}, "slug is 'Sign up'; write it like signup-pipeline"),
        ({"priority": 11}, "priority is 11; it must be a whole number from -10 to 10"),
        ({"queue": "A B"}, "queue is 'A B'"),
        ({"max_attempts": 0}, "max_attempts is 0"),
        ({"retention": "ever"}, "retention: 'ever' is not a duration"),
        ({"idempotency_ttl": [1]}, "idempotency_ttl"),
        ({"tags": {"a": 1}}, "tags: 'a': 1; both must be text"),
        ({"tags": "a"}, "tags is 'a'"),
        ({"tool": 1}, "tool is 1"),
        ({"name": 1}, "name is 1"),
        ({"backoff": "1s"}, "backoff is '1s'"),
    ],
)
def test_bad_options_are_refused_at_the_definition(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DefinitionError) as refused:
        workflow(**{"slug": "sign-up", **options})(sign_up.function)
    assert message in str(refused.value)


def test_a_decorator_without_a_slug_says_what_to_write() -> None:
    with pytest.raises(DefinitionError, match=r'@workflow needs a slug: @workflow\("sign-up"\)'):
        workflow(sign_up.function)  # type: ignore[arg-type]


def test_signatures_that_cannot_be_started_are_named() -> None:
    @workflow("two")
    def two(a: int, b: int) -> None: ...

    @workflow("star")
    def star(*numbers: int) -> None: ...

    @workflow("missing")
    def missing(thing: Missing) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    @workflow("mixed")
    def mixed(ctx: AsyncContext) -> None: ...

    assert two.problems() == [
        "workflow two: it has 2 parameters (a, b): make them fields of one model, its input"
    ]
    assert star.problems() == ["workflow star: it takes numbers as * or **: a workflow has one input"]
    assert missing.problems() == [
        "workflow missing: the type of parameter thing, Missing, cannot be read: name 'Missing' is not defined"
    ]
    assert mixed.problems() == [
        "workflow mixed: parameter ctx is AsyncContext; in a `def` workflow it is Context"
    ]


def test_a_secret_cannot_be_part_of_a_key() -> None:
    class Login(BaseModel):
        user: str
        password: SecretStr

    @workflow(
        "log-in",
        concurrency=Concurrency(1, key="{input.user}"),
        rate_limit=RateLimit(1, key="{input.password}"),
    )
    def log_in(login: Login) -> None: ...

    assert log_in.problems() == [
        "workflow log-in: the key of its rate_limit names input.password, which is a secret"
    ]
