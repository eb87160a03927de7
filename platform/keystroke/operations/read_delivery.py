"""Read the delivery that started a run: its transform wants to know more of it than the payload."""

from __future__ import annotations

from keystroke.domain.delivery import Delivery
from keystroke.domain.lease import Lease
from keystroke.domain.scope import Scope
from keystroke.errors import LeaseLost
from keystroke.store import Database, children, deliveries


def read_delivery(database: Database, lease: Lease) -> Delivery:
    """The record. Raises DeliveryNotFound once it is deleted, LeaseLost when the run is."""
    with database.read() as tx:
        owner = children.parent_of(tx, lease.run_id)
        if owner is None:
            raise LeaseLost(run_id=lease.run_id, attempt=lease.attempt)
        return deliveries.get_delivery(Scope(owner.organization_id), tx, lease.trigger.id or "")
