from typing import Literal

from keystroke import Fatal, action


class CardDeclined(Fatal):
    """Fatal: trying again cannot help, so neither the step nor the run is retried."""


@action(retries=3)
def charge(customer: str, card: Literal["good", "declined"]) -> str:
    """Take the money; gives the receipt."""
    if card == "declined":
        raise CardDeclined(f"The card of {customer} was declined: insufficient funds. Ask for another card.")
    return f"{customer} paid."
