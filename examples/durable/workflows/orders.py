"""Children: workflows that a workflow starts. Each is a run of its own, on any worker."""

from keystroke import ChildFailed, Context, Fatal, action, workflow
from pydantic import BaseModel


class Parcel(BaseModel):
    order: str
    country: str = "FR"


@action
def print_label(order: str, country: str) -> str:
    if country == "XX":
        raise Fatal(f"There is no way to {country}.")
    return f"{country}-{order}"


@workflow("ship-parcel", name="Ship a parcel")
def ship_parcel(parcel: Parcel) -> str:
    """One parcel; gives its label."""
    return print_label(parcel.order, parcel.country)


@workflow("order", name="Order")
def order(parcel: Parcel) -> str:
    """One child: start it, wait for it, take its output."""
    label = ship_parcel.run(parcel)
    return f"shipped as {label}"


@workflow("orders", name="Orders of a day")
def orders(parcels: list[Parcel], ctx: Context) -> dict[str, str]:
    """Fan-out: as many children as there are parcels, over the whole fleet, and all of them waited for together."""
    children = {
        parcel.order: ship_parcel.start(parcel, key=f"parcel of {parcel.order}") for parcel in parcels
    }
    ctx.wait(children.values())
    labels = {}
    for number, child in children.items():
        try:
            labels[number] = child.result()
        except ChildFailed as failed:
            labels[number] = f"not shipped: {failed.message}"
    return labels
