"""Stands in for a service on the other side of a network. (Modules that begin with _ hold no definitions.)"""

import zlib


class ScoringService:
    """Refuses the first connection of every caller, as real services do on a bad day."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def score(self, email: str, caller: str) -> int:
        if caller not in self._seen:
            self._seen.add(caller)
            raise ConnectionError("scoring.example refused the connection")
        return zlib.crc32(email.encode()) % 101


service = ScoringService()
