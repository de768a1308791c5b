"""Reading images from files in a folder, and checking them without decoding all of them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from pymaf_live.errors import InputError
from pymaf_live.types import Image

_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"

# labels refer to the stored pixels, so the EXIF orientation is ignored
_AS_STORED = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION


class ImageError(InputError):
    """A single image is missing or broken; a run may skip it."""


def read_image(folder: Path, name: str) -> Image:
    """Return an image as (H, W, 3) uint8 RGB, without applying its EXIF orientation.

    Parameters
    ----------
    folder : Path
    name : str
        Path relative to the folder; it must not lead out of it.

    Raises
    ------
    ImageError
        If the image is missing or does not decode; the message names it.
    """
    path = resolve_inside(folder, name)
    return decode_image(read_encoded(path), str(path))


def read_encoded(path: Path) -> bytes:
    """Return the content of an image file; raise `ImageError` with its name if it is missing."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageError(f"the image {path} is missing: {error.strerror}") from error


def check_image_file(folder: Path, name: str) -> None:
    """Raise `ImageError` if an image is missing or broken, reading the ends of a JPEG only."""
    path = resolve_inside(folder, name)
    try:
        with path.open("rb") as file:
            start = file.read(2)
            file.seek(max(path.stat().st_size - 2, 0))
            end = file.read()
    except OSError as error:
        raise ImageError(f"the image {path} is missing: {error.strerror}") from error
    if (start, end) != (_JPEG_START, _JPEG_END):
        check_encoded(read_encoded(path), str(path))


def check_encoded(encoded: bytes, name: str) -> None:
    """Raise `ImageError` if an encoded image is broken; a JPEG with both ends is not decoded."""
    if not (encoded.startswith(_JPEG_START) and encoded.endswith(_JPEG_END)):
        decode_image(encoded, name)


def decode_image(encoded: bytes, name: str) -> Image:
    """Decode an image to (H, W, 3) uint8 RGB; raise `ImageError` with its name if that fails."""
    decoded = None
    if encoded:
        decoded = cv2.imdecode(np.frombuffer(encoded, np.uint8), _AS_STORED)
    if decoded is None:
        raise ImageError(f"the image {name} does not decode")
    return np.ascontiguousarray(decoded[..., ::-1], dtype=np.uint8)


def resolve_inside(folder: Path, name: str) -> Path:
    """Return the path of a file in a folder; raise `InputError` if the name leads out of it."""
    relative = Path(name)
    if relative.is_absolute() or ".." in relative.parts or not name or "\0" in name:
        raise InputError(f"the image name {name!r} leads out of {folder}")
    return folder / relative
