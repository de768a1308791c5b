"""Processor facts."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path

_SAMPLES, _SAMPLE_SECONDS = 10, 0.025


def available_cores() -> int:
    """Return the number of CPU cores available to this process."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def thread_count() -> int:
    """Return a number of threads for long computations: ``OMP_NUM_THREADS``, else the free cores.

    Free are the available cores, at least one, less the load of others: the load average of the
    last minute, or the tasks that run just now where these are fewer, since the average still
    counts work that has ended.
    """
    given = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    if given.isdigit() and int(given) > 0:
        return int(given)
    cores = available_cores()
    if not hasattr(os, "getloadavg"):
        return cores
    try:
        load = min(os.getloadavg()[0], _running_tasks())
    except OSError:
        return cores
    return max(1, min(cores, cores - round(load)))


def _running_tasks() -> float:
    """Return the mean number of other running tasks over a quarter of a second (Linux)."""
    counts = []
    for _ in range(_SAMPLES):
        try:
            running = Path("/proc/loadavg").read_text("ascii").split()[3].partition("/")[0]
            counts.append(max(int(running) - 1, 0))
        except (OSError, ValueError, IndexError):
            return math.inf
        time.sleep(_SAMPLE_SECONDS)
    return sum(counts) / len(counts)
