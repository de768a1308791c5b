"""Small copies of a camera's images beside a take: JPEGs in a record file, found by time."""

from __future__ import annotations

import struct
from bisect import bisect_right
from pathlib import Path

import cv2
import numpy as np

from pymaf_live.errors import InputError
from pymaf_live.takes.record_file import RecordWriter, read_records
from pymaf_live.types import Image

MAX_SIDE = 480
"""Longer side in pixels: enough to see what a person did, at about 1 MB for three seconds."""
_JPEG_QUALITY = 75
_TIME = struct.Struct("<d")
_MAX_PIXELS = 1 << 24


def small_jpeg(image: Image, max_side: int = MAX_SIDE) -> bytes:
    """Return an image (H, W, 3) RGB as a JPEG whose longer side is at most `max_side` pixels."""
    height, width = image.shape[:2]
    scale = min(1.0, max_side / max(width, height))
    if scale < 1:
        # large images are thinned out first: averaging all of an 8K frame would take too long
        step = max(1, int(0.5 / scale))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        thinned = np.ascontiguousarray(image[::step, ::step])
        image = np.asarray(cv2.resize(thinned, size, interpolation=cv2.INTER_AREA), np.uint8)
    encoded, content = cv2.imencode(
        ".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    )
    return content.tobytes() if encoded else b""


class ImageCopyWriter:
    """Writer of the image copies of a recording.

    Parameters
    ----------
    path : Path
        File to create; must not exist.

    Raises
    ------
    OutputError
        Here and in all methods, if the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._records = RecordWriter(path)

    def add(self, time: float, jpeg: bytes) -> None:
        """Append the image of the frame at `time` seconds."""
        self._records.append(_TIME.pack(time) + jpeg)

    def close(self) -> None:
        """Close the file."""
        self._records.close()


class ImageCopies:
    """Reader of image copies, in any order.

    Parameters
    ----------
    path : Path

    Raises
    ------
    InputError
        If the file is not a record file or has no image.
    """

    def __init__(self, path: Path) -> None:
        self._times: list[float] = []
        self._positions: list[tuple[int, int]] = []
        try:
            self._file = path.open("rb")
            for position, content in read_records(self._file):
                if len(content) > _TIME.size:
                    self._times.append(_TIME.unpack_from(content)[0])
                    self._positions.append((position + _TIME.size, len(content) - _TIME.size))
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror or error}") from error
        if not self._times:
            self._file.close()
            raise InputError(f"there are no images in {path}")

    def at(self, seconds: float) -> Image | None:
        """Return the last image at or before a time, or the first one; None if it is damaged."""
        index = max(0, bisect_right(self._times, seconds + 1e-6) - 1)
        position, length = self._positions[index]
        try:
            self._file.seek(position)
            content = self._file.read(length)
        except OSError:
            return None
        decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        if decoded is None or decoded.size > 3 * _MAX_PIXELS:
            return None
        image = np.ascontiguousarray(decoded[:, :, ::-1], dtype=np.uint8)
        image.flags.writeable = False
        return image

    def close(self) -> None:
        """Close the file."""
        self._file.close()
