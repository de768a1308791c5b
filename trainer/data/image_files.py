"""Pictures that lie as files in a folder, each asked for by name."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from pymaf_live.errors import InputError
from pymaf_live.types import Image

# labels are in the pixels as stored, so a picture is not turned as its EXIF note says
_AS_STORED = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION


def read_image(folder: Path, name: str) -> Image:
    """(H, W, 3) uint8 RGB of a picture as it is stored.

    Parameters
    ----------
    folder : Path
    name : str
        Relative path inside the folder; it may not lead out of it.

    Raises
    ------
    InputError
        If the picture is missing or does not decode; the message names it.
    """
    path = resolve_inside(folder, name)
    try:
        encoded = path.read_bytes()
    except OSError as error:
        raise InputError(f"the picture {path} is missing: {error.strerror}") from error
    return decode_image(encoded, str(path))


def decode_image(encoded: bytes, name: str) -> Image:
    """(H, W, 3) uint8 RGB of an encoded picture; InputError that names it if it does not decode."""
    decoded = None
    if encoded:
        decoded = cv2.imdecode(np.frombuffer(encoded, np.uint8), _AS_STORED)
    if decoded is None:
        raise InputError(f"the picture {name} does not decode")
    return np.ascontiguousarray(decoded[..., ::-1], dtype=np.uint8)


def resolve_inside(folder: Path, name: str) -> Path:
    """Path of a file that labels name; InputError if the name leads out of the folder."""
    relative = Path(name)
    if relative.is_absolute() or ".." in relative.parts or not name or "\0" in name:
        raise InputError(f"the picture name {name!r} leads out of {folder}")
    return folder / relative
