"""Sizes of images, read from their headers before anything is decoded.

An image file of a few kilobytes can claim gigapixels, which a decoder would allocate.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

JPEG_SIZE_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
JPEG_PROGRESSIVE_MARKERS = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
TIFF_WIDTH, TIFF_HEIGHT, TIFF_ORIENTATION = 256, 257, 274


HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"mif1", b"avif"})
"""Brands of still images in the HEIF container; sequences have others and are videos."""
_TIFF_BITS, _TIFF_SAMPLES = 258, 277
_PNG_CHANNELS = {0: 1, 2: 3, 3: 4, 4: 4, 6: 4}
"""Channels that OpenCV decodes a PNG's colour type to; gray with alpha becomes BGRA."""


@dataclass(frozen=True)
class ImageHeader:
    """Size of an image as its decoder allocates it."""

    width: int
    height: int
    pixel_bytes: int = 3
    """Bytes of a decoded pixel."""


def image_header(data: bytes) -> ImageHeader | None:
    """Return the size in the header of an image; None if the format is unknown or damaged.

    HEIF containers are not read here.
    """
    try:
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            width, height, bits, kind = struct.unpack_from(">IIBB", data, 16)
            return ImageHeader(width, height, _PNG_CHANNELS[kind] * (2 if bits == 16 else 1))
        if data.startswith(b"\xff\xd8"):
            return _jpeg_header(data)
        if data.startswith(b"BM"):
            width, height = struct.unpack_from("<ii", data, 18)
            return ImageHeader(abs(width), abs(height), 4)
        if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            size = _webp_size(data)
            return None if size is None else ImageHeader(*size, 4)
        if data[:4] in (b"II*\0", b"MM\0*"):
            return _tiff_header(data)
        if data.startswith(b"P") and data[1:2] in (b"1", b"2", b"3", b"4", b"5", b"6"):
            return _netpbm_header(data)
        if data[4:8] == b"jP  " or data.startswith(b"\xff\x4f\xff\x51"):
            return _jpeg2000_header(data)
    except (struct.error, IndexError, KeyError, ValueError):
        return None
    return None


def is_heif(data: bytes) -> bool:
    """Return True if a file, given at least its first 12 bytes, is a still HEIC or AVIF image."""
    return data[4:8] == b"ftyp" and data[8:12] in HEIF_BRANDS


def tiff_tags(data: bytes) -> dict[int, int]:
    """Return the integer tags (one short or long each) of the first TIFF or EXIF directory."""
    order = "<" if data[:2] == b"II" else ">"
    (start,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, start)
    tags: dict[int, int] = {}
    for entry in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind, number = struct.unpack_from(order + "HHI", data, entry)
        if number == 1 and kind in (3, 4):
            (tags[tag],) = struct.unpack_from(order + ("H" if kind == 3 else "I"), data, entry + 8)
    return tags


def _tiff_header(data: bytes) -> ImageHeader:
    tags = tiff_tags(data)
    order = "<" if data[:2] == b"II" else ">"
    bits = tags.get(_TIFF_BITS, 0)
    if not bits:  # one value per sample, elsewhere in the file
        bits = _first_tiff_value(data, _TIFF_BITS, order) or 8
    samples = max(3, tags.get(_TIFF_SAMPLES, 1))
    return ImageHeader(tags[TIFF_WIDTH], tags[TIFF_HEIGHT], samples * max(1, bits // 8))


def _first_tiff_value(data: bytes, wanted: int, order: str) -> int:
    (start,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, start)
    for entry in range(start + 2, start + 2 + 12 * count, 12):
        tag, _, _, position = struct.unpack_from(order + "HHII", data, entry)
        if tag == wanted:
            return int(struct.unpack_from(order + "H", data, position)[0])
    return 0


def _netpbm_header(data: bytes) -> ImageHeader:
    # comments may stand between the numbers
    numbers = re.findall(rb"\d+", re.sub(rb"#[^\n]*", b"", data[2:4096]))
    deep = data[1:2] not in (b"1", b"4") and int(numbers[2]) > 255
    return ImageHeader(int(numbers[0]), int(numbers[1]), 6 if deep else 3)


def _jpeg2000_header(data: bytes) -> ImageHeader:
    # the codestream's own size decides what the decoder allocates, not that of the boxes around it
    start = data.index(b"\xff\x4f\xff\x51")
    right, bottom, left, top = struct.unpack_from(">IIII", data, start + 8)
    (samples,) = struct.unpack_from(">H", data, start + 40)
    # OpenJPEG decodes every sample to 4 bytes, beside the result
    return ImageHeader(right - left, bottom - top, 5 * samples)


def _jpeg_header(data: bytes) -> ImageHeader | None:
    position = 2
    while position + 4 <= len(data):
        if data[position] != 0xFF:  # decoders skip stray bytes as well
            position = data.index(b"\xff", position)
            continue
        marker = data[position + 1]
        if marker in (0xFF, 0x00, 0x01) or 0xD0 <= marker <= 0xD8:  # filler, no length
            position += 1 if marker == 0xFF else 2
            continue
        if marker in JPEG_SIZE_MARKERS:
            height, width = struct.unpack_from(">HH", data, position + 5)
            # of a progressive image the coefficients of all scans are kept, 2 bytes each; chroma
            # usually has a quarter of the pixels
            kept = 3 if marker in JPEG_PROGRESSIVE_MARKERS else 0
            return ImageHeader(width, height, 3 + kept)
        (length,) = struct.unpack_from(">H", data, position + 2)
        position += 2 + max(2, length)
    return None


def _webp_size(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8X":
        return (
            int.from_bytes(data[24:27], "little") + 1,
            int.from_bytes(data[27:30], "little") + 1,
        )
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return None
