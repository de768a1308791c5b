"""Playback of a file at its own rate."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace

from pymaf_live.sources.base import Source
from pymaf_live.types import Frame, SourceFacts

MAX_DELAY = 0.5
"""Seconds that a frame may be late before the clock restarts, so that after a pause of the machine
the video continues at its own rate instead of racing to catch up."""


def paced(source: Source) -> Source:
    """Return a source that yields each frame of `source` at its presentation time.

    It plays a file as if it were a camera: `facts.live` is True, so that a slow consumer drops
    frames instead of slowing the video down; `facts.kind` stays. A live source is returned as it
    is.

    Parameters
    ----------
    source : Source
        Closed by the returned source.
    """
    return source if source.facts.live else _PacedSource(source)


class _PacedSource:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._closed = threading.Event()
        self.facts: SourceFacts = replace(source.facts, live=True)
        self.read_seconds = 0.0
        """Time that reading the last frame took, without waiting for its presentation time."""

    @property
    def failures(self) -> list[tuple[str, str]]:
        return self._source.failures

    @property
    def notices(self) -> list[str]:
        return self._source.notices

    def frames(self) -> Iterator[Frame]:
        start: float | None = None
        speed = 1.0
        requested, paused = time.monotonic(), 0.0
        for frame in self._source.frames():
            now = time.monotonic()
            paused_before, paused = paused, float(getattr(self._source, "paused_seconds", 0.0))
            self.read_seconds = now - requested - (paused - paused_before)
            before, speed = speed, float(getattr(self._source, "speed", 1.0))
            due = None if start is None or before != speed else start + frame.time / speed
            if due is None or now - due > MAX_DELAY:
                start, due = now - frame.time / speed, now
            if self._closed.wait(max(0.0, due - now)):
                return
            yield replace(frame, arrived=time.monotonic())
            requested = time.monotonic()

    def close(self) -> None:
        self._closed.set()
        self._source.close()
