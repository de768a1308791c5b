"""How far long work is, and how long it will take: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import track

T = TypeVar("T")

_SECONDS_BETWEEN_LINES = 15.0


def followed(items: Sequence[T], what: str) -> Iterator[T]:
    """Go through `items` and tell stderr how far it is."""
    console = Console(stderr=True)
    if console.is_terminal:
        yield from track(items, description=what, console=console)
        return
    started = told = time.monotonic()
    for done, item in enumerate(items):
        now = time.monotonic()
        if done and now - told > _SECONDS_BETWEEN_LINES:
            left = (now - started) / done * (len(items) - done) / 60
            console.print(f"{what}: {done}/{len(items)}, {left:.1f} min left", soft_wrap=True)
            told = now
        yield item
