"""Frames of something that goes on by itself: only the newest counts, and silence is noticed."""

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
from pymaf_live.types import Frame, Image, SourceFacts

# what goes wrong is told by one line of ours, not by many of OpenCV's and its FFmpeg's
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

FALLBACK_RATE = Fraction(30)
SAMPLING = 4
"""Every so many pixels are compared to see whether a picture has changed."""
LEAST_STEP = 1e-4


class Capture(Protocol):
    """The part of `cv2.VideoCapture` that is used; made, read and released by one thread."""

    def isOpened(self) -> bool: ...  # noqa: N802, D102 - OpenCV's name

    def grab(self) -> bool: ...  # noqa: D102

    def retrieve(self) -> tuple[bool, Any]: ...  # noqa: D102

    def get(self, propId: int) -> float: ...  # noqa: D102 - OpenCV's name

    def release(self) -> None: ...  # noqa: D102


@dataclass(frozen=True)
class Patience:
    """How long a live source may say nothing, in seconds."""

    first_frame: float = 10.0
    """From opening to the first picture."""
    greatest_age: float = 2.0
    """Of the newest picture, or of the newest change in it, before the device is opened anew."""
    give_up: float = 30.0
    """From the last picture to giving up, while the device is opened again and again."""
    between_tries: float = 0.5


FOR_EVER = Patience(give_up=math.inf)
"""Waits for a device to come back as long as somebody wants it."""


class LiveSource:
    """Newest frames of a device that is read in a thread of its own.

    The thread is the exception to the rule that only the pipeline makes threads: OpenCV's reading
    and opening may hang for ever when a camera is unplugged, and the only cure is to leave that
    thread behind and open the device in a new object from a new thread. An abandoned thread
    releases its device as soon as it wakes; it is a daemon, so it cannot keep the program alive.

    Times are seconds since the first frame at which a frame was grabbed (one clock across
    reopening); indices count what was grabbed, so gaps show what was dropped between two frames
    that were taken.

    Parameters
    ----------
    open_capture : callable
        Makes a fresh capture; called in the reading thread.
    kind : {"camera", "stream"}
        For the facts.
    name : str
        What the user calls it.
    patience : Patience
        How long silence is borne.

    Raises
    ------
    InputError
        If it cannot be opened or gives no picture in time.
    """

    def __init__(
        self,
        open_capture: Callable[[], Capture],
        *,
        kind: Literal["camera", "stream"],
        name: str,
        patience: Patience | None = None,
    ) -> None:
        self._open_capture = open_capture
        self._patience = patience or Patience()
        self._closed = threading.Event()
        self._wake = threading.Condition()
        self.failures: list[tuple[str, str]] = []
        self.notices: list[str] = []
        self.trouble = ""
        """Why no frame comes, in one line; empty while frames come. Read from any thread."""
        self.read_seconds = 0.0
        """What the last frame took from being grabbed to being a picture."""
        self._name = name
        self._kind = kind
        self._grabbed = 0
        # only a sensor's noise tells a frozen device from a still scene
        self._may_freeze = kind == "camera"
        self._frozen_print: int | None = None
        self._reader = _Reader(open_capture, self._wake)
        first = self._wait_for_first()
        self._began = first.arrived
        height, width = first.image.shape[:2]
        self._size = (width, height)
        self.facts = SourceFacts(
            kind=kind,
            name=name,
            size=self._size,
            frame_rate=_sane_rate(self._reader.rate),
            frame_count=None,
            duration=None,
            live=True,
        )

    def frames(self) -> Iterator[Frame]:
        """Each time the newest frame that was not given yet; see `Source.frames`."""
        last_time = -1.0
        while (taken := self._next()) is not None:
            stamp = max(taken.arrived - self._began, last_time + LEAST_STEP)
            last_time = stamp
            image = taken.image
            if image.shape[1::-1] != self._size:  # a reopened device may come back in another mode
                image = np.asarray(cv2.resize(image, self._size), np.uint8)
                image.flags.writeable = False
            yield Frame(taken.number, stamp, image, arrived=taken.arrived)

    def close(self) -> None:
        """End `frames()` and leave the device to its thread, which releases it."""
        self._closed.set()
        with self._wake:
            self._reader.abandoned = True
            self._wake.notify_all()

    def _wait_for_first(self) -> _Taken:
        until = time.monotonic() + self._patience.first_frame
        with self._wake:
            while self._reader.newest is None:
                left = until - time.monotonic()
                if self._reader.ended or left <= 0:
                    self._reader.abandoned = True
                    why = self._reader.reason if self._reader.ended else "gives no picture"
                    raise InputError(f"the {self._kind} {self._name} {why}")
                self._wake.wait(left)
            return self._reader.newest

    def _next(self) -> _Taken | None:
        """The newest frame not taken yet, or None after `close`; reopens on silence."""
        waiting_since = time.monotonic()
        while not self._closed.is_set():
            with self._wake:
                reader = self._reader
                if (taken := reader.newest) is not None:
                    reader.newest = None
                    if time.monotonic() - taken.arrived > self._patience.greatest_age:
                        continue
                    if taken.print == self._frozen_print and reader.changes == 1:
                        # opened anew it shows the very same bytes: no sensor does, so this is a
                        # drawn picture (a virtual camera), which may stand still as it likes
                        self._may_freeze = False
                    still = taken.arrived - reader.changed
                    if not self._may_freeze or still <= self._patience.greatest_age:
                        self._grabbed = taken.number + 1
                        self.trouble = ""
                        self.read_seconds = taken.read_seconds
                        return taken
                    self._frozen_print = taken.print
                    why = "shows the same picture again and again"
                elif reader.ended:
                    why = reader.reason
                elif time.monotonic() - reader.last_sign > self._age_borne(reader):
                    why = "has gone silent"
                else:
                    self._wake.wait(0.1)
                    continue
            if time.monotonic() - waiting_since > self._patience.give_up:
                self.close()
                raise InputError(f"the {self._kind} {self._name} {why} and does not come back")
            self._open_again(why)
        return None

    def _age_borne(self, reader: _Reader) -> float:
        # a fresh device takes longer to its first picture than from one to the next
        started = reader.changes > 0
        return self._patience.greatest_age if started else self._patience.first_frame

    def _open_again(self, why: str) -> None:
        self.trouble = f"the {self._kind} {self._name} {why}"
        notice = f"{self.trouble}; opened again"
        if notice not in self.notices:
            self.notices.append(notice)
        self._reader.abandoned = True
        self._closed.wait(self._patience.between_tries)
        with self._wake:  # against a `close` that would abandon the old reader only
            if not self._closed.is_set():
                self._reader = _Reader(self._open_capture, self._wake, self._grabbed)


@dataclass(frozen=True)
class _Taken:
    number: int
    arrived: float
    image: Image
    print: int
    """Of its content."""
    read_seconds: float


class _Reader:
    """One capture and the thread that reads it. Fields are guarded by `wake`."""

    def __init__(
        self,
        open_capture: Callable[[], Capture],
        wake: threading.Condition,
        first_number: int = 0,
    ) -> None:
        self.newest: _Taken | None = None
        self.abandoned = False
        self.ended = False
        self.reason = "cannot be opened; is it there, and not in use elsewhere?"
        self.rate = 0.0
        self.last_sign = time.monotonic()
        self.changed = self.last_sign
        self.changes = 0
        self._open_capture = open_capture
        self._wake = wake
        self._number = first_number
        self._print: int | None = None
        threading.Thread(target=self._run, name="capture", daemon=True).start()

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
        self.reason = "gives no pictures"
        while not self.abandoned:
            if not capture.grab():
                return
            arrived = time.monotonic()  # before decoding, which takes a different time each time
            good, picture = capture.retrieve()
            if not good or picture is None or picture.size == 0:
                return
            image = _rgb(picture)
            fingerprint = zlib.crc32(image[::SAMPLING, ::SAMPLING].tobytes())
            with self._wake:
                self.reason = "has ended"
                self.last_sign = arrived
                if fingerprint != self._print:
                    self._print = fingerprint
                    self.changed = arrived
                    self.changes += 1
                spent = time.monotonic() - arrived
                self.newest = _Taken(self._number, arrived, image, fingerprint, spent)
                self._number += 1
                self._wake.notify_all()


def _rgb(picture: npt.NDArray[Any]) -> Image:
    code = cv2.COLOR_GRAY2RGB if picture.ndim == 2 else cv2.COLOR_BGR2RGB
    image = np.asarray(cv2.cvtColor(picture, code), np.uint8)
    image.flags.writeable = False
    return image


def _sane_rate(rate: float) -> Fraction:
    """The rate a device claims, as a rational; cameras without one say 0, -1 or 180000."""
    if not 1.0 <= rate <= 1000.0:
        return FALLBACK_RATE
    return Fraction(rate).limit_denominator(1001)
