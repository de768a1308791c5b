"""Black-and-white images as PNG files with one bit per pixel."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import av.error
import numpy as np

from pymaf_live.errors import OutputError
from pymaf_live.rendering.rasteriser import Bits

_PIXEL_FORMAT = "monob"
"""FFmpeg's name of one bit per pixel, 0 black."""
_ENCODER_OPTIONS = {"compression_level": "2", "pred": "none"}
"""Uniform areas need no prediction from pixel to pixel; above level 2 files hardly shrink."""


class BilevelFiles:
    """Writes images and reads each one back; any number of them, of any size."""

    def __init__(self) -> None:
        self._encoder: av.VideoCodecContext | None = None
        self._decoder = av.VideoCodecContext.create("png", "r")
        self._decoder.thread_count = 1

    def write(self, path: Path, bits: Bits, size: tuple[int, int]) -> None:
        """Write an image.

        Parameters
        ----------
        path : Path
        bits : (H, ceil(W / 8)) array
        size : pair
            W, H; px.

        Raises
        ------
        OutputError
            If the image cannot be encoded or reads back differently.
        """
        try:
            content = self._encode(bits, size)
        except (av.error.FFmpegError, ValueError) as error:
            raise OutputError(f"cannot write {path}: the image cannot be encoded") from error
        path.write_bytes(content)
        if not self._reads_back(path.read_bytes(), bits, size):
            raise OutputError(f"cannot write {path}: the image reads back differently")

    def _encode(self, bits: Bits, size: tuple[int, int]) -> bytes:
        width, height = size
        encoder = self._encoder
        if encoder is None or (encoder.width, encoder.height) != size:
            encoder = av.VideoCodecContext.create("png", "w")
            encoder.width, encoder.height, encoder.pix_fmt = width, height, _PIXEL_FORMAT
            encoder.time_base, encoder.thread_count = Fraction(1), 1
            encoder.options = _ENCODER_OPTIONS
            self._encoder = encoder
        frame = av.VideoFrame(width, height, _PIXEL_FORMAT)
        plane = frame.planes[0]
        rows = np.zeros((height, plane.line_size), dtype=np.uint8)
        rows[:, : bits.shape[1]] = bits
        plane.update(rows.tobytes())
        return b"".join(bytes(packet) for packet in encoder.encode(frame))

    def _reads_back(self, content: bytes, bits: Bits, size: tuple[int, int]) -> bool:
        packet = av.Packet(content)
        # otherwise the decoder adds it to the previous image
        packet.is_keyframe = True
        try:
            (frame,) = self._decoder.decode(packet)
        except (av.error.FFmpegError, ValueError):
            return False
        if (frame.width, frame.height) != size or frame.format.name != _PIXEL_FORMAT:
            return False
        plane = frame.planes[0]
        rows = np.frombuffer(bytes(plane), np.uint8).reshape(-1, plane.line_size)
        return np.array_equal(rows[: size[1], : bits.shape[1]], bits)
