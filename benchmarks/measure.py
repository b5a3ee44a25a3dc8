"""What benchmarks measure with: the processor time and memory of other processes, and percentiles."""

import math
import os
from collections.abc import Sequence
from pathlib import Path


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used, all its threads together.

    `stat` counts ticks, and misses whoever runs for less than one; the scheduler's own count in nanoseconds misses threads
    that have ended. So it is the larger of the two.
    """
    of_threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    seen = sum(int(one.read_text().split()[0]) for one in of_threads) / 1e9
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return max(seen, (int(user) + int(system)) / os.sysconf("SC_CLK_TCK"))


def rss_mb(pid: int) -> float:
    """Resident memory of a process, in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least so many per cent do not exceed (nearest rank); NaN of nothing."""
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]
