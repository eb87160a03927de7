"""Usage: costs are exact, whatever is added up in whatever order; nothing is ever a float."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystroke.domain.usage import UsageItem, exact, from_nano, plain, to_nano, total_cost

costs = st.decimals(0, 1_000_000, places=9, allow_nan=False)


def _item(cost: Decimal) -> UsageItem:
    return UsageItem("model", "gpt", Decimal(1), "tokens", cost, "USD")


@given(costs)
def test_billionths_lose_nothing(cost: Decimal) -> None:
    assert from_nano(to_nano(cost)) == cost


@given(costs)
def test_plain_text_has_no_exponent_and_reads_back(cost: Decimal) -> None:
    assert "e" not in plain(cost).lower()
    assert Decimal(plain(cost)) == cost == exact(plain(cost), "cost")


@given(st.lists(costs))
def test_the_sum_is_the_sum_of_billionths(amounts: list[Decimal]) -> None:
    assert to_nano(total_cost(map(_item, amounts))) == sum(map(to_nano, amounts))


@given(st.lists(costs, max_size=20))
def test_the_order_does_not_matter(amounts: list[Decimal]) -> None:
    assert total_cost(map(_item, amounts)) == total_cost(map(_item, reversed(amounts)))


def test_a_float_is_taken_by_its_shortest_text() -> None:
    assert exact(0.1, "cost") + exact(0.2, "cost") == Decimal("0.3")


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-1", "1e-10", "10000000000", "ten", -0.5])
def test_refused(value: str | float) -> None:
    with pytest.raises(ValueError, match="cost"):
        exact(value, "cost")


@given(costs)
def test_json_carries_decimals_as_text(cost: Decimal) -> None:
    line = _item(cost).as_json()
    assert (line["cost"], line["quantity"]) == (plain(cost), "1")
