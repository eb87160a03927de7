"""What a run cost: line items with exact decimal costs, and their sums."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal

UsageKind = Literal["model", "service", "other"]
KINDS: Final = ("model", "service", "other")
#: Costs and quantities are kept as whole billionths.
NANO: Final = Decimal("1e-9")
_LARGEST: Final = Decimal(9_000_000_000)


@dataclass(frozen=True, slots=True)
class UsageItem:
    """One line: so much of something, and what it cost. `step` is the identity of the step that recorded it."""

    kind: UsageKind
    name: str
    quantity: Decimal
    unit: str
    cost: Decimal
    currency: str
    step: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The line item of the run record: decimals as strings, never floats."""
        return {
            "kind": self.kind, "name": self.name, "quantity": plain(self.quantity), "unit": self.unit,
            "cost": plain(self.cost), "currency": self.currency, "step": self.step,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run has cost so far."""

    total: Decimal
    currency: str


def exact(value: Decimal | int | str | float, what: str) -> Decimal:
    """The value as a Decimal of at most nine places; a float is taken by its shortest text. ValueError otherwise."""
    try:
        number = Decimal(str(value))
    except InvalidOperation as error:
        raise ValueError(f"{what} is not a decimal number: {value!r}") from error
    if not number.is_finite() or not 0 <= number <= _LARGEST:
        raise ValueError(f"{what} must be between 0 and {_LARGEST}: {value!r}")
    if number != number.quantize(NANO):
        raise ValueError(f"{what} has more than nine decimal places: {value!r}")
    return number


def to_nano(value: Decimal) -> int:
    """The decimal as whole billionths."""
    return int(value.scaleb(9))


def from_nano(value: int) -> Decimal:
    """The decimal of whole billionths, without trailing zeros."""
    return Decimal(value).scaleb(-9).normalize()


def plain(value: Decimal) -> str:
    """The decimal as text without an exponent: `0.0042`, `100`."""
    return f"{value.normalize():f}"


def total_cost(items: Iterable[UsageItem]) -> Decimal:
    """The exact sum of the items' costs."""
    return sum((item.cost for item in items), Decimal(0))
