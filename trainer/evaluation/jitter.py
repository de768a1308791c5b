"""Jitter of the raw output on people who stand still, through the whole program.

A still picture becomes a film: every frame is shifted by a fraction of a pixel, as on a tripod that
trembles, and has a sensor's noise of its own; the program follows with its own crops.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
import cv2
import numpy as np

from pymaf_live.body import Body
from pymaf_live.types import Array, Image
from trainer.evaluation.end_to_end import read_tracks, run_program
from trainer.evaluation.metrics import jitter, root_aligned

FRAMES = 40
_SETTLED = 8
"""Frames after which a new person's crop has come to rest."""
_NOISE = 3.0
"""Standard deviation a channel, of 255: a webcam indoors."""
_TREMBLE = 0.3
"""Standard deviation of the shift in pixels."""
_ENLARGED = 2
"""The pictures are small; a sensor's noise is finer than their detail."""


def measure_jitter(
    pictures: Sequence[Image], model: Path, body: Body, frames: int = FRAMES
) -> dict[str, Any]:
    """Way of the joints from frame to frame in mm, mean of the people and the worst of them.

    Parameters
    ----------
    pictures : sequence of (H, W, 3) uint8 arrays
        One person each.
    model : Path
        ONNX file.
    body : Body
    frames : int
        Of each film.
    """
    hips = [body.joint_names.index("left_hip"), body.joint_names.index("right_hip")]
    with TemporaryDirectory() as name:
        folder = Path(name)
        films = []
        for index, picture in enumerate(pictures):
            films.append(folder / f"still{index:02d}.mp4")
            write_still_video(films[-1], picture, frames, seed=index)
        run_program(films, folder / "out", model)
        relative, placed, lost = [], [], 0
        for film in films:
            tracks = read_tracks(folder / "out" / f"{film.stem}.npz")
            longest = max(tracks, key=lambda track: len(track.frame), default=None)
            joints = None if longest is None else longest.joints[_SETTLED:]
            if joints is None or len(joints) < (frames - _SETTLED) // 2:
                lost += 1
                continue
            relative.append(jitter(root_aligned(joints, joints, hips)))
            placed.append(jitter(joints))
    return {
        "people": len(pictures),
        "not_followed": lost,
        "jitter_mm": _mean(relative),
        "jitter_worst_person_mm": max(relative, default=float("nan")),
        "jitter_with_place_mm": _mean(placed),
    }


def write_still_video(path: Path, picture: Image, frames: int, seed: int = 0) -> None:
    """Write a film (H.264, 30 frames a second) of a trembling, noisy still picture."""
    random = np.random.default_rng(seed)
    height, width = (side * _ENLARGED // 2 * 2 for side in picture.shape[:2])
    large = cv2.resize(picture, (width, height), interpolation=cv2.INTER_CUBIC)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(30), options={"crf": "12"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for _ in range(frames):
            x, y = random.normal(0, _TREMBLE, 2)
            shift = np.array([[1.0, 0.0, x], [0.0, 1.0, y]])
            moved = cv2.warpAffine(large, shift, (width, height), borderMode=cv2.BORDER_REPLICATE)
            noisy = moved + random.normal(0, _NOISE, moved.shape)
            image = np.clip(np.round(noisy), 0, 255).astype(np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def _mean(values: Sequence[float]) -> float:
    found: Array = np.array(values, dtype=np.float64)
    return float(found.mean()) if len(found) else float("nan")
