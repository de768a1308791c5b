"""Reading images from files in a folder."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from pymaf_live.errors import InputError
from pymaf_live.types import Image

# labels refer to the stored pixels, so the EXIF orientation is ignored
_AS_STORED = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION


def read_image(folder: Path, name: str) -> Image:
    """Return an image as (H, W, 3) uint8 RGB, without applying its EXIF orientation.

    Parameters
    ----------
    folder : Path
    name : str
        Path relative to the folder; it must not lead out of it.

    Raises
    ------
    InputError
        If the image is missing or does not decode; the message names it.
    """
    path = resolve_inside(folder, name)
    try:
        encoded = path.read_bytes()
    except OSError as error:
        raise InputError(f"the image {path} is missing: {error.strerror}") from error
    return decode_image(encoded, str(path))


def decode_image(encoded: bytes, name: str) -> Image:
    """Decode an image to (H, W, 3) uint8 RGB; raise `InputError` with its name if that fails."""
    decoded = None
    if encoded:
        decoded = cv2.imdecode(np.frombuffer(encoded, np.uint8), _AS_STORED)
    if decoded is None:
        raise InputError(f"the image {name} does not decode")
    return np.ascontiguousarray(decoded[..., ::-1], dtype=np.uint8)


def resolve_inside(folder: Path, name: str) -> Path:
    """Return the path of a file in a folder; raise `InputError` if the name leads out of it."""
    relative = Path(name)
    if relative.is_absolute() or ".." in relative.parts or not name or "\0" in name:
        raise InputError(f"the image name {name!r} leads out of {folder}")
    return folder / relative
