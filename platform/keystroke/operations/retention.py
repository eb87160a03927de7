"""Retention: what is over goes, a little at a time."""

from __future__ import annotations

from datetime import timedelta

from keystroke.clock import from_micros
from keystroke.settings import Settings
from keystroke.store import Database, event_expiry, expiry, fleet, idempotency, notifications, rates, secrets
from keystroke.store import partitions as trace_partitions


def delete_expired(database: Database, limit: int = 1000) -> int:
    """Delete at most `limit` runs that have expired with all they own, expired keys, and workers long gone; how many runs."""
    with database.transaction() as tx:
        idempotency.delete_expired(tx)
        fleet.forget_old(tx, timedelta(days=7) // timedelta(microseconds=1))
        rates.forget_old(tx, timedelta(days=1) // timedelta(microseconds=1))
        secrets.forget_previous(tx)
        notifications.forget_old(tx, timedelta(days=30) // timedelta(microseconds=1))
        return expiry.delete_runs(tx, limit)


def delete_old_events(database: Database, settings: Settings, limit: int = 1000) -> int:
    """Delete at most `limit` of each that triggers have left behind and that is old enough; how many in all.

    Each kind has a transaction of its own, and so do its keys.
    """
    age_us = round(settings.event_retention * 1_000_000)
    deleted = 0
    for delete in (event_expiry.delete_ticks, event_expiry.delete_deliveries, event_expiry.delete_backfills):
        with database.transaction() as tx:
            deleted += delete(tx, age_us, limit)
    with database.transaction() as tx:
        return deleted + event_expiry.delete_expired_keys(tx, limit)


def ensure_partitions(database: Database, settings: Settings) -> None:
    """Make the coming days' partitions of spans and logs, and drop the days that retention is done with."""
    with database.transaction() as tx:
        trace_partitions.ensure_partitions(tx)
        trace_partitions.drop_old_partitions(
            tx, from_micros(expiry.now(tx)) - timedelta(seconds=settings.retention)
        )
