from typing import Literal

from keystroke import workflow
from pydantic import BaseModel

from actions.charge import charge


class Order(BaseModel):
    customer: str = "Ada Lovelace"
    card: Literal["good", "declined"] = "declined"


@workflow("charge-card", name="Charge a card")
def charge_card(order: Order) -> str:
    """Charge a customer's card. As it comes the card is declined, to show how a failed run reads."""
    return charge(order.customer, order.card)
