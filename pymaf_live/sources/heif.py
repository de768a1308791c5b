"""Still images in the HEIF container: HEIC (phones) and AVIF."""

from __future__ import annotations

import io
import math
import struct

import numpy as np

from pymaf_live.errors import InputError
from pymaf_live.sources.image_headers import TIFF_ORIENTATION, tiff_tags
from pymaf_live.types import Image

_HEADER_BYTES = 1 << 20
"""Start of the file in which its properties lie; the coded image follows them."""


def decode_heif(data: bytes, max_pixels: int) -> Image:
    """Decode the primary image of a HEIC or AVIF file.

    Tiles are put together. The rotation in the container is applied, or, where it has none, that of
    the EXIF block.

    Parameters
    ----------
    data : bytes
        The whole file.
    max_pixels : int
        Refused above that, before anything is decoded.

    Returns
    -------
    Image
        (H, W, 3) uint8 RGB.

    Raises
    ------
    InputError
        If the image cannot be read; the message does not name the file.
    """
    try:
        image = _avif(data, max_pixels) if data[8:12] == b"avif" else _heic(data, max_pixels)
    except InputError:
        raise
    except ImportError as error:
        raise InputError("needs the package pillow-heif to be read") from error
    except Exception as error:  # the decoders raise errors of many kinds
        raise InputError("is not a readable image, or is damaged") from error
    return np.ascontiguousarray(image)


def _heic(data: bytes, max_pixels: int) -> Image:
    import pillow_heif

    # 10-bit images are scaled to 8 bits
    opened = pillow_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=True)
    _require_size(opened.size, max_pixels)
    image = np.asarray(opened)
    if image.ndim == 3 and image.shape[2] == 4:
        image = _on_white(image)
    image = np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image[..., :3]
    turned = any(kind in data[:_HEADER_BYTES] for kind in (b"irot", b"imir"))
    return image if turned else upright(image, opened.info.get("exif") or b"")


def _avif(data: bytes, max_pixels: int) -> Image:
    from PIL import Image as Pillow
    from PIL import ImageOps

    with Pillow.open(io.BytesIO(data), formats=["AVIF"]) as opened:
        _require_size(opened.size, max_pixels)
        # Pillow passes the container's rotation on as an EXIF tag
        image = ImageOps.exif_transpose(opened)
    if "A" in image.getbands():
        return _on_white(np.asarray(image.convert("RGBA")))
    return np.asarray(image.convert("RGB"), np.uint8)


def _require_size(size: tuple[int, int], max_pixels: int) -> None:
    if math.prod(size) > max_pixels:
        limit = max_pixels // 1_000_000
        raise InputError(f"has {size[0]}x{size[1]} pixels; the limit is {limit} million")


def _on_white(rgba: Image) -> Image:
    """Return an image (H, W, 4) blended onto white."""
    blended = np.empty((*rgba.shape[:2], 3), np.uint8)
    for row, line in enumerate(rgba):  # a whole image would need four times its memory
        alpha = line[:, 3:].astype(np.uint16)
        blended[row] = (line[:, :3] * alpha + 255 * (255 - alpha) + 127) // 255
    return blended


def upright(image: Image, exif: bytes) -> Image:
    """Return an image turned by its EXIF orientation; unchanged if the block is damaged."""
    block = exif.removeprefix(b"Exif\0\0")
    try:
        orientation = tiff_tags(block).get(TIFF_ORIENTATION, 1)
    except (struct.error, IndexError):
        return image
    turns = {3: 2, 4: 2, 5: 3, 6: 3, 7: 1, 8: 1}.get(orientation, 0)
    turned = np.rot90(image, turns)
    return turned[:, ::-1] if orientation in (2, 4, 5, 7) else turned
