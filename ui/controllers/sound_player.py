"""Play the sound of a file in step with its images."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path

import numpy as np

from pymaf_live.pipeline.threads import named_thread
from pymaf_live.sources.sound import SAMPLE_RATE, Samples, SoundTrack
from ui.controllers.sample_buffer import SampleBuffer
from ui.controllers.sound_clock import PlaybackClock
from ui.system.sound_output import OpenOutput

MAX_DEVIATION = 0.05
"""Seconds between sound and image from which on the sound jumps; below, it is played slightly
faster or slower."""
_MAX_CORRECTION = 0.03
"""Largest change of the speed by which the sound catches up: half a semitone."""
_POLL_SECONDS = 0.02
_FADE = 96
"""Samples over which the sound fades in after a jump, so that it does not click."""


class SoundPlayer:
    """Sound of one file.

    A thread decodes ahead of the position; the output device requests samples in a thread of its
    own. What is played follows the images that are reported by `shown`.

    Parameters
    ----------
    path : Path
    open_output : OpenOutput
    clock : callable, optional
        `time.monotonic`.
    """

    def __init__(
        self, path: Path, open_output: OpenOutput, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._track = SoundTrack(path)
        self._open_output = open_output
        self._clock = clock
        self._images = PlaybackClock()
        self._buffer = SampleBuffer()
        self._next: float | None = None
        """Position of the next sample to play; None after silence."""
        self._gain = 1.0
        self._latency = 0.0
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closed = threading.Event()
        self.available: bool | None = None
        """The file has sound and there is a device; None until it is known."""
        self._thread = named_thread("sound", self._run)
        self._thread.start()

    def shown(self, position: float, at: float, speed: float) -> None:
        """Follow an image; see `PlaybackClock.observe`."""
        with self._lock:
            self._images.observe(position, at, speed)

    def pause(self) -> None:
        """Be silent until the next image."""
        with self._lock:
            self._images.stop()

    def set_gain(self, gain: float) -> None:
        """Multiply the samples with a factor from now on."""
        self._gain = gain

    def close(self) -> None:
        """End the threads; may wait for them."""
        self._closed.set()
        self._wake.set()
        self._thread.join(timeout=5.0)

    def fill(self, count: int) -> Samples:
        """Return the next samples to play."""
        with self._lock:
            position = self._images.position(self._clock())
            if position is None or count == 0:
                self._next = None
                return np.zeros((count, 2), np.float32)
            speed = self._images.speed
            wanted = position + self._latency * speed
            jumped = self._next is None or abs(wanted - self._next) > MAX_DEVIATION * speed
            start = wanted if jumped or self._next is None else self._next
            correction = np.clip(wanted - start, -_MAX_CORRECTION, _MAX_CORRECTION)
            step = speed * (1 + float(correction)) / SAMPLE_RATE
            samples = self._buffer.read(start, step, count)
            if self._buffer.runs_low(start):
                self._wake.set()
            if samples is None:  # not decoded yet
                self._next = None
                return np.zeros((count, 2), np.float32)
            self._next = start + count * step
        samples *= self._gain
        if jumped:
            ramp = min(count, _FADE)
            samples[:ramp] *= np.linspace(0, 1, ramp, dtype=np.float32)[:, None]
        return samples

    def _run(self) -> None:
        with closing(self._track.blocks_from(0.0)) as blocks:
            first = next(blocks, None)
        if first is None or self._closed.is_set():
            self.available = False
            return
        output = self._open_output(self.fill)
        if output is None:
            self.available = False
            return
        self._latency = output.latency
        self.available = True
        try:
            self._decode()
        finally:
            output.close()

    def _decode(self) -> None:
        """Keep the buffer filled ahead of the position."""
        blocks: Generator[tuple[float, Samples], None, None] | None = None
        block: tuple[float, Samples] | None = None
        while not self._closed.is_set():
            with self._lock:
                position = self._images.position(self._clock())
                begin = self._buffer.place_to_decode(position)
                if begin is not None:
                    self._buffer.restart(begin)
                wanted = position is not None and self._buffer.runs_low(position)
            if begin is not None:
                if blocks is not None:
                    blocks.close()
                blocks, block = self._track.blocks_from(begin), None
            if not wanted or blocks is None:
                self._wake.wait(_POLL_SECONDS)
                self._wake.clear()
                continue
            block = block or next(blocks, None)
            with self._lock:
                if block is None:
                    self._buffer.end()
                elif self._buffer.append(*block):
                    block = None
        if blocks is not None:
            blocks.close()
