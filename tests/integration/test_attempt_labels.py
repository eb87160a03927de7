"""Tags, usage and progress that no database could keep are refused where they are set, and cost nothing else."""

from __future__ import annotations

import pytest

from keystroke.domain.states import Status
from support.attempts import MakeRig

SET = """
    CONTEXTS = []
    SET = {
        "tag with nul": lambda ctx: ctx.tags.update({"a": "b\\x00"}),
        "tag with surrogate": lambda ctx: ctx.tags.update({"a": "b\\ud800"}),
        "tag too long": lambda ctx: ctx.tags.update({"a": "b" * 5_000}),
        "key too long": lambda ctx: ctx.tags.update({"a" * 5_000: "b"}),
        "usage with nul": lambda ctx: ctx.usage.add("model", "a\\x00"),
        "usage with surrogate": lambda ctx: ctx.usage.add("model", "a\\ud800"),
        "usage without unit": lambda ctx: ctx.usage.add("model", "a", unit=None),
        "usage of a number": lambda ctx: ctx.usage.add("model", 5),
        "progress of an object": lambda ctx: ctx.progress(0.5, object()),
    }

    @action
    def in_step(how: str) -> str:
        try:
            SET[how](CONTEXTS[-1])
        except (TypeError, ValueError):
            return "refused"
        return "taken"

    @workflow("set")
    def set_label(how: str, ctx: Context) -> list[str]:
        CONTEXTS.append(ctx)
        try:
            SET[how](ctx)
            there = "taken"
        except (TypeError, ValueError):
            there = "refused"
        return [there, in_step(how)]

    @workflow("say")
    def say(text: str, ctx: Context) -> None:
        print("hello")
        ctx.progress(True, text + "\\x00\\ud800" * 2_000)
"""


@pytest.mark.parametrize(
    "how",
    [
        "tag with nul", "tag with surrogate", "tag too long", "key too long", "usage with nul", "usage with surrogate",
        "usage without unit", "usage of a number", "progress of an object",
    ],
)  # fmt: skip
def test_a_label_that_cannot_be_kept_is_refused_at_once(make_rig: MakeRig, how: str) -> None:
    rig = make_rig(SET)
    run = rig.run_through("set", how)
    assert (run.status, run.output) == (Status.SUCCESS, ["refused", "refused"])


def test_progress_is_shown_as_far_as_it_can_be_and_takes_no_log_lines_along(make_rig: MakeRig) -> None:
    rig = make_rig(SET)
    run = rig.run_through("say", "almost")
    assert run.progress is not None
    assert (run.progress.fraction, (run.progress.message or "")[:8]) == (
        1.0,
        "almost\N{REPLACEMENT CHARACTER}?",
    )
    assert [line.body for line in rig.logs(run.id)] == ["hello"]
