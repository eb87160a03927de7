"""What running programs take of the machine: memory and CPU time of each part, its processes together. Linux only."""

from __future__ import annotations

import statistics
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

_KIB_PER_MIB = 1024


@dataclass(frozen=True, slots=True)
class Footprint:
    """One part over a while: memory in MiB (median of the samples), CPU time as a share of one core."""

    pss: float
    private: float
    cpu: float


def observe(parts: Mapping[str, Iterable[int]], seconds: float, *, samples: int = 10) -> dict[str, Footprint]:
    """Watch the parts, each given by its main processes' ids, for so long; nothing else may be asked of them meanwhile."""
    memory: dict[str, list[tuple[float, float]]] = {name: [] for name in parts}
    before = {name: cpu_seconds(pids) for name, pids in parts.items()}
    pause = threading.Event()
    for _ in range(samples):
        pause.wait(seconds / samples)
        for name, pids in parts.items():
            memory[name].append(_memory(pids))
    return {
        name: Footprint(
            pss=statistics.median(pss for pss, _ in memory[name]),
            private=statistics.median(private for _, private in memory[name]),
            cpu=(cpu_seconds(pids) - before[name]) / seconds,
        )
        for name, pids in parts.items()
    }


def cpu_seconds(pids: Iterable[int]) -> float:
    """CPU time of these processes and all that come from them, those that have ended (and were waited for) too."""
    return sum(sum(each.cpu_times()[:4]) for each in _family(pids))


def _memory(pids: Iterable[int]) -> tuple[float, float]:
    """MiB: each page shared out among those who map it; and the pages that only one process maps."""
    pss = private = 0
    for process in _family(pids):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended since
            sizes = _sizes(Path(f"/proc/{process.pid}/smaps_rollup").read_text(encoding="ascii"))
            pss += sizes["Pss"]
            private += sizes["Private_Clean"] + sizes["Private_Dirty"]
    return pss / _KIB_PER_MIB, private / _KIB_PER_MIB


def _sizes(rollup: str) -> dict[str, int]:
    lines = (line.split() for line in rollup.splitlines()[1:])
    return {words[0].rstrip(":"): int(words[1]) for words in lines}


def _family(pids: Iterable[int]) -> list[psutil.Process]:
    mains = [psutil.Process(pid) for pid in pids]
    return [*mains, *(child for main in mains for child in main.children(recursive=True))]
