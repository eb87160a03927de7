"""Outside of a run an action is a plain function, so it is tested like one."""

import pytest

from actions._scoring_service import ScoringService
from actions.charge import CardDeclined, charge
from actions.research import research
from leads import Signup

ADA = Signup(name="Ada", email="ada@example.com")


def test_research_names_the_company_and_what_it_cost(ctx):
    assert research(ADA, ctx) == "Ada works at example.com."
    ctx.usage.add.assert_called_once_with(
        "model", "research-mini", quantity=1200, unit="tokens", cost="0.0042"
    )


def test_the_scoring_service_refuses_the_first_connection_only():
    service = ScoringService()
    with pytest.raises(ConnectionError):
        service.score("ada@example.com", caller="run_1")
    assert 0 <= service.score("ada@example.com", caller="run_1") <= 100


def test_a_declined_card_is_said_clearly():
    with pytest.raises(CardDeclined, match="The card of Ada was declined"):
        charge("Ada", "declined")
