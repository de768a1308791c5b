"""A file as the window plays it: held till the model is ready and while paused, and repeated."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from pymaf_live.sources import Source
from pymaf_live.types import Frame, SourceFacts

_STEP_WITHOUT_RATE = 1.0
"""Seconds between the last frame and the first again; what pictures have between them."""


class Playback:
    """A source that can be held, and that may start again at its end.

    Parameters
    ----------
    open_file : callable
        Opens the file from its start; called once here and again for every repeat.
    repeat : bool
        Start again at the end; may be changed while it plays.

    Raises
    ------
    InputError
        If the file cannot be opened.
    """

    def __init__(self, open_file: Callable[[], Source], *, repeat: bool = True) -> None:
        self._open_file = open_file
        self._source = open_file()
        self._go = threading.Event()
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self.repeat = repeat
        self.held_seconds = 0.0
        """Spent in `frames` holding a frame back, so far."""

    @property
    def facts(self) -> SourceFacts:
        """Of the file."""
        return self._source.facts

    @property
    def failures(self) -> list[tuple[str, str]]:
        """Of the file."""
        return self._source.failures

    @property
    def notices(self) -> list[str]:
        """Of the file."""
        return self._source.notices

    def hold(self) -> None:
        """Give no further frame until `release`."""
        self._go.clear()

    def release(self) -> None:
        """Give frames; needed once at the start."""
        self._go.set()

    def frames(self) -> Iterator[Frame]:
        """Frames with rising times over all repeats; blocks while held."""
        facts = self.facts
        step = float(1 / facts.frame_rate) if facts.frame_rate else _STEP_WITHOUT_RATE
        index, shift, last = 0, 0.0, None
        while True:
            first = True
            for frame in self._source.frames():
                if first and last is not None:
                    shift = last + step - frame.time
                first = False
                began = time.monotonic()
                self._go.wait()
                self.held_seconds += time.monotonic() - began
                if self._closed.is_set():
                    return
                last = frame.time + shift
                yield replace(frame, index=index, time=last, file_time=frame.time)
                index += 1
            if first or not self.repeat or facts.frame_count == 1 or not self._start_again():
                return

    def close(self) -> None:
        """End `frames` from any thread."""
        self._closed.set()
        self._go.set()
        with self._lock:
            self._source.close()

    def _start_again(self) -> bool:
        source = self._open_file()
        with self._lock:
            old, self._source = self._source, source
            if self._closed.is_set():
                source.close()
        old.close()
        return not self._closed.is_set()
