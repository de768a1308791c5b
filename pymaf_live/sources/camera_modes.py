"""Sizes and rates that a camera offers, queried from Linux (V4L2) without starting the camera.

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
Query = Callable[[int, bytes], bytes]
"""Sends a request number and a record to the driver; returns the record that it filled in."""

_FORMAT = struct.Struct("=III32sII3I")
_SIZE = struct.Struct("=III6I2I")
_INTERVAL = struct.Struct("=IIIII6I2I")
_CAPTURE = 1
_DISCRETE = 1
_MAX_ENTRIES = 64
"""Entries read from one list, in case a driver never ends its list."""
COMMON_SIZES = ((3840, 2160), (1920, 1080), (1280, 720), (960, 540), (640, 480), (640, 360))
"""Sizes offered for a camera that reports only a smallest and a largest size."""
MIN_RATE = 5.0
"""Frames per second; slower modes are for photographs."""


def _request(number: int, record: struct.Struct) -> int:
    return 3 << 30 | record.size << 16 | ord("V") << 8 | number


ENUM_FORMATS = _request(2, _FORMAT)
ENUM_SIZES = _request(74, _SIZE)
ENUM_INTERVALS = _request(75, _INTERVAL)


def camera_modes(device: Path) -> tuple[CameraMode, ...]:
    """Return the modes of a camera, largest images first, then fastest; empty if unknown."""
    try:
        import fcntl

        handle = os.open(device, os.O_RDWR | os.O_NONBLOCK)
    except (ImportError, OSError):
        return ()
    try:
        return query_modes(lambda request, record: fcntl.ioctl(handle, request, record))
    finally:
        os.close(handle)


def query_modes(query: Query) -> tuple[CameraMode, ...]:
    """Return the modes that a driver reports, over all its pixel formats.

    Parameters
    ----------
    query : callable
        Raises OSError past the end of a list.
    """
    modes: set[CameraMode] = set()
    for pixel_format in _until_repeated(_formats(query)):
        for width, height in _until_repeated(_sizes(query, pixel_format)):
            reported = _until_repeated(_rates(query, pixel_format, width, height))
            rates = [rate for rate in reported if rate >= MIN_RATE]
            modes.update(CameraMode(width, height, rate) for rate in rates)
            if not rates:
                modes.add(CameraMode(width, height))
    return tuple(sorted(modes, key=lambda m: (-m.width * m.height, -m.width, -(m.rate or 0.0))))


def _until_repeated(items: Iterator[T]) -> Iterator[T]:
    """Yield items until one of them occurs a second time."""
    seen: set[T] = set()
    for item in items:
        if item in seen:
            return
        seen.add(item)
        yield item


def _formats(query: Query) -> Iterator[int]:
    empty = bytes(32)
    for index in range(_MAX_ENTRIES):
        with contextlib.suppress(OSError):
            record = query(ENUM_FORMATS, _FORMAT.pack(index, _CAPTURE, 0, empty, 0, 0, 0, 0, 0))
            yield int(_FORMAT.unpack(record)[4])
            continue
        return


def _sizes(query: Query, pixel_format: int) -> Iterator[tuple[int, int]]:
    for index in range(_MAX_ENTRIES):
        try:
            record = _SIZE.unpack(query(ENUM_SIZES, _SIZE.pack(index, pixel_format, *[0] * 9)))
        except OSError:
            return
        kind, numbers = record[2], record[3:9]
        if kind == _DISCRETE:
            yield numbers[0], numbers[1]
            continue
        min_width, max_width, _, min_height, max_height, _ = numbers
        for width, height in COMMON_SIZES:
            if min_width <= width <= max_width and min_height <= height <= max_height:
                yield width, height
        return


def _rates(query: Query, pixel_format: int, width: int, height: int) -> Iterator[float]:
    for index in range(_MAX_ENTRIES):
        record = _INTERVAL.pack(index, pixel_format, width, height, *[0] * 9)
        try:
            reported = _INTERVAL.unpack(query(ENUM_INTERVALS, record))
        except OSError:
            return
        # in a range the shortest interval comes first; seconds are a fraction in either case
        numerator, denominator = reported[5], reported[6]
        if numerator and denominator:
            yield round(denominator / numerator, 2)
        if reported[4] != _DISCRETE:
            return
