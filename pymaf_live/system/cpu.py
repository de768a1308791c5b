"""How much of the processor there is."""

from __future__ import annotations

import os


def available_cores() -> int:
    """Of the processor, as far as this process may use them."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
