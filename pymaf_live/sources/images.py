"""Separate images: one, a folder, or those that match a pattern."""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from pymaf_live.errors import InputError
from pymaf_live.sources.animation import is_animation
from pymaf_live.sources.heif import decode_heif, upright
from pymaf_live.sources.image_headers import image_header, is_heif
from pymaf_live.system.regular_file import open_regular
from pymaf_live.types import Frame, Image, SourceFacts

SUFFIXES = frozenset(
    f".{ending}"
    for ending in (
        *("jpg", "jpeg", "jpe", "jfif", "png", "bmp", "dib", "webp", "tif", "tiff"),
        *("ppm", "pgm", "pbm", "pnm", "jp2", "avif", "heic", "heif", "hif"),
    )
)
UNREADABLE_SUFFIXES = frozenset(
    f".{ending}"
    for ending in (
        *("jxl", "psd", "svg", "exr", "hdr", "tga", "ico", "gif", "raw", "cr2", "cr3", "nef"),
        *("arw", "dng", "orf", "rw2", "raf", "j2k", "jxr", "pcx"),
    )
)
"""Endings of images that are not read; in a folder they are named instead of passed over."""
JPEG = b"\xff\xd8\xff"
PNG = b"\x89PNG\r\n\x1a\n"
SIGNATURES = (JPEG, PNG, b"BM", b"II*\0", b"MM\0*")
# damaged images are reported in one line of ours, not by OpenCV
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

MAX_PIXELS = 200_000_000
MAX_BYTES = 1_000_000_000
MAX_DECODED_BYTES = 650_000_000
"""Bytes that a decoder may allocate: 200 megapixels of plain RGB, fewer in deeper formats."""
_BLENDED_ROWS = 64
BACKGROUND = 255
"""Color behind transparent pixels: white."""


class ImagesSource:
    """Images in the given order, (H, W, 3) uint8 RGB, turned upright by their EXIF tags.

    Gray images are expanded to three channels, 16-bit images scaled to 8 bits, transparent images
    blended onto white. Images have no times, so the time of an image is its index in seconds. Of
    several images, unreadable ones are skipped and listed in `failures`; indices count the images
    that were read.

    Parameters
    ----------
    paths : sequence of Path
        At least one file.
    name : str
        Name of the source.
    loop : bool
        Start again at the end, forever.
    skipped : sequence of Path
        Files of the folder that look like images of formats that cannot be read; they are listed in
        `failures`.
    several : bool
        Skip unreadable images instead of ending the run; always true for more than one path.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        name: str,
        loop: bool = False,
        several: bool = False,
        skipped: Sequence[Path] = (),
    ) -> None:
        self._paths = list(paths)
        self._loop = loop
        self._several = several or len(self._paths) > 1
        self._closed = threading.Event()
        self.failures: list[tuple[str, str]] = [
            (path.name, f"{path} is in a format that is not read as an image ({path.suffix})")
            for path in skipped
        ]
        self.notices: list[str] = []
        size: tuple[int, int] | None = None
        if not self._several:
            height, width = read_image(self._paths[0]).shape[:2]
            size = (width, height)
        self.facts = SourceFacts(
            kind="images",
            name=name,
            size=size,
            frame_rate=None,
            frame_count=None if loop else len(self._paths),
            duration=None,
            live=False,
            path=self._paths[0] if len(self._paths) == 1 else self._paths[0].parent,
        )

    @property
    def names(self) -> list[str]:
        """File names in order, including unreadable files."""
        return [path.name for path in self._paths]

    def frames(self) -> Iterator[Frame]:
        """Yield the images in order; see `Source.frames`."""
        index = 0
        first_pass = True
        while True:
            before = index
            for path in self._paths:
                if self._closed.is_set():
                    return
                try:
                    image = read_image(path)
                except InputError as error:
                    if not self._several:
                        raise
                    if first_pass:
                        self.failures.append((path.name, str(error)))
                    continue
                if first_pass and is_animation(path):
                    self.notices.append(f"of the animation {path} only the first image is used")
                yield Frame(index, float(index), image, path.name, time.monotonic())
                index += 1
            if index == before:
                raise InputError(f"none of the images of {self.facts.name} can be read")
            if not self._loop:
                return
            first_pass = False

    def close(self) -> None:
        """End `frames()`."""
        self._closed.set()


def has_image_name(path: Path) -> bool:
    """Return True for names of image files, except hidden files (macOS leaves such behind)."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()


def is_image_file(path: Path, start: bytes) -> bool:
    """Return True if a file is an image, by its name or by its first 16 bytes."""
    webp = start.startswith(b"RIFF") and start[8:12] == b"WEBP"
    return path.suffix.lower() in SUFFIXES or start.startswith(SIGNATURES) or webp or is_heif(start)


def natural_order(path: Path) -> tuple[list[tuple[int, str]], str]:
    """Return a sort key that puts ``shot2`` before ``shot10``."""
    parts = re.findall(r"\d+|\D+", str(path).casefold())
    return [(int(p), "") if p.isdecimal() else (-1, p) for p in parts], str(path)


def read_image(path: Path) -> Image:
    """Read one image.

    Returns
    -------
    Image
        (H, W, 3) uint8 RGB, upright, read-only.

    Raises
    ------
    InputError
        If the file cannot be read, is not an image, is damaged, or has more than 200 megapixels.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path} is too large for an image")
        with open_regular(path) as file:
            data = file.read()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    if not data:
        raise InputError(f"{path} is empty")
    if is_heif(data):
        try:
            image: Image | None = decode_heif(data, MAX_PIXELS)
        except InputError as error:
            raise InputError(f"{path} {error}") from error
    else:
        _require_acceptable_size(path, data)
        image = _decode(data)
    if image is None:
        raise InputError(f"{path} is not a readable image, or is damaged")
    if math.prod(image.shape[:2]) > MAX_PIXELS:
        raise InputError(f"{path} has more than {MAX_PIXELS // 1_000_000} million pixels")
    image.flags.writeable = False
    return image


def _require_acceptable_size(path: Path, data: bytes) -> None:
    header = image_header(data)
    if header is None:
        raise InputError(f"{path} is not a readable image, or is damaged")
    pixels = header.width * header.height
    limit = min(MAX_PIXELS, MAX_DECODED_BYTES // header.pixel_bytes)
    if pixels > limit:
        raise InputError(
            f"{path} has {header.width}x{header.height} pixels; the limit is "
            f"{limit // 1_000_000} million in this format"
        )


def _decode(data: bytes) -> Image | None:
    if _is_truncated(data):
        return None
    encoded = np.frombuffer(data, np.uint8)
    try:
        if data.startswith(JPEG):
            return _to_8_bits(cv2.imdecode(encoded, cv2.IMREAD_COLOR_RGB))
        # unchanged first: IMREAD_COLOR would drop the alpha channel and show the hidden pixels
        raw, kinds, metadata = cv2.imdecodeWithMetadata(encoded, cv2.IMREAD_UNCHANGED)
        if raw is None or raw.size == 0:
            return None
        if raw.ndim == 3 and raw.shape[2] == 4 and raw.dtype in (np.uint8, np.uint16):
            blended = _blend(raw)
            for kind, block in zip(np.ravel(np.asarray(kinds)), metadata, strict=False):
                if int(kind) == cv2.IMAGE_METADATA_EXIF:
                    blended = upright(blended, np.asarray(block).tobytes())
            return np.ascontiguousarray(blended)
        # only of float images: both together would take twice the memory
        unchanged = raw if raw.dtype.kind == "f" else None
        del raw
        # IMREAD_COLOR_RGB leaves 16-bit TIFFs in BGR: swap here
        color = cv2.imdecode(encoded, cv2.IMREAD_COLOR_BGR | cv2.IMREAD_ANYDEPTH)
        if color is None:  # float TIFFs can only be read unchanged
            if unchanged is None:
                return None
            gray = unchanged.ndim == 2
            color = cv2.cvtColor(unchanged, cv2.COLOR_GRAY2BGR) if gray else unchanged
        return _to_8_bits(cv2.cvtColor(color, cv2.COLOR_BGR2RGB))
    except cv2.error:
        return None


def _is_truncated(data: bytes) -> bool:
    """Return True if the end of a JPEG or PNG is missing; OpenCV would fill it with gray or black.

    The markers cannot occur in a JPEG's coded data; a thumbnail lies before the last scan.
    """
    if data.startswith(JPEG):
        return data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda")
    return data.startswith(PNG) and b"IEND" not in data


def _to_8_bits(image: npt.NDArray[Any] | None) -> Image | None:
    """Return an image of any depth with 8 bits; None where white is not defined for the depth."""
    if image is None or image.dtype == np.uint8:
        return None if image is None else np.asarray(image, np.uint8)
    if image.dtype == np.uint16:
        # 65535 / 255 = 257: full white stays full white
        return np.asarray((image.astype(np.uint32) + 128) // 257, np.uint8)
    if image.dtype.kind == "f":
        return np.asarray(np.clip(np.nan_to_num(image), 0, 1) * 255 + 0.5, np.uint8)
    return None


def _blend(bgra: npt.NDArray[Any]) -> Image:
    """Return an image with alpha (BGRA, 8 or 16 bits) blended onto the background, as RGB."""
    blended = np.empty((*bgra.shape[:2], 3), np.uint8)
    # in strips: the wider numbers of a whole image would need many times its memory
    for start in range(0, len(bgra), _BLENDED_ROWS):
        narrow = _to_8_bits(bgra[start : start + _BLENDED_ROWS])
        assert narrow is not None  # 8 or 16 bits
        color = narrow[:, :, 2::-1].astype(np.uint32)
        alpha = narrow[:, :, 3:].astype(np.uint32)
        strip = (color * alpha + BACKGROUND * (255 - alpha) + 127) // 255
        blended[start : start + _BLENDED_ROWS] = strip
    return blended
