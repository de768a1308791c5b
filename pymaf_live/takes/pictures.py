"""A small copy of a camera's pictures beside a take: JPEGs in a journal, found again by time."""

from __future__ import annotations

import struct
from bisect import bisect_right
from pathlib import Path

import cv2
import numpy as np

from pymaf_live.errors import InputError
from pymaf_live.takes.journal import RecordWriter, read_records
from pymaf_live.types import Image

LONGEST_SIDE = 480
"""Pixels: enough to see what a person did, and some 1 MB for three seconds."""
_QUALITY = 75
_TIME = struct.Struct("<d")
_MOST_PIXELS = 1 << 24


def small_jpeg(image: Image, longest: int = LONGEST_SIDE) -> bytes:
    """A picture (H, W, 3) RGB as a JPEG of `longest` pixels at most along its longer side."""
    height, width = image.shape[:2]
    scale = min(1.0, longest / max(width, height))
    if scale < 1:
        # a large picture is thinned out first: averaging all of an 8K frame takes too long here
        step = max(1, int(0.5 / scale))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        thin = np.ascontiguousarray(image[::step, ::step])
        image = np.asarray(cv2.resize(thin, size, interpolation=cv2.INTER_AREA), np.uint8)
    done, content = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return content.tobytes() if done else b""


class PictureCopy:
    """Writes the pictures of a recording.

    Parameters
    ----------
    path : Path
        A new file.

    Raises
    ------
    OutputError
        Here and in all methods, if the system refuses.
    """

    def __init__(self, path: Path) -> None:
        self._records = RecordWriter(path)

    def add(self, time: float, jpeg: bytes) -> None:
        """Add the picture of the frame at `time` seconds."""
        self._records.append(_TIME.pack(time) + jpeg)

    def close(self) -> None:
        """End the file."""
        self._records.close()


class CopiedPictures:
    """Reads them again, any picture at any time.

    Parameters
    ----------
    path : Path

    Raises
    ------
    InputError
        If it is no such file or has no picture.
    """

    def __init__(self, path: Path) -> None:
        self._times: list[float] = []
        self._places: list[tuple[int, int]] = []
        try:
            self._file = path.open("rb")
            for place, content in read_records(self._file):
                if len(content) > _TIME.size:
                    self._times.append(_TIME.unpack_from(content)[0])
                    self._places.append((place + _TIME.size, len(content) - _TIME.size))
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror or error}") from error
        if not self._times:
            self._file.close()
            raise InputError(f"there are no pictures in {path}")

    def at(self, seconds: float) -> Image | None:
        """The last picture at or before a time (the first before that); None if it is damaged."""
        index = max(0, bisect_right(self._times, seconds + 1e-6) - 1)
        place, length = self._places[index]
        try:
            self._file.seek(place)
            content = self._file.read(length)
        except OSError:
            return None
        decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        if decoded is None or decoded.size > 3 * _MOST_PIXELS:
            return None
        image = np.ascontiguousarray(decoded[:, :, ::-1], dtype=np.uint8)
        image.flags.writeable = False
        return image

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
