"""Animated WebP and PNG images, played like videos."""

from __future__ import annotations

import math
import struct
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from pymaf_live.errors import InputError
from pymaf_live.sources.timestamps import MIN_STEP
from pymaf_live.types import Frame, Image, SourceFacts

MAX_PIXELS = 100_000_000
_SHORTEST = 0.011
"""Seconds; browsers show shorter frames, which are mistakes, for a tenth of a second."""
_USUAL = 0.1
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_WEBP_ANIMATION = 0x02
_MAX_CHUNKS = 1000
_DAMAGE = (OSError, EOFError, ValueError, SyntaxError, struct.error)
"""Errors that Pillow raises for damaged files."""


def is_animation(path: Path) -> bool:
    """Return True if a file is a WebP or PNG with several frames, by its header."""
    try:
        with path.open("rb") as file:
            return _has_frames(file)
    except OSError:
        return False


def _has_frames(file: BinaryIO) -> bool:
    start = file.read(21)
    if start[:4] == b"RIFF" and start[8:16] == b"WEBPVP8X":
        return bool(start[20:21] and start[20] & _WEBP_ANIMATION)
    if not start.startswith(_PNG_SIGNATURE):
        return False
    file.seek(len(_PNG_SIGNATURE))
    for _ in range(_MAX_CHUNKS):
        head = file.read(8)
        if len(head) < 8 or head[4:] == b"IDAT":
            return False
        if head[4:] == b"acTL":
            return int(struct.unpack(">I", file.read(4).ljust(4, b"\0"))[0]) > 1
        file.seek(struct.unpack(">I", head[:4])[0] + 4, 1)
    return False


class AnimationSource:
    """Animated WebP or PNG; transparent pixels are white.

    Parameters
    ----------
    path : Path
    loop : bool
        Start again at the end, forever; times keep increasing.

    Raises
    ------
    InputError
        If the file cannot be read.
    """

    def __init__(self, path: Path, *, loop: bool = False) -> None:
        self._path = path
        self._loop = loop
        self._closed = threading.Event()
        self.failures: list[tuple[str, str]] = []
        self.notices: list[str] = []
        with self._open() as opened:
            if math.prod(opened.size) > MAX_PIXELS:
                raise InputError(f"{path} has larger frames than can be processed")
            count = int(getattr(opened, "n_frames", 1))
            if self._image(opened, 0) is None:  # WebP knows durations only of decoded frames
                raise InputError(f"{path} is not a readable image, or is damaged")
            first = self._duration(opened)
            size = opened.size
        self.facts = SourceFacts(
            kind="video",
            name=str(path),
            size=size,
            frame_rate=Fraction(1 / first).limit_denominator(1001),
            frame_count=None if loop else count,
            duration=None if loop else count * first,
            live=False,
            path=path,
        )

    def frames(self) -> Iterator[Frame]:
        """Yield frames with the times at which they are shown; see `Source.frames`."""
        index, seconds = 0, 0.0
        while not self._closed.is_set():
            before = index
            with self._open() as opened:
                for number in range(int(getattr(opened, "n_frames", 1))):
                    image = self._image(opened, number)
                    if self._closed.is_set():
                        return
                    if image is None:
                        self.notices.append(f"{self._path} is damaged: its end could not be read")
                        break
                    yield Frame(index, seconds, image, arrived=time.monotonic())
                    index += 1
                    seconds += max(MIN_STEP, self._duration(opened))
            if not self._loop or index == before:
                return

    def again(self) -> AnimationSource:
        """Return a new source of the same file."""
        return AnimationSource(self._path, loop=self._loop)

    def close(self) -> None:
        """End `frames()`."""
        self._closed.set()

    def _open(self) -> Any:
        from PIL import Image as Pillow
        from PIL import UnidentifiedImageError

        try:
            return Pillow.open(self._path, formats=["WEBP", "PNG"])
        except Pillow.DecompressionBombError as error:
            raise InputError(f"{self._path} has larger frames than can be processed") from error
        except (*_DAMAGE, UnidentifiedImageError) as error:
            raise InputError(f"{self._path} is not a readable image, or is damaged") from error

    def _image(self, opened: Any, number: int) -> Image | None:
        from PIL import Image as Pillow

        try:
            opened.seek(number)
            rgba = opened.convert("RGBA")
        except (*_DAMAGE, Pillow.DecompressionBombError):
            return None
        white = Pillow.new("RGBA", rgba.size, "white")
        image = np.array(Pillow.alpha_composite(white, rgba).convert("RGB"), np.uint8)
        image.flags.writeable = False
        return image

    def _duration(self, opened: Any) -> float:
        """Return the seconds for which the current frame is shown."""
        milliseconds = opened.info.get("duration") or 0
        seconds = float(milliseconds) / 1000
        return seconds if _SHORTEST <= seconds < math.inf else _USUAL
