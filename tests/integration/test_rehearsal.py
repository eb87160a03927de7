"""Rehearsals: a recorded run against today's code, with no body run and nothing written."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest

from keystroke.authoring.project import LoadedProject, load_project
from keystroke.domain.outcome import Completed, Failed
from keystroke.domain.recorded_run import RecordedRun
from keystroke.domain.states import Status
from keystroke.domain.step import StepKind
from keystroke.errors import SecretUnreadable
from keystroke.execution.rehearsal import Matches, Mismatch, rehearse
from support.attempts import PREAMBLE, MakeRig, Rig
from support.projects import write_project

ORDER = """
    from pydantic import SecretStr

    @action
    def charge(customer: str, cents: int) -> str:
        CALLS.append("charge")
        return f"receipt of {customer}"

    @action(retries=1, backoff=Backoff(first="1h", longest="1h"))
    def ship(receipt: str) -> str:
        CALLS.append("ship")
        raise ConnectionError("away")

    @workflow("order")
    def order(customer: str, ctx: Context) -> str:
        print("said between the steps")
        ctx.tags["customer"] = customer
        receipt = charge(customer, 500)
        return ship(receipt)
"""


def recorded_of(rig: Rig, run_id: str) -> RecordedRun:
    """The run as a rehearsal reads it, through JSON as it comes from the API."""
    run = rig.run(run_id)
    recorded = RecordedRun(
        run.id, run.workflow, run.status, run.attempt, run.input, True, "seed", tuple(rig.steps(run_id).values())
    )  # fmt: skip
    read = RecordedRun.from_json(json.loads(json.dumps(recorded.as_json())))
    assert read == recorded
    return read


def today(tmp_path: Path, source: str) -> LoadedProject:
    """A project with this code."""
    text = PREAMBLE + dedent(source)
    return load_project(write_project(tmp_path / "today", {"workflows/flows.py": text}))


def suspended(rig: Rig) -> RecordedRun:
    """A run of `order` that waits for the second try of its second step."""
    run_id = rig.start("order", "acme")
    rig.attempt()
    assert rig.run(run_id).status is Status.SLEEPING
    return recorded_of(rig, run_id)


def test_the_code_that_made_the_record_matches_and_no_body_runs(make_rig: MakeRig) -> None:
    rig = make_rig(ORDER)
    recorded = suspended(rig)
    before = list(rig.calls)
    assert rehearse(rig.project, recorded, None) == Matches(None)
    assert rig.calls == before == ["charge", "ship"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("charge(customer, 500)", "charge(customer, 700)", "cents=500"),
        (
            "def charge(customer: str, cents: int) -> str:",
            "def charge(customer: str, cents: int) -> int:",
            "charge#0",
        ),
        ('@workflow("order")', '@workflow("orders")', "no workflow order"),
        ("def order(customer: str,", "def order(customer: int,", "integer"),
        ('print("said between the steps")', 'raise KeyError("x")', "before it comes by charge#0: KeyError"),
    ],
)
def test_code_that_asks_for_something_else_is_told_with_what_is_on_record(
    make_rig: MakeRig, tmp_path: Path, old: str, new: str, expected: str
) -> None:
    recorded = suspended(make_rig(ORDER))
    changed = ORDER.replace(old, new)
    assert changed != ORDER
    verdict = rehearse(today(tmp_path, changed), recorded, None)
    assert isinstance(verdict, Mismatch)
    assert expected in verdict.message


def test_a_step_put_in_between_ends_the_rehearsal_and_mismatches_nothing(
    make_rig: MakeRig, tmp_path: Path
) -> None:
    recorded = suspended(make_rig(ORDER))
    changed = ORDER.replace("receipt = charge", "ship('x')\n        receipt = charge")
    changed = changed.replace(
        "def ship(",
        'def ship_(receipt: str) -> str:\n        CALLS.append("new")\n\n    @action\n    def ship(',
    )
    changed = changed.replace("ship('x')", "ship_('x')")
    project = today(tmp_path, changed)
    assert rehearse(project, recorded, None) == Matches(None, ("charge#0", "ship#0"))
    assert project.workflows["order"].function.__globals__["CALLS"] == []


def test_a_renamed_action_would_be_executed_again(make_rig: MakeRig, tmp_path: Path) -> None:
    recorded = suspended(make_rig(ORDER))
    renamed = ORDER.replace("def charge(", "def take_money(").replace("= charge(", "= take_money(")
    verdict = rehearse(today(tmp_path, renamed), recorded, None)
    assert isinstance(verdict, Mismatch)
    assert verdict.step == "charge#0"
    assert "has no action charge any more" in verdict.message

    kept = renamed.replace("@action\n    def take_money(", '@action("charge")\n    def take_money(')
    assert isinstance(rehearse(today(tmp_path / "kept", kept), recorded, None), Matches)


def test_a_run_that_has_ended_is_rehearsed_to_its_end(make_rig: MakeRig) -> None:
    rig = make_rig(ORDER)
    run = rig.run_through("order", "acme")
    verdict = rehearse(rig.project, recorded_of(rig, run.id), None)
    assert isinstance(verdict, Matches)
    assert isinstance(verdict.outcome, Failed)
    assert verdict.outcome.failure.type == "ConnectionError"
    assert verdict.unused == ()


def test_branches_are_compared_each_as_far_as_it_is_on_record(make_rig: MakeRig) -> None:
    rig = make_rig("""
        @action
        async def price(article: str) -> int:
            return len(article)

        @workflow("prices")
        async def prices(ctx: AsyncContext) -> int:
            async def twice(article: str) -> int:
                return await price(article) + await price(article + article)

            return sum(await asyncio.gather(twice("a"), twice("bb")))

        @workflow("mapped")
        def mapped(ctx: Context) -> list[int]:
            return ctx.map(length, ["a", "bb", "ccc"])

        @action
        def length(article: str) -> int:
            return len(article)
    """)
    run = rig.run_through("prices")
    recorded = recorded_of(rig, run.id)
    assert rehearse(rig.project, recorded, None) == Matches(Completed(9))
    # The first branch has come less far than the second, whose record is of another call.
    gone = [step for step in recorded.steps if step.identity != "0/price#0"]
    assert rehearse(rig.project, replace(recorded, steps=tuple(gone)), None) == Matches(None, ("0/price#1",))
    wrong = [replace(step, digest="x") if step.identity == "1/price#1" else step for step in gone]
    verdict = rehearse(rig.project, replace(recorded, steps=tuple(wrong)), None)
    assert isinstance(verdict, Mismatch)
    assert verdict.step == "1/price#1"

    run = rig.run_through("mapped")
    recorded = recorded_of(rig, run.id)
    assert rehearse(rig.project, recorded, None) == Matches(Completed([1, 2, 3]))
    fewer = [step for step in recorded.steps if step.identity != "map#0.0/length#0"]
    assert rehearse(rig.project, replace(recorded, steps=tuple(fewer)), None) == Matches(None)


def test_secrets_need_their_key(make_rig: MakeRig) -> None:
    rig = make_rig("""
        from pydantic import SecretStr

        @action
        def sign_in(password: SecretStr) -> SecretStr:
            return SecretStr(password.get_secret_value() * 2)

        @workflow("sign-in")
        def signing(password: SecretStr) -> str:
            return sign_in(password).get_secret_value()
    """)
    run = rig.run_through("sign-in", "pw")
    recorded = recorded_of(rig, run.id)
    assert rehearse(rig.project, recorded, rig.stage.box) == Matches(Completed("pwpw"))
    with pytest.raises(SecretUnreadable):
        rehearse(rig.project, recorded, None)


WAITS = """
    @action
    def greet(name: str) -> str:
        return "hello " + name

    @workflow("child")
    def child(name: str, ctx: Context) -> str:
        ctx.sleep("1h")
        return greet(name)

    @workflow("waits")
    def waits(name: str, ctx: Context) -> str:
        greet(name)
        ctx.sleep("2h")
        handle = child.start(name)
        hook = ctx.hook("approval", schema=bool)
        greet(hook.url)
        ctx.wait([handle])
        return handle.result() + str(hook.wait())
"""


def test_waits_are_rehearsed_as_far_as_they_are_on_record(make_rig: MakeRig, tmp_path: Path) -> None:
    rig = make_rig(WAITS)
    run_id = rig.start("waits", "Ada")
    rig.attempt()
    verdicts = [rehearse(rig.project, recorded_of(rig, run_id), rig.stage.box)]
    rig.advance(7300)
    rig.attempt()
    waiting = recorded_of(rig, run_id)
    assert waiting.status is Status.SLEEPING
    assert [step.identity for step in waiting.steps] == [
        "greet#0", "sleep#0", "run:child#0", "hook:approval#0", "greet#1",
    ]  # fmt: skip
    verdicts.append(rehearse(rig.project, waiting, rig.stage.box))
    assert verdicts == [Matches(None), Matches(None)]
    with pytest.raises(SecretUnreadable):
        rehearse(rig.project, waiting, None)
    for old, new, shown in (
        (
            'ctx.sleep("2h")',
            'ctx.sleep("3h")',
            "recorded: sleep sleep(duration=7200.0)\nactual:   sleep sleep(duration=10800.0)",
        ),
        (
            "child.start(name)",
            'child.start(name + "!")',
            'recorded: workflow run:child("Ada")\nactual:   workflow run:child("Ada!")',
        ),
        ("greet(hook.url)", 'greet("hook.url")', 'actual:   action greet(name="hook.url")'),
    ):
        verdict = rehearse(today(tmp_path / old[:6], WAITS.replace(old, new)), waiting, rig.stage.box)
        assert isinstance(verdict, Mismatch)
        assert shown in verdict.message
    # A wait in another's place.
    renamed = [replace(step, kind=StepKind.ACTION) if step.key == "sleep" else step for step in waiting.steps]
    verdict = rehearse(rig.project, replace(waiting, steps=tuple(renamed)), rig.stage.box)
    assert isinstance(verdict, Mismatch)
    assert (
        "recorded: action sleep(duration=7200.0)\nactual:   sleep sleep(duration=7200.0)" in verdict.message
    )


def test_new_waits_end_a_rehearsal(make_rig: MakeRig, tmp_path: Path) -> None:
    recorded = suspended(make_rig(ORDER))
    for new in ('ctx.sleep("1h")', 'ctx.hook("now").wait()', "ctx.usage.add('other', 'x')"):
        changed = ORDER.replace("receipt = charge", f"{new}\n        receipt = charge")
        verdict = rehearse(today(tmp_path / new[4:8], changed), recorded, None)
        assert verdict == Matches(None, ("charge#0", "ship#0"))


def test_copies_of_another_run_are_taken_by_their_identity(make_rig: MakeRig) -> None:
    rig = make_rig(ORDER)
    recorded = suspended(rig)
    copies = tuple(replace(step, copied_from="run_1", digest="of other arguments") for step in recorded.steps)
    not_begun = replace(recorded, attempt=0, status=Status.QUEUED, steps=copies)
    assert rehearse(rig.project, not_begun, None) == Matches(None)


def test_a_rehearsal_can_be_broken_off(make_rig: MakeRig, tmp_path: Path) -> None:
    recorded = suspended(make_rig(ORDER))
    changed = ORDER.replace('print("said between the steps")', "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        rehearse(today(tmp_path, changed), recorded, None)
