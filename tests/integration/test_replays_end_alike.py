"""Whatever a run does, and from whichever step it is replayed: it ends like before, and no copy is executed again."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from support.attempts import Rig
from support.playing import PROGRAMS
from support.programs import Play
from support.replays import replay


class Replayed(Play):
    """A replay of a run that was played, from one of its steps."""

    def __init__(self, source: Play, from_step: str) -> None:
        """Nothing of it is executed yet."""
        super().__init__(
            source.rig, "", [], "", run_id=replay(source.rig.stage, source.run_id, from_step).run_id
        )
        self.copied = source.rig.steps(self.run_id)


@pytest.mark.parametrize("workflow", ["play", "play-async"])
@settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(program=PROGRAMS, at=st.integers(0, 30), again=st.integers(0, 30))
def test_a_replay_ends_like_its_source(
    play_rig: Rig, workflow: str, program: list[Any], at: int, again: int
) -> None:
    source = Play(play_rig, workflow, program, "a seed")
    source.to_the_end()
    recorded = play_rig.run(source.run_id)
    for step in (at, again):
        identities = list(play_rig.steps(source.run_id))
        assume(identities)
        replayed = Replayed(source, identities[step % len(identities)])
        replayed.to_the_end()
        run, steps = play_rig.run(replayed.run_id), play_rig.steps(replayed.run_id)
        assert (run.status, run.output) == (recorded.status, recorded.output)
        assert {identity: steps[identity] for identity in replayed.copied} == replayed.copied
        tags = [
            each.input["tag"] for each in steps.values() if each.key.startswith("work") and each.copied_from
        ]
        assert not set(tags) & set(play_rig.calls)
        source = replayed
