"""Who may see what: the first argument of every read of the store."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scope:
    """What a reader may see: one organization, some of its projects (`None`: all of them), payloads or not.

    What lies outside of it does not exist for the reader.
    """

    organization_id: str
    project_ids: tuple[str, ...] | None = None
    payloads: bool = True

    def narrowed(self, project_id: str) -> Scope:
        """The same reader, looking at one project."""
        return Scope(self.organization_id, (project_id,), self.payloads)
