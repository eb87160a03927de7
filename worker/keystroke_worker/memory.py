"""How much memory a process holds."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

_MIB = 1 << 20


def resident_mib(pid: int) -> int:
    """MiB that the process has in memory; 0 where that cannot be known (it is gone, or another's on macOS)."""
    if sys.platform == "linux":
        try:
            pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
        except (FileNotFoundError, ProcessLookupError):
            return 0
        return pages * resource.getpagesize() // _MIB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // _MIB
