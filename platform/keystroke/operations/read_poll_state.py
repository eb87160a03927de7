"""Read what a poll goes on from."""

from __future__ import annotations

from keystroke.store import Database, polls


def read_poll_state(database: Database, source_id: str) -> str | None:
    """The JSON text of the source's state, secrets sealed; None where it has none yet."""
    with database.read() as tx:
        state = polls.state_of(tx, source_id)
    return None if state is None else state.body
