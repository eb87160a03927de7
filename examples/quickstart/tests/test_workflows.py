"""Workflows run as they do on a worker, in the test's own process: pytest has the fixture `keystroke` from the package."""

from decimal import Decimal

from leads import Signup
from workflows.charge_card import charge_card
from workflows.long_report import long_report
from workflows.signup_pipeline import signup_pipeline

ADA = Signup(name="Ada", email="ada@example.com")


def test_a_signup_becomes_a_brief(keystroke):
    result = keystroke.run(signup_pipeline, ADA)

    assert result.status == "success"
    assert result.output["brief"].startswith("Ada works at example.com.")
    assert result.usage.total_cost == Decimal("0.0142")
    # The scoring service refused the first connection; the second try got through.
    refusals = [each.error["message"] for each in result.steps["score#0"].tries]
    assert refusals == ["scoring.example refused the connection"]


def test_a_lead_that_scores_low_gets_the_newsletter(keystroke):
    keystroke.stub("score", returns=3)

    result = keystroke.run(signup_pipeline, ADA)

    assert result.output["brief"].endswith("Ada scores 3 of 100. Send the newsletter.")


def test_a_section_that_was_read_is_not_read_again(keystroke):
    read = keystroke.stub("read_section", calls=lambda number, seconds: 250 + number)
    keystroke.crash_after("read_section#1")

    result = keystroke.run(long_report, {"sections": 3})

    assert result.output == {"sections": 3, "words": 251 + 252 + 253}
    assert result.attempts == 2
    assert [call.arguments["number"] for call in read.seen] == [1, 2, 3]
    assert result.progress.message == "Read section 3 of 3"


def test_a_declined_card_fails_the_run_at_once(keystroke):
    result = keystroke.run(charge_card, {})

    assert result.status == "failed"
    assert result.error.message.startswith("The card of Ada Lovelace was declined")
    assert result.steps["charge#0"].attempt == 1


def test_a_good_card_is_charged(keystroke):
    assert keystroke.run(charge_card, {"customer": "Ada", "card": "good"}).output == "Ada paid."
