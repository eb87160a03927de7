"""What user code may change of its process, put back after each attempt: the next one belongs to another run."""

from __future__ import annotations

import os
import sys
from pathlib import Path


class Surroundings:
    """As a child found them when it began."""

    def __init__(self) -> None:
        """Remember them."""
        self._directory = Path.cwd()
        self._recursion_limit = sys.getrecursionlimit()

    def restore(self) -> None:
        """Put them back. A directory that is gone by now is left to whoever needs it."""
        sys.setrecursionlimit(self._recursion_limit)
        if self._directory.is_dir():
            os.chdir(self._directory)
