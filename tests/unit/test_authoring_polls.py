"""`@poll`: what is published of it, and every mistake as one clear problem."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from keystroke import PollResult, Tick, poll, workflow
from keystroke.authoring.project import load_project
from keystroke.domain.poll_pace import next_after_failure
from keystroke.errors import DefinitionError, ProjectErrors
from support.projects import write_project


class Cursor(BaseModel):
    at: int


class Invoice(BaseModel):
    number: int


_POSITIVE = Annotated[int, Field(gt=0)]


@workflow("handle")
def handle(invoice: Invoice) -> None: ...


def test_a_poll_is_its_function_when_it_is_called() -> None:
    @poll("new-invoices", every="5m", state=Cursor)
    def new_invoices(state: Cursor | None) -> PollResult[Invoice]:
        """Looks for invoices.

        Twice.
        """
        return PollResult(payloads=[Invoice(number=1)], state=Cursor(at=1))

    new_invoices.attach(handle)
    assert new_invoices(None).payloads == [Invoice(number=1)]
    assert new_invoices.problems() == []
    manifest = new_invoices.manifest()
    assert manifest.description == "Looks for invoices.\n\nTwice."
    assert manifest.payload_schema is not None
    assert manifest.payload_schema["required"] == ["number"]
    options = manifest.options
    assert options.pop("state_schema")["required"] == ["at"]
    assert options == {
        "cron": None, "every": 300.0, "timezone": "UTC", "timeout": 300.0, "queue": "default", "group": None,
        "unhealthy_after": 3, "filter": False, "dedupe_for": None,
    }  # fmt: skip


def test_a_cron_expression_with_its_time_zone() -> None:
    @poll("nightly", "0 2 * * *", timezone="Europe/Paris", dedupe_key=str, dedupe_for="1h", filter=bool)
    def nightly() -> None: ...

    assert {name: nightly.options[name] for name in ("cron", "every", "timezone", "dedupe_for", "filter")} == {
        "cron": "0 2 * * *", "every": None, "timezone": "Europe/Paris", "dedupe_for": 3600.0, "filter": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("annotation", "payload"),
    [
        (PollResult[Invoice], Invoice),
        (Invoice | None, Invoice),
        (list[Invoice], Invoice),
        (list[Invoice] | Invoice | None, Invoice),
        (PollResult[Invoice] | None, Invoice),
        (list[int] | str, int | str),
        (list[_POSITIVE] | _POSITIVE | None, _POSITIVE),
        (PollResult, None),
        (list, None),
        (Any, None),
        (None, None),
    ],
)
def test_what_it_brings_is_read_from_the_annotation(annotation: Any, payload: Any) -> None:
    def look():  # type: ignore[no-untyped-def]
        return None

    look.__annotations__["return"] = annotation
    assert poll("look", every=60)(look).payload_type == payload
    assert poll("look", every=60, payload=Cursor)(look).payload_type is Cursor


def _takes(text: str) -> str:
    names: dict[str, Any] = {
        "Cursor": Cursor,
        "Tick": Tick,
        "Any": Any,
        "Invoice": Invoice,
        "__name__": "here",
    }
    exec(f"def look({text}): ...", names)
    return names["look"]  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("state", "parameters", "told"),
    [
        (None, "", None),
        (None, "tick", None),
        (None, "tick: Tick", None),
        (Cursor, "state: Cursor | None", None),
        (Cursor, "state, tick", None),
        (Cursor, "cursor: Any, now: Tick", None),
        (Cursor, "", "it keeps a state, and its function takes none: def f(state: Cursor | None)"),
        (Cursor, "tick", "it keeps a state, and its function takes none"),
        (Cursor, "state: Cursor", "parameter state is given None on the first tick: make it Cursor | None"),
        (Cursor, "state: Invoice | None", "state is Cursor, and parameter state is something else: make it Cursor | None"),
        (Cursor, "tick: Tick, state: Cursor | None", "the state comes first, the tick second"),
        (Cursor, "state, other", "nothing is given to parameter other"),
        (None, "state: Cursor | None", "it takes state, and keeps no state: @poll(..., state=Cursor)"),
        (None, "*all", "it takes all as * or **"),
        (None, "*, tick", "parameter tick can be given by name only"),
        (None, "ctx", "it takes ctx, and a tick is no run"),
        (None, "tick, now: Tick", "it takes the tick twice: tick, now"),
    ],
)  # fmt: skip
def test_what_the_function_takes(state: type[BaseModel] | None, parameters: str, told: str | None) -> None:
    made = poll("look", every=60, state=state)(_takes(parameters)).attach(handle)  # type: ignore[arg-type]
    problems = made.problems()
    assert len(problems) == (1 if told else 0)
    assert told is None or told in problems[0]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, 'say when it looks: every="5m", or cron="0 * * * *"'),
        ({"every": 60, "cron": "* * * * *"}, "not both"),
        ({"every": "soon"}, "every: 'soon' is not a duration"),
        ({"every": 0.5}, "every is 0.5; a poll looks once a second at most"),
        ({"cron": "61 * * * *"}, "poll look: "),
        ({"cron": "0 2 * * *", "timezone": "Mars/Base"}, "Mars/Base"),
        ({"every": 60, "state": 5}, "state is 5; it must be a Pydantic model"),
        ({"every": 60, "state": dict}, "it must be a Pydantic model"),
        ({"every": 60, "filter": 5}, "filter is 5; it must be a function"),
        ({"every": 60, "dedupe_key": lambda a, b: a}, "dedupe_key takes 2 arguments"),
        ({"every": 60, "dedupe_key": str, "dedupe_for": "ever"}, "dedupe_for: 'ever' is not a duration"),
        ({"every": 60, "group": "A B"}, "group is 'A B'"),
        ({"every": 60, "group": "inbox", "state": Cursor}, "a poll of a group keeps no state"),
        ({"every": 60, "timeout": None}, "timeout is None"),
        ({"every": 60, "queue": "A B"}, "queue is 'A B'"),
        ({"every": 60, "unhealthy_after": 0}, "unhealthy_after is 0"),
        ({"every": 60, "slug": "New Invoices"}, "slug is 'New Invoices'"),
    ],
)
def test_bad_options_are_one_problem_each(options: dict[str, Any], told: str) -> None:
    def look() -> None: ...

    with pytest.raises(DefinitionError) as refused:
        poll(**{"slug": "look", **options})(look)
    assert told in str(refused.value)
    assert str(refused.value).count("\n") == 0


def test_a_result_may_be_made_with_its_type() -> None:
    assert PollResult[int]([1], state=2) == PollResult([1], 2)
    assert (PollResult[int]([1]).payloads, PollResult().payloads) == ([1], ())


def test_what_is_no_plain_function_is_refused() -> None:
    with pytest.raises(DefinitionError, match="look is an async function: @poll takes a plain one"):

        @poll("look", every=60)
        async def look() -> None: ...

    with pytest.raises(DefinitionError, match="generator"):

        @poll("walk", every=60)
        def walk() -> Any:
            yield 1

    with pytest.raises(DefinitionError, match='@poll needs a slug: @poll\\("stroll", every="5m"\\)'):

        @poll  # type: ignore[arg-type]
        def stroll() -> None: ...


def test_problems_of_a_project_have_file_and_line(tmp_path: Path) -> None:
    text = """
        from keystroke import poll, workflow

        @workflow("anything")
        def anything(payload) -> None: ...

        @poll("a", every="5m", group="inbox")
        def a(): ...
        a.attach(anything)

        @poll("b", every="6m", group="inbox")
        def b(): ...
        b.attach(anything)

        @poll("c", every="6m")
        def c(state): ...
    """
    write_project(tmp_path, {"triggers/polls.py": dedent(text).lstrip()})
    with pytest.raises(ProjectErrors) as refused:
        load_project(tmp_path)
    told = str(refused.value)
    assert (
        "triggers/polls.py:10: poll b: it looks at other times than a, and both are in the group inbox"
        in told
    )
    assert "triggers/polls.py:14: poll c: it takes state, and keeps no state" in told
    assert "triggers/polls.py:14: poll c: nothing is attached: c.attach(workflow)" in told


def test_the_pauses_after_failures() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)

    def pause(failures: int, regular: float) -> float:
        after = next_after_failure(failures, now, now + timedelta(seconds=regular))
        assert after is not None
        return (after - now).total_seconds()

    assert [pause(number, 86_400) for number in (1, 2, 3, 7, 8, 100)] == [10, 20, 40, 640, 900, 900]
    assert [pause(number, 300) for number in (1, 5, 6, 100)] == [10, 160, 300, 300], (
        "not later than it would look anyway"
    )
    assert [pause(number, 1) for number in (1, 3, 4, 100)] == [10, 40, 60, 60], (
        "one that looks often slows down"
    )
    assert next_after_failure(1, now, None) is None
