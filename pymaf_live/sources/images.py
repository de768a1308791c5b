"""Pictures: one, a folder, or those of a pattern."""

from __future__ import annotations

import math
import re
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from pymaf_live.errors import InputError
from pymaf_live.sources.image_headers import TIFF_ORIENTATION, claimed_image_size, tiff_tags
from pymaf_live.types import Frame, Image, SourceFacts

SUFFIXES = frozenset(
    f".{ending}"
    for ending in (
        *("jpg", "jpeg", "jpe", "jfif", "png", "bmp", "dib", "webp", "tif", "tiff"),
        *("ppm", "pgm", "pbm", "pnm", "jp2", "avif"),
    )
)
JPEG = b"\xff\xd8\xff"
PNG = b"\x89PNG\r\n\x1a\n"
SIGNATURES = (JPEG, PNG, b"BM", b"II*\0", b"MM\0*")
# a damaged picture is told by one line of ours, not by OpenCV's own
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

MOST_PIXELS = 200_000_000
MOST_BYTES = 1_000_000_000
BACKGROUND = 255
"""What shows through transparent pixels: white paper."""


class ImagesSource:
    """Pictures in the order given, each (H, W, 3) uint8 RGB, turned upright by its EXIF tag.

    Grey pictures are spread over three channels, 16-bit ones scaled to 8 bits, transparent ones
    laid on white. As pictures have no times, a picture's time is its index in seconds. Among
    several pictures one that cannot be read is passed over and noted in `failures`; indices count
    the pictures that were read.

    Parameters
    ----------
    paths : sequence of Path
        Files, at least one.
    name : str
        What the source is called.
    loop : bool
        Start again at the end, for ever.
    several : bool
        Whether an unreadable picture is noted (true) or ends the run; more than one path always
        means true.
    """

    def __init__(
        self, paths: Sequence[Path], *, name: str, loop: bool = False, several: bool = False
    ) -> None:
        self._paths = list(paths)
        self._loop = loop
        self._several = several or len(self._paths) > 1
        self._closed = threading.Event()
        self.failures: list[tuple[str, str]] = []
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
        """File names in order, of those that cannot be read too."""
        return [path.name for path in self._paths]

    def frames(self) -> Iterator[Frame]:
        """Pictures in order; see `Source.frames`."""
        index = 0
        first_round = True
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
                    if first_round:
                        self.failures.append((path.name, str(error)))
                    continue
                yield Frame(index, float(index), image, path.name, time.monotonic())
                index += 1
            if index == before:
                raise InputError(f"none of the pictures of {self.facts.name} can be read")
            if not self._loop:
                return
            first_round = False

    def close(self) -> None:
        """End `frames()`."""
        self._closed.set()


def has_image_name(path: Path) -> bool:
    """Whether a file's name is a picture's; hidden files (macOS leaves such) are not."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()


def is_image_file(path: Path, start: bytes) -> bool:
    """Whether a file is to be read as a picture: by its name, else by its first 16 bytes."""
    webp = start.startswith(b"RIFF") and start[8:12] == b"WEBP"
    return path.suffix.lower() in SUFFIXES or start.startswith(SIGNATURES) or webp


def natural_order(path: Path) -> tuple[list[tuple[int, str]], str]:
    """Sort key that puts ``shot2`` before ``shot10``."""
    parts = re.findall(r"\d+|\D+", str(path).casefold())
    return [(int(p), "") if p.isdecimal() else (-1, p) for p in parts], str(path)


def read_image(path: Path) -> Image:
    """Read one picture.

    Returns
    -------
    Image
        (H, W, 3) uint8 RGB, upright, read-only.

    Raises
    ------
    InputError
        If the file cannot be read, is no picture, is damaged or has more than 200 megapixels.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path} is too large for a picture")
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    if not data:
        raise InputError(f"{path} is empty")
    claimed = claimed_image_size(data)
    if claimed is not None and math.prod(claimed) > MOST_PIXELS:
        raise InputError(
            f"{path} has {claimed[0]}x{claimed[1]} pixels, more than the "
            f"{MOST_PIXELS // 1_000_000} million that are read"
        )
    image = _decode(data)
    if image is None:
        raise InputError(f"{path} is not a picture that can be read, or is damaged")
    if math.prod(image.shape[:2]) > MOST_PIXELS:
        raise InputError(f"{path} has more than {MOST_PIXELS // 1_000_000} million pixels")
    image.flags.writeable = False
    return image


def _decode(data: bytes) -> Image | None:
    if _is_cut(data):
        return None
    encoded = np.frombuffer(data, np.uint8)
    try:
        if data.startswith(JPEG):
            return _to_8_bits(cv2.imdecode(encoded, cv2.IMREAD_COLOR_RGB))
        # unchanged first: IMREAD_COLOR would drop the alpha channel and show what lies under it
        raw, kinds, metadata = cv2.imdecodeWithMetadata(encoded, cv2.IMREAD_UNCHANGED)
        if raw is None or raw.size == 0:
            return None
        if raw.ndim == 3 and raw.shape[2] == 4 and raw.dtype in (np.uint8, np.uint16):
            blended = _blend(raw)
            for kind, block in zip(np.ravel(np.asarray(kinds)), metadata, strict=False):
                if int(kind) == cv2.IMAGE_METADATA_EXIF:
                    blended = _turn(blended, np.asarray(block).tobytes())
            return np.ascontiguousarray(blended)
        # IMREAD_COLOR_RGB leaves 16-bit TIFFs in BGR: swap here
        colour = cv2.imdecode(encoded, cv2.IMREAD_COLOR_BGR | cv2.IMREAD_ANYDEPTH)
        if colour is None:  # float TIFFs are read unchanged only
            colour = cv2.cvtColor(raw, cv2.COLOR_GRAY2BGR) if raw.ndim == 2 else raw
        return _to_8_bits(cv2.cvtColor(colour, cv2.COLOR_BGR2RGB))
    except cv2.error:
        return None


def _is_cut(data: bytes) -> bool:
    """Whether the end of a JPEG or PNG is missing: OpenCV would fill the rest with grey or black.

    The markers cannot occur inside a JPEG's coded data; a thumbnail lies before the last scan.
    """
    if data.startswith(JPEG):
        return data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda")
    return data.startswith(PNG) and b"IEND" not in data


def _to_8_bits(image: npt.NDArray[Any] | None) -> Image | None:
    """Bring a picture of any depth to 8 bits; None where the depth has no known white."""
    if image is None or image.dtype == np.uint8:
        return None if image is None else np.asarray(image, np.uint8)
    if image.dtype == np.uint16:
        # 65535 / 255 = 257: full white stays full white
        return np.asarray((image.astype(np.uint32) + 128) // 257, np.uint8)
    if image.dtype.kind == "f":
        return np.asarray(np.clip(np.nan_to_num(image), 0, 1) * 255 + 0.5, np.uint8)
    return None


def _blend(bgra: npt.NDArray[Any]) -> Image:
    """BGR and alpha, 8 or 16 bits, laid on the background; RGB."""
    narrow = _to_8_bits(bgra)
    assert narrow is not None  # 8 or 16 bits
    colour = narrow[:, :, 2::-1].astype(np.uint32)
    alpha = narrow[:, :, 3:].astype(np.uint32)
    return ((colour * alpha + BACKGROUND * (255 - alpha) + 127) // 255).astype(np.uint8)


def _turn(image: Image, exif: bytes) -> Image:
    """Turn by the EXIF orientation, as OpenCV does for pictures without alpha."""
    block = exif.removeprefix(b"Exif\0\0")
    try:
        orientation = tiff_tags(block).get(TIFF_ORIENTATION, 1)
    except (struct.error, IndexError):  # a damaged tag turns nothing
        return image
    turns = {3: 2, 4: 2, 5: 3, 6: 3, 7: 1, 8: 1}.get(orientation, 0)
    turned = np.rot90(image, turns)
    return turned[:, ::-1] if orientation in (2, 4, 5, 7) else turned
