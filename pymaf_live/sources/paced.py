"""Playing a file at its own rate."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace

from pymaf_live.sources.base import Source
from pymaf_live.types import Frame, SourceFacts

MOST_BEHIND = 0.5
"""Seconds a frame may be late before the clock is set anew, so that after a pause of the machine
the film goes on at its own rate instead of racing to catch up."""


def paced(source: Source) -> Source:
    """A source that gives each frame of `source` when its time has come.

    For watching a file as if it were a camera: `facts.live` is true, so that whoever is too slow
    drops frames rather than slowing the film down; `facts.kind` still says what it is. A source
    that is live already comes back as it is.

    Parameters
    ----------
    source : Source
        Usually opened with ``loop=True``. It belongs to the returned source, which closes it.
    """
    return source if source.facts.live else _Paced(source)


class _Paced:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._closed = threading.Event()
        self.facts: SourceFacts = replace(source.facts, live=True)
        self.read_seconds = 0.0
        """What the last frame took to be read; waiting for its time is not reading."""

    @property
    def failures(self) -> list[tuple[str, str]]:
        return self._source.failures

    @property
    def notices(self) -> list[str]:
        return self._source.notices

    def frames(self) -> Iterator[Frame]:
        start: float | None = None
        asked, held = time.monotonic(), 0.0
        for frame in self._source.frames():
            now = time.monotonic()
            held_before, held = held, float(getattr(self._source, "held_seconds", 0.0))
            self.read_seconds = now - asked - (held - held_before)
            if start is None or now - (start + frame.time) > MOST_BEHIND:
                start = now - frame.time
            if self._closed.wait(max(0.0, start + frame.time - now)):
                return
            yield replace(frame, arrived=time.monotonic())
            asked = time.monotonic()

    def close(self) -> None:
        self._closed.set()
        self._source.close()
