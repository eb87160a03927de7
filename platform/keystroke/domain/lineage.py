"""Where a run comes from: the run and step that started it, or the run that it replays."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lineage:
    """`root_run_id` None: the run is its own root. `seed` None: a new one.

    A `detached` child goes on when its parent is canceled. A run has at most one child by `parent_step`.
    """

    parent_run_id: str | None = None
    parent_step: str | None = None
    root_run_id: str | None = None
    detached: bool = False
    replay_of: str | None = None
    seed: str | None = None


NO_LINEAGE = Lineage()
