"""Pictures of black and white as PNG files of one bit a pixel."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import av.error
import numpy as np

from pymaf_live.errors import OutputError
from pymaf_live.rendering.rasteriser import Bits

_FORMAT = "monob"
"""FFmpeg's name of one bit a pixel, 0 black."""
_OPTIONS = {"compression_level": "2", "pred": "none"}
"""Even areas need no prediction from pixel to pixel; beyond 2 files hardly shrink any more."""


class BilevelFiles:
    """Writes pictures and reads each again; any number of them, of any sizes."""

    def __init__(self) -> None:
        self._encoder: av.VideoCodecContext | None = None
        self._decoder = av.VideoCodecContext.create("png", "r")
        self._decoder.thread_count = 1

    def write(self, path: Path, bits: Bits, size: tuple[int, int]) -> None:
        """Write a picture.

        Parameters
        ----------
        path : Path
        bits : (H, ceil(W / 8)) array
        size : pair
            W, H; px.

        Raises
        ------
        OutputError
            If it cannot be encoded or reads otherwise than it was written.
        """
        try:
            content = self._encoded(bits, size)
        except (av.error.FFmpegError, ValueError) as error:
            raise OutputError(f"cannot write {path}: the picture cannot be encoded") from error
        path.write_bytes(content)
        if not self._reads(path.read_bytes(), bits, size):
            raise OutputError(f"cannot write {path}: read again, it differs")

    def _encoded(self, bits: Bits, size: tuple[int, int]) -> bytes:
        width, height = size
        encoder = self._encoder
        if encoder is None or (encoder.width, encoder.height) != size:
            encoder = av.VideoCodecContext.create("png", "w")
            encoder.width, encoder.height, encoder.pix_fmt = width, height, _FORMAT
            encoder.time_base, encoder.thread_count = Fraction(1), 1
            encoder.options = _OPTIONS
            self._encoder = encoder
        frame = av.VideoFrame(width, height, _FORMAT)
        plane = frame.planes[0]
        rows = np.zeros((height, plane.line_size), dtype=np.uint8)
        rows[:, : bits.shape[1]] = bits
        plane.update(rows.tobytes())
        return b"".join(bytes(packet) for packet in encoder.encode(frame))

    def _reads(self, content: bytes, bits: Bits, size: tuple[int, int]) -> bool:
        packet = av.Packet(content)
        # else the decoder adds it to the picture before
        packet.is_keyframe = True
        try:
            (frame,) = self._decoder.decode(packet)
        except (av.error.FFmpegError, ValueError):
            return False
        if (frame.width, frame.height) != size or frame.format.name != _FORMAT:
            return False
        plane = frame.planes[0]
        rows = np.frombuffer(bytes(plane), np.uint8).reshape(-1, plane.line_size)
        return np.array_equal(rows[: size[1], : bits.shape[1]], bits)
