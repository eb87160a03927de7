"""Record the tags that a workflow has set on its run."""

from __future__ import annotations

import json
from collections.abc import Mapping

from keystroke.domain.lease import Lease
from keystroke.errors import LeaseLost
from keystroke.store import Database, claims


def record_tags(database: Database, lease: Lease, tags: Mapping[str, str]) -> None:
    """Replace the run's tags by these. Raises LeaseLost."""
    with database.transaction() as tx:
        if not claims.put_tags(tx, lease.run_id, lease.attempt, dict(tags), json.dumps(dict(tags))):
            raise LeaseLost(run_id=lease.run_id, attempt=lease.attempt)
