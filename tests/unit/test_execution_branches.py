"""Branches, and the journal that is read by them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from keystroke.domain.step import Step, StepKind, StepStatus
from keystroke.execution.branches import Branch, branch_of
from keystroke.execution.journal import Journal, Phase

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def step(identity: str, minute: int = 0, status: StepStatus = StepStatus.SUCCESS) -> Step:
    at = NOON + timedelta(minutes=minute)
    key = identity.rpartition("/")[2].partition("#")[0]
    return Step(identity, key, key, StepKind.ACTION, status, 1, "d", at, at, now=at)


def test_each_branch_counts_its_own_calls() -> None:
    root = Branch()
    first, second = root.child(), root.child()
    assert [root.identify("a"), root.identify("b"), root.identify("a")] == ["a#0", "b#0", "a#1"]
    assert [first.identify("a"), second.identify("a"), second.identify("a")] == ["0/a#0", "1/a#0", "1/a#1"]
    assert second.child().identify("a") == "1.0/a#0"


def test_items_of_a_map_are_branches_by_their_index() -> None:
    root = Branch()
    first, second = root.children("map", 2), root.child().children("map", 1)
    assert [item.identify("price") for item in first] == ["map#0.0/price#0", "map#0.1/price#0"]
    assert second[0].identify("price") == "0.map#0.0/price#0"
    assert root.children("map", 1)[0].path == "map#1.0"
    # Neither a step of that name nor a random value disturbs the count.
    assert (root.identify("map"), root.draw("map"), root.identify("map")) == ("map#0", "map#0", "map#1")


def test_a_branch_knows_which_branches_it_has_still_to_start() -> None:
    root = Branch()
    root.child()
    root.children("map", 3)
    assert [path for path in ("0", "0.4", "1", "1.2", "map#0.2", "map#1.0", "") if root.is_ahead(path)] == [
        "1", "1.2", "map#1.0",
    ]  # fmt: skip
    nested = Branch("2")
    assert [path for path in ("2", "20", "2.0", "2.map#0.0", "0", "") if nested.is_ahead(path)] == [
        "2.0",
        "2.map#0.0",
    ]


def test_the_branch_of_an_identity() -> None:
    assert [branch_of(each) for each in ("a#0", "1/a#0", "1.map#0.2/a#0")] == ["", "1", "1.map#0.2"]


def test_the_time_of_a_branch_is_forgotten_with_the_record_that_keeps_it() -> None:
    root = Branch()
    root.now = NOON
    child, other = root.child(), root.child()
    assert (child.now, other.now) == (NOON, NOON)
    child.note_record(NOON)
    assert [branch.now for branch in (root, child, other)] == [None, None, NOON]


def test_capture_begins_with_the_first_step_that_is_not_on_record() -> None:
    went_live: list[bool] = []
    journal = Journal([step("a#0"), step("b#0", 1)], lambda: went_live.append(True))
    root = Branch()
    assert journal.phase(root) is Phase.REPLAYING
    assert journal.take("a#0") is not None
    assert journal.phase(root) is Phase.REPLAYING
    assert journal.take("b#0") is not None
    assert (journal.phase(root), went_live) == (Phase.PAST_RECORDS, [])
    assert journal.take("c#0") is None
    assert journal.take("d#0") is None
    assert (journal.phase(root), went_live) == (Phase.LIVE, [True])


def test_a_branch_that_still_replays_is_not_captured_again() -> None:
    journal = Journal([step("1/a#0")], lambda: None)
    journal.take("0/a#0")
    root = Branch()
    first, second = root.child(), root.child()
    assert (journal.phase(first), journal.phase(second)) == (Phase.LIVE, Phase.REPLAYING)
    journal.take("1/a#0")
    assert journal.phase(second) is Phase.LIVE


def test_a_step_between_tries_is_new_from_its_next_try_on() -> None:
    journal = Journal([step("a#0", status=StepStatus.RETRYING)], lambda: None)
    assert journal.phase(Branch()) is Phase.REPLAYING
    assert journal.take("a#0") is not None
    assert journal.phase(Branch()) is Phase.LIVE


def test_an_attempt_without_records_is_live_from_its_beginning() -> None:
    assert Journal([], lambda: None).phase(Branch()) is Phase.LIVE


def test_the_recorded_time_is_that_of_the_next_record_of_this_branch_or_of_one_to_come() -> None:
    journal = Journal([step("0/a#0", 1), step("b#0", 2), step("1/a#0", 3)], lambda: None)
    root = Branch()
    assert journal.recorded_now(root) == NOON + timedelta(minutes=1)
    root.child()
    assert journal.recorded_now(root) == NOON + timedelta(minutes=2)
    journal.take("b#0")
    assert journal.recorded_now(root) == NOON + timedelta(minutes=3)
    root.child()
    assert journal.recorded_now(root) is None
