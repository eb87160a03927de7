"""The table of transitions, read as a graph: what must hold for any run, whatever happens to it in whatever order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from keystroke.domain.states import ACTIVE, CANCEL_AT_REST, TERMINAL, TRANSITIONS, Status, Transition

transitions = st.sampled_from(TRANSITIONS)


def _can_leave(status: Status) -> list[Transition]:
    return [transition for transition in TRANSITIONS if status in transition.sources]


def test_a_status_is_either_active_or_final() -> None:
    assert set(Status) == ACTIVE | TERMINAL
    assert not ACTIVE & TERMINAL
    assert {status for status in Status if status.terminal} == TERMINAL


def test_names_are_unique() -> None:
    names = [transition.name for transition in TRANSITIONS]
    assert len(names) == len(set(names))


@given(transitions)
def test_nothing_leaves_a_final_status(transition: Transition) -> None:
    assert not transition.sources & TERMINAL


@given(transitions)
def test_no_move_stays_where_it_is(transition: Transition) -> None:
    assert transition.target not in transition.sources


@given(transitions)
def test_whatever_leaves_running_names_its_attempt_and_nothing_else_does(transition: Transition) -> None:
    assert transition.fenced == (transition.sources == {Status.RUNNING})


def test_only_the_claim_leads_to_running() -> None:
    assert [transition.name for transition in TRANSITIONS if transition.target is Status.RUNNING] == ["claim"]


@given(st.sampled_from(sorted(ACTIVE - {Status.RUNNING})))
def test_whatever_rests_can_be_canceled_without_a_worker(status: Status) -> None:
    assert CANCEL_AT_REST in _can_leave(status)


@given(st.sampled_from(sorted(ACTIVE)))
def test_every_final_status_is_within_reach(status: Status) -> None:
    reached, frontier = {status}, {status}
    while frontier:
        frontier = {move.target for at in frontier for move in _can_leave(at)} - reached
        reached |= frontier
    assert reached >= TERMINAL


@given(st.data())
def test_any_walk_ends_where_it_is_final_and_passes_the_claim_before_each_attempt(
    data: st.DataObject,
) -> None:
    status, claims, attempts = Status.QUEUED, 0, 0
    for _ in range(30):
        moves = _can_leave(status)
        if not moves:
            break
        move = data.draw(st.sampled_from(moves))
        claims += move.target is Status.RUNNING
        attempts += status is Status.RUNNING
        status = move.target
    assert attempts in (claims, claims - 1)
    assert bool(_can_leave(status)) != status.terminal
