"""Synthetic videos and boxes: a bright figure that moves in front of a dark background."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

SIZE = (160, 120)


def write_clip(
    path: Path,
    frames: int,
    *,
    size: tuple[int, int] = SIZE,
    figure: bool = True,
    noise: int = 0,
) -> Path:
    """Write an H.264 video at 30 frames per second; without a figure it is plain grey.

    `noise` grey levels make the file of its overlay grow with every frame.
    """
    width, height = size
    random = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(30), options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(frames):
            image = np.full((height, width, 3), 0 if figure else 127, np.uint8)
            if figure:
                left = width * 2 // 5 + index % (width // 8)
                image[height // 4 : height * 3 // 4, left : left + width // 6] = 255
            if noise:
                image //= 2
                image += random.integers(0, noise, image.shape, dtype=np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    return path


def write_boxes(path: Path, frames: int, *, size: tuple[int, int] = SIZE, every: int = 1) -> Path:
    """Write the boxes around the figure of `write_clip`, for every frame or every `every`-th."""
    width, height = size
    boxes = {}
    for index in range(0, frames, every):
        left = width * 2 // 5 + index % (width // 8)
        boxes[str(index)] = [[left - 10, height // 4 - 10, left + width // 6 + 10, height * 3 // 4]]
    path.write_text(json.dumps(boxes))
    return path
