"""A workflow, too, is a plain function outside of a run. Nothing is retried there."""

import pytest

from actions._scoring_service import service
from leads import Signup
from workflows.charge_card import Order, charge_card
from workflows.long_report import Report, long_report
from workflows.signup_pipeline import signup_pipeline

ADA = Signup(name="Ada", email="ada@example.com")


def test_a_signup_becomes_a_brief(ctx):
    with pytest.raises(ConnectionError):
        service.score(ADA.email, caller=ctx.run_id)  # the refusal is behind us

    brief = signup_pipeline(ADA, ctx)

    assert brief.brief.startswith("Ada works at example.com.")
    ctx.progress.assert_called_with(0.8, "Writing the brief")


def test_a_report_is_read_to_its_end(ctx):
    summary = long_report(Report(sections=3, seconds_per_section=0), ctx)

    assert summary.words == 251 + 252 + 253
    ctx.progress.assert_called_with(1.0, "Read section 3 of 3")


def test_a_good_card_is_charged():
    assert charge_card(Order(customer="Ada", card="good")) == "Ada paid."
