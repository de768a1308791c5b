"""Checks of a character's images: only their headers are read."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

from PIL import Image

from pymaf_live.characters.model import (
    MAX_TEXTURE_BYTES,
    MAX_TEXTURE_SIDE,
    Texture,
    clean_name,
)

_MIME = {"PNG": "image/png", "JPEG": "image/jpeg"}


def checked_texture(name: str, content: bytes) -> Texture | str:
    """Return the texture, or the reason why the image cannot be used.

    Parameters
    ----------
    name : str
    content : bytes
        Encoded image.
    """
    name = clean_name(name) or "unnamed"
    if not content:
        return f"texture {name} is missing"
    if len(content) > MAX_TEXTURE_BYTES:
        return f"texture {name} has more than {MAX_TEXTURE_BYTES >> 20} MB"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=tuple(_MIME)) as image:
                size, mime = image.size, _MIME[str(image.format)]
    except (OSError, ValueError, SyntaxError, KeyError, Image.DecompressionBombError):
        return f"texture {name} is neither PNG nor JPEG"
    if max(size) > MAX_TEXTURE_SIDE:
        return f"texture {name} is larger than {MAX_TEXTURE_SIDE} pixels"
    return Texture(name, content, mime, size)


def read_neighbour(folder: Path, name: str) -> bytes:
    """Return the content of a file beside the character's, b'' if there is none.

    Only the last part of the path is used: a file cannot name others outside its own folder.
    """
    base = name.replace("\\", "/").rsplit("/", 1)[-1]
    if not base or base in (".", ".."):
        return b""
    for candidate in (folder / base, folder / "textures" / base):
        try:
            if candidate.is_file() and candidate.stat().st_size <= MAX_TEXTURE_BYTES:
                return candidate.read_bytes()
        except (OSError, ValueError):
            continue
    return b""
