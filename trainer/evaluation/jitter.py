"""Jitter of the raw output on people who stand still, through the whole program.

A still image becomes a video: every frame is shifted by a fraction of a pixel, as on a tripod that
trembles, and has sensor noise of its own; the program tracks with its own crops.
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
"""Standard deviation per channel, of 255: a webcam indoors."""
_TREMBLE = 0.3
"""Standard deviation of the shift in pixels."""
_ENLARGED = 2
"""Enlargement of the small images; sensor noise is finer than their detail."""


def measure_jitter(
    images: Sequence[Image], model: Path, body: Body, frames: int = FRAMES
) -> dict[str, Any]:
    """Return the joints' movement between frames in mm, mean of the people and the worst person.

    Parameters
    ----------
    images : sequence of (H, W, 3) uint8 arrays
        One person each.
    model : Path
        ONNX file.
    body : Body
    frames : int
        Of each video.
    """
    hips = [body.joint_names.index("left_hip"), body.joint_names.index("right_hip")]
    with TemporaryDirectory() as name:
        folder = Path(name)
        videos = []
        for index, image in enumerate(images):
            videos.append(folder / f"still{index:02d}.mp4")
            write_still_video(videos[-1], image, frames, seed=index)
        run_program(videos, folder / "out", model)
        relative, absolute, lost = [], [], 0
        for video in videos:
            tracks = read_tracks(folder / "out" / f"{video.stem}.npz")
            longest = max(tracks, key=lambda track: len(track.frame), default=None)
            joints = None if longest is None else longest.joints[_SETTLED:]
            if joints is None or len(joints) < (frames - _SETTLED) // 2:
                lost += 1
                continue
            relative.append(jitter(root_aligned(joints, joints, hips)))
            absolute.append(jitter(joints))
    return {
        "people": len(images),
        "not_followed": lost,
        "jitter_mm": _mean(relative),
        "jitter_worst_person_mm": max(relative, default=float("nan")),
        "jitter_with_place_mm": _mean(absolute),
    }


def write_still_video(path: Path, image: Image, frames: int, seed: int = 0) -> None:
    """Write a video (H.264, 30 frames per second) of a trembling, noisy still image."""
    random = np.random.default_rng(seed)
    height, width = (side * _ENLARGED // 2 * 2 for side in image.shape[:2])
    large = cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(30), options={"crf": "12"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for _ in range(frames):
            x, y = random.normal(0, _TREMBLE, 2)
            shift = np.array([[1.0, 0.0, x], [0.0, 1.0, y]])
            moved = cv2.warpAffine(large, shift, (width, height), borderMode=cv2.BORDER_REPLICATE)
            noisy = moved + random.normal(0, _NOISE, moved.shape)
            frame = np.clip(np.round(noisy), 0, 255).astype(np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def _mean(values: Sequence[float]) -> float:
    array: Array = np.array(values, dtype=np.float64)
    return float(array.mean()) if len(array) else float("nan")
