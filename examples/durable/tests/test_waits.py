from datetime import UTC, datetime

from workflows.approval import approval
from workflows.embargo import embargo
from workflows.reminder import reminder


def test_reminders_are_sent_a_day_apart(keystroke):
    sent = keystroke.stub("remind", calls=lambda whom, number: f"{number} on day {keystroke.now.day}")
    keystroke.now = datetime(2030, 1, 1, tzinfo=UTC)
    result = keystroke.run(reminder, {})
    assert (result.status, len(sent.seen)) == ("sleeping", 1)
    keystroke.advance("1d")
    assert len(sent.seen) == 2
    keystroke.advance("1d")
    assert result.output == ["1 on day 1", "2 on day 2", "3 on day 3"]


def test_nothing_is_out_before_its_time(keystroke):
    at = datetime(2040, 5, 1, 9, tzinfo=UTC)
    result = keystroke.run(embargo, {"title": "The book", "at": at.isoformat()})
    assert result.status == "sleeping"
    keystroke.advance(at)
    assert result.output == "The book is out"


def test_what_was_approved_is_ordered(keystroke):
    asked = keystroke.stub("ask_boss", returns=None)
    result = keystroke.run(approval, {})
    assert result.status == "waiting_on_hook"
    keystroke.answer(asked.seen[0].arguments["url"], {"approved": True})
    assert result.output == "a printer is ordered"


def test_what_was_not_approved_is_not(keystroke):
    result = keystroke.run(approval, {})
    keystroke.answer("approval", {"approved": False, "note": "too dear"})
    assert result.output == "not approved: too dear"
    assert "place_order#0" not in result.steps


def test_nobody_answers(keystroke):
    result = keystroke.run(approval, {"patience": "2h"})
    keystroke.advance("2h")
    assert result.output == "nobody has answered"
