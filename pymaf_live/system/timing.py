"""Timer for the stages of a frame."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def measure_stage(timings: dict[str, float], name: str) -> Iterator[None]:
    """Add the duration of the block, in milliseconds, to ``timings[name]``."""
    start = time.perf_counter()
    try:
        yield
    finally:
        timings[name] = timings.get(name, 0.0) + 1000 * (time.perf_counter() - start)
