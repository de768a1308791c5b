"""Playback of a file in the window: paused until the model is ready, pausable, looped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from pymaf_live.sources.base import Source
from pymaf_live.types import Frame, SourceFacts

_STEP_WITHOUT_RATE = 1.0
"""Seconds between the last frame and the first one again, where there is no frame rate; separate
images have the same distance."""
_WAKE_SECONDS = 0.1
_TOLERANCE = 0.005
"""Seconds; times of frames are rounded differently by containers."""


class LoopingSource:
    """Source of a file that can be paused, and that may start again at its end.

    It starts paused.

    Parameters
    ----------
    open_file : callable
        Opens the file at its start; called once here and again for every repetition.
    loop : bool
        Start again at the end; may be changed during playback.

    Raises
    ------
    InputError
        If the file cannot be opened.
    """

    def __init__(self, open_file: Callable[[], Source], *, loop: bool = True) -> None:
        self._open_file = open_file
        self._source = open_file()
        self._running = threading.Event()
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self.loop = loop
        self.speed = 1.0
        """Playback speed; may be changed during playback."""
        self._wake = threading.Event()
        self._steps = 0
        """Frames to yield while paused."""
        self._seek_to: float | None = None
        self.paused_seconds = 0.0
        """Total time that `frames` has waited in pauses."""

    @property
    def facts(self) -> SourceFacts:
        """Facts of the file."""
        return self._source.facts

    @property
    def failures(self) -> list[tuple[str, str]]:
        """Failures of the file; see `Source.failures`."""
        return self._source.failures

    @property
    def notices(self) -> list[str]:
        """Notices of the file; see `Source.notices`."""
        return self._source.notices

    @property
    def can_seek(self) -> bool:
        """True for a video; separate images are played in order."""
        return hasattr(self._source, "frames_from")

    def pause(self) -> None:
        """Yield no further frame until `resume`, `step` or `seek`."""
        self._running.clear()

    def resume(self) -> None:
        """Yield frames; also needed at the start."""
        self._running.set()
        self._wake.set()

    def step(self) -> None:
        """Yield one more frame while paused."""
        self._steps += 1
        self._wake.set()

    def seek(self, seconds: float) -> None:
        """Continue at a time of the file; while paused, with one frame.

        Parameters
        ----------
        seconds : float
            Time in the file. Has no effect unless `can_seek`.
        """
        if self.can_seek:
            self._seek_to = max(0.0, seconds)
            self.step()

    def frames(self) -> Iterator[Frame]:
        """Yield frames with times that increase over all repetitions; blocks while paused."""
        facts = self.facts
        step = float(1 / facts.frame_rate) if facts.frame_rate else _STEP_WITHOUT_RATE
        index, shift, last = 0, 0.0, None
        while True:
            first = True
            for frame in self._frames_from_here():
                if first and last is not None:
                    shift = last + step - frame.time
                first = False
                self._wait()
                if self._closed.is_set():
                    return
                if self._seek_to is not None:
                    break
                last = frame.time + shift
                yield replace(frame, index=index, time=last, file_time=frame.time)
                index += 1
            else:
                if first or not self.loop or facts.frame_count == 1 or not self._reopen():
                    return

    def _frames_from_here(self) -> Iterator[Frame]:
        seconds, self._seek_to = self._seek_to, None
        if seconds is None:
            return self._source.frames()
        self._steps = max(self._steps, 1)
        frames: Iterator[Frame] = self._source.frames_from(seconds)  # type: ignore[attr-defined]
        # the file is decoded from the key frame before that time
        return (frame for frame in frames if frame.time >= seconds - _TOLERANCE)

    def _wait(self) -> None:
        """Wait until the next frame is wanted."""
        start = time.monotonic()
        while not (self._running.is_set() or self._steps or self._closed.is_set()):
            self._wake.clear()
            # a request that came between the two lines above is found after the timeout
            self._wake.wait(_WAKE_SECONDS)
        if self._seek_to is None:
            self._steps = max(0, self._steps - 1)
        self.paused_seconds += time.monotonic() - start

    def close(self) -> None:
        """End `frames`; from any thread."""
        self._closed.set()
        self._running.set()
        self._wake.set()
        with self._lock:
            self._source.close()

    def _reopen(self) -> bool:
        """Open the file again; return False if the source was closed in the meantime."""
        source = self._open_file()
        with self._lock:
            old, self._source = self._source, source
            if self._closed.is_set():
                source.close()
        old.close()
        return not self._closed.is_set()
