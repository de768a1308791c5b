"""The sizes and rates that a camera offers, asked of Linux (V4L2) without filming.

Numbers and layouts are those of the kernel's ``videodev2.h`` ("Linux Media Infrastructure
userspace API", part I, ioctl VIDIOC_ENUM_FMT, VIDIOC_ENUM_FRAMESIZES, VIDIOC_ENUM_FRAMEINTERVALS).
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from pymaf_live.sources.camera_address import CameraMode

T = TypeVar("T")
Ask = Callable[[int, bytes], bytes]
"""A request's number and its record filled in by us -> the record filled in by the kernel."""

_FORMAT = struct.Struct("=III32sII3I")
_SIZE = struct.Struct("=III6I2I")
_INTERVAL = struct.Struct("=IIIII6I2I")
_CAPTURE = 1
_DISCRETE = 1
_MOST_ASKED = 64
"""Entries of one list; a driver that never ends its list, or says the same again, is not heard."""
COMMON_SIZES = ((3840, 2160), (1920, 1080), (1280, 720), (960, 540), (640, 480), (640, 360))
"""Offered of a camera that names only a smallest and a largest size."""
LEAST_RATE = 5.0
"""Frames a second; slower modes are for photographs."""


def _request(number: int, record: struct.Struct) -> int:
    return 3 << 30 | record.size << 16 | ord("V") << 8 | number


ENUM_FORMATS = _request(2, _FORMAT)
ENUM_SIZES = _request(74, _SIZE)
ENUM_INTERVALS = _request(75, _INTERVAL)


def camera_modes(device: Path) -> tuple[CameraMode, ...]:
    """Modes of a camera, largest pictures first, fastest first; empty where nothing is told."""
    try:
        import fcntl

        handle = os.open(device, os.O_RDWR | os.O_NONBLOCK)
    except (ImportError, OSError):
        return ()
    try:
        return modes_told(lambda request, record: fcntl.ioctl(handle, request, record))
    finally:
        os.close(handle)


def modes_told(ask: Ask) -> tuple[CameraMode, ...]:
    """The modes that a driver names, over all its pixel formats.

    Parameters
    ----------
    ask : callable
        Raises OSError behind the end of a list.
    """
    modes: set[CameraMode] = set()
    for pixel_format in _new(_formats(ask)):
        for width, height in _new(_sizes(ask, pixel_format)):
            told = _new(_rates(ask, pixel_format, width, height))
            rates = [rate for rate in told if rate >= LEAST_RATE]
            modes.update(CameraMode(width, height, rate) for rate in rates)
            if not rates:
                modes.add(CameraMode(width, height))
    return tuple(sorted(modes, key=lambda m: (-m.width * m.height, -m.width, -(m.rate or 0.0))))


def _new(told: Iterator[T]) -> Iterator[T]:
    """What is told, until something is told a second time."""
    seen: set[T] = set()
    for item in told:
        if item in seen:
            return
        seen.add(item)
        yield item


def _formats(ask: Ask) -> Iterator[int]:
    empty = bytes(32)
    for index in range(_MOST_ASKED):
        with contextlib.suppress(OSError):
            told = ask(ENUM_FORMATS, _FORMAT.pack(index, _CAPTURE, 0, empty, 0, 0, 0, 0, 0))
            yield int(_FORMAT.unpack(told)[4])
            continue
        return


def _sizes(ask: Ask, pixel_format: int) -> Iterator[tuple[int, int]]:
    for index in range(_MOST_ASKED):
        try:
            told = _SIZE.unpack(ask(ENUM_SIZES, _SIZE.pack(index, pixel_format, *[0] * 9)))
        except OSError:
            return
        kind, numbers = told[2], told[3:9]
        if kind == _DISCRETE:
            yield numbers[0], numbers[1]
            continue
        least_width, most_width, _, least_height, most_height, _ = numbers
        for width, height in COMMON_SIZES:
            if least_width <= width <= most_width and least_height <= height <= most_height:
                yield width, height
        return


def _rates(ask: Ask, pixel_format: int, width: int, height: int) -> Iterator[float]:
    for index in range(_MOST_ASKED):
        record = _INTERVAL.pack(index, pixel_format, width, height, *[0] * 9)
        try:
            told = _INTERVAL.unpack(ask(ENUM_INTERVALS, record))
        except OSError:
            return
        # of a range, the shortest interval comes first; either way seconds as a fraction
        numerator, denominator = told[5], told[6]
        if numerator and denominator:
            yield round(denominator / numerator, 2)
        if told[4] != _DISCRETE:
            return
