"""Live sources: only the newest frame counts, and silence is detected."""

from __future__ import annotations

import math
import os
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from pymaf_live.errors import InputError
from pymaf_live.system.exit_hooks import NativeThread
from pymaf_live.types import Frame, Image, SourceFacts

# errors are reported in one line of ours, not in many of OpenCV's and its FFmpeg's
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

FALLBACK_RATE = Fraction(30)
FINGERPRINT_STEP = 4
"""Every fourth pixel in each direction is compared to see whether an image has changed."""
MIN_STEP = 1e-4
"""Smallest distance of two times, seconds."""


class Capture(Protocol):
    """Used part of `cv2.VideoCapture`; created, read and released by one thread."""

    def isOpened(self) -> bool: ...  # noqa: N802, D102 - OpenCV's name

    def grab(self) -> bool: ...  # noqa: D102

    def retrieve(self) -> tuple[bool, Any]: ...  # noqa: D102

    def get(self, propId: int) -> float: ...  # noqa: D102 - OpenCV's name

    def release(self) -> None: ...  # noqa: D102


@dataclass(frozen=True)
class ReconnectPolicy:
    """Timeouts of a live source and of its reconnection, in seconds."""

    first_frame_timeout: float = 10.0
    """Time from opening to the first image."""
    max_silence: float = 2.0
    """Age of the newest image, or of the newest change in it, after which the device is opened
    again."""
    give_up_after: float = 30.0
    """Time without an image after which the source ends; until then the device is opened again and
    again."""
    retry_interval: float = 0.5


RECONNECT_FOREVER = ReconnectPolicy(give_up_after=math.inf)
"""Waits without limit for a device to return."""


class LiveSource:
    """Newest frames of a device that is read in a thread of its own.

    The thread is an exception to the rule that only the pipeline creates threads: OpenCV may hang
    forever in opening or reading when a camera is unplugged, and the only cure is to leave that
    thread behind and open the device in a new object from a new thread. An abandoned thread
    releases its device as soon as it wakes up; it cannot keep the program alive.

    Times are seconds from the first frame to the moment a frame was grabbed, on one clock across
    reconnections. Indices count the grabbed frames, so gaps show how many were dropped.

    Parameters
    ----------
    open_capture : callable
        Creates a new capture; called in the reading thread.
    kind : {"camera", "stream"}
    name : str
        Name of the source for the user.
    reconnect : ReconnectPolicy, optional

    Raises
    ------
    InputError
        If the device cannot be opened or delivers no image in time.
    """

    def __init__(
        self,
        open_capture: Callable[[], Capture],
        *,
        kind: Literal["camera", "stream"],
        name: str,
        reconnect: ReconnectPolicy | None = None,
    ) -> None:
        self._open_capture = open_capture
        self._policy = reconnect or ReconnectPolicy()
        self._closed = threading.Event()
        self._wake = threading.Condition()
        self.failures: list[tuple[str, str]] = []
        self.notices: list[str] = []
        self.trouble = ""
        """Reason in one line why no frame arrives; empty while frames arrive. Any thread."""
        self.read_seconds = 0.0
        """Time from grabbing the last frame to its image."""
        self._name = name
        self._kind = kind
        self._next_number = 0
        # only sensor noise distinguishes a frozen device from a still scene
        self._may_freeze = kind == "camera"
        self._frozen_fingerprint: int | None = None
        self._reader = _Reader(open_capture, self._wake)
        first = self._wait_for_first()
        self._start = first.arrived
        height, width = first.image.shape[:2]
        self._size = (width, height)
        self.facts = SourceFacts(
            kind=kind,
            name=name,
            size=self._size,
            frame_rate=_plausible_rate(self._reader.rate),
            frame_count=None,
            duration=None,
            live=True,
        )

    def frames(self) -> Iterator[Frame]:
        """Yield the newest frame that was not yielded yet; see `Source.frames`."""
        last_time = -1.0
        while (grabbed := self._next()) is not None:
            stamp = max(grabbed.arrived - self._start, last_time + MIN_STEP)
            last_time = stamp
            image = grabbed.image
            if image.shape[1::-1] != self._size:  # a reopened device may use another mode
                image = np.asarray(cv2.resize(image, self._size), np.uint8)
                image.flags.writeable = False
            yield Frame(grabbed.number, stamp, image, arrived=grabbed.arrived)

    def close(self) -> None:
        """End `frames()` and leave the device to its thread, which releases it."""
        self._closed.set()
        with self._wake:
            self._reader.abandoned = True
            self._wake.notify_all()

    def __del__(self) -> None:
        """End the thread of a source that is never closed."""
        if hasattr(self, "_reader"):
            self._reader.abandoned = True

    def _wait_for_first(self) -> _GrabbedFrame:
        until = time.monotonic() + self._policy.first_frame_timeout
        with self._wake:
            while self._reader.newest is None:
                left = until - time.monotonic()
                if self._reader.ended or left <= 0:
                    self._reader.abandoned = True
                    reason = self._reader.reason if self._reader.ended else "delivers no image"
                    raise InputError(f"the {self._kind} {self._name} {reason}")
                self._wake.wait(left)
            return self._reader.newest

    def _next(self) -> _GrabbedFrame | None:
        """Return the newest frame, or None after `close`; reconnects on silence."""
        waiting_since = time.monotonic()
        while not self._closed.is_set():
            with self._wake:
                reader = self._reader
                if (grabbed := reader.newest) is not None:
                    reader.newest = None
                    if time.monotonic() - grabbed.arrived > self._policy.max_silence:
                        continue
                    if grabbed.fingerprint == self._frozen_fingerprint and reader.changes == 1:
                        # after reopening it shows exactly the same bytes: no sensor does, so this
                        # is a drawn image (a virtual camera), which may stand still
                        self._may_freeze = False
                    unchanged = grabbed.arrived - reader.changed
                    if not self._may_freeze or unchanged <= self._policy.max_silence:
                        self._next_number = grabbed.number + 1
                        self.trouble = ""
                        self.read_seconds = grabbed.read_seconds
                        return grabbed
                    self._frozen_fingerprint = grabbed.fingerprint
                    reason = "shows the same image again and again"
                elif reader.ended:
                    reason = reader.reason
                elif time.monotonic() - reader.last_sign > self._max_silence(reader):
                    reason = "has gone silent"
                else:
                    self._wake.wait(0.1)
                    continue
            if time.monotonic() - waiting_since > self._policy.give_up_after:
                self.close()
                raise InputError(f"the {self._kind} {self._name} {reason} and does not come back")
            self._reconnect(reason)
        return None

    def _max_silence(self, reader: _Reader) -> float:
        # a newly opened device takes longer to its first image than from one to the next
        started = reader.changes > 0
        return self._policy.max_silence if started else self._policy.first_frame_timeout

    def _reconnect(self, reason: str) -> None:
        self.trouble = f"the {self._kind} {self._name} {reason}"
        notice = f"{self.trouble}; opened again"
        if notice not in self.notices:
            self.notices.append(notice)
        self._reader.abandoned = True
        self._closed.wait(self._policy.retry_interval)
        with self._wake:  # otherwise `close` might abandon only the old reader
            if not self._closed.is_set():
                self._reader = _Reader(self._open_capture, self._wake, self._next_number)


@dataclass(frozen=True)
class _GrabbedFrame:
    number: int
    arrived: float
    image: Image
    fingerprint: int
    """Checksum of the image's content."""
    read_seconds: float


class _Reader:
    """One capture and the thread that reads it; `wake` guards the attributes."""

    def __init__(
        self,
        open_capture: Callable[[], Capture],
        wake: threading.Condition,
        first_number: int = 0,
    ) -> None:
        self.newest: _GrabbedFrame | None = None
        self.abandoned = False
        self.ended = False
        self.reason = "cannot be opened; is it connected, and not in use by another program?"
        self.rate = 0.0
        self.last_sign = time.monotonic()
        self.changed = self.last_sign
        self.changes = 0
        self._open_capture = open_capture
        self._wake = wake
        self._number = first_number
        self._fingerprint: int | None = None
        NativeThread("capture", self._run, self._abandon).start()

    def _abandon(self) -> None:
        self.abandoned = True

    def _run(self) -> None:
        capture: Capture | None = None
        try:
            capture = self._open_capture()
            if capture.isOpened():
                self.rate = float(capture.get(cv2.CAP_PROP_FPS))
                self._read(capture)
        except (cv2.error, OSError, InputError) as error:
            self.reason = f"fails: {error}".splitlines()[0]
        finally:
            if capture is not None:
                capture.release()
            with self._wake:
                self.ended = True
                self._wake.notify_all()

    def _read(self, capture: Capture) -> None:
        self.reason = "delivers no images"
        while not self.abandoned:
            if not capture.grab():
                return
            arrived = time.monotonic()  # before decoding, whose duration varies
            good, decoded = capture.retrieve()
            if not good or decoded is None or decoded.size == 0:
                return
            image = _rgb(decoded)
            fingerprint = zlib.crc32(image[::FINGERPRINT_STEP, ::FINGERPRINT_STEP].tobytes())
            with self._wake:
                self.reason = "has ended"
                self.last_sign = arrived
                if fingerprint != self._fingerprint:
                    self._fingerprint = fingerprint
                    self.changed = arrived
                    self.changes += 1
                elapsed = time.monotonic() - arrived
                self.newest = _GrabbedFrame(self._number, arrived, image, fingerprint, elapsed)
                self._number += 1
                self._wake.notify_all()


def _rgb(image: npt.NDArray[Any]) -> Image:
    code = cv2.COLOR_GRAY2RGB if image.ndim == 2 else cv2.COLOR_BGR2RGB
    rgb = np.asarray(cv2.cvtColor(image, code), np.uint8)
    rgb.flags.writeable = False
    return rgb


def _plausible_rate(rate: float) -> Fraction:
    """Return the rate that a device reports, as a rational; some report 0, -1 or 180000."""
    if not 1.0 <= rate <= 1000.0:
        return FALLBACK_RATE
    return Fraction(rate).limit_denominator(1001)
