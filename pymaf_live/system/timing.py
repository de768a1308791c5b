"""Where the time of a frame goes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def timed(spent: dict[str, float], name: str) -> Iterator[None]:
    """Add the milliseconds that pass within to those of a stage."""
    start = time.perf_counter()
    try:
        yield
    finally:
        spent[name] = spent.get(name, 0.0) + 1000 * (time.perf_counter() - start)
