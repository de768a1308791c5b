"""BlazePose's person detector run by OpenVINO, with anchors and decoding of our own.

The network looks at a square of 224 px and says at each of 2,254 anchors how likely a person's
face-and-torso box is there, that box, and four points: mid-hip, a point on the circle round the
hip that holds the whole body (straight above the head, along the trunk), mid-shoulder, and such a
point for the upper body. Numbers are relative to the anchor, in input pixels.

Source of the layout: MediaPipe's pose_detection graph (modules/pose_detection, Apache-2.0): strides
8, 16, 32, 32, 32, two anchors a cell and stride, anchors of unit size at the cells' middles.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from pymaf_live.tracking import task_bundle
from pymaf_live.tracking.crop import crop_about, trunk_turn
from pymaf_live.types import Array, Crop, Image

_ANCHORS = {8: 2, 16: 2, 32: 6}
"""Anchors a cell by stride; all of a cell share its middle, and all are of unit size."""

_SCORE_LOGIT = 100.0
"""Logits are clipped here, as MediaPipe does, so that the sigmoid cannot overflow."""

_REGION_MARGIN = 1.25

LEAST_SCORE = 0.5
MOST_OVERLAP = 0.3
"""Candidates that overlap more than this are of one person (MediaPipe's value)."""


@dataclass(frozen=True)
class Found:
    """People that the detector sees in one square; N people, best first, in the square's pixels."""

    score: Array
    """(N,) 0..1."""
    box: Array
    """(N, 4) face and torso: x0, y0, x1, y1."""
    points: Array
    """(N, 4, 2) mid-hip, whole-body circle, mid-shoulder, upper-body circle."""


def anchor_middles(size: int) -> Array:
    """Middles (A, 2) of the anchors as fractions of the input's side, in the network's order."""
    layers = []
    for stride, count in _ANCHORS.items():
        middles = (np.arange(size // stride) + 0.5) * stride / size
        across, down = np.meshgrid(middles, middles)
        layers.append(np.repeat(np.stack([across.ravel(), down.ravel()], axis=1), count, axis=0))
    return np.concatenate(layers)


def decode(numbers: Array, logits: Array, size: int, least_score: float, most: int) -> Found:
    """Raw outputs to people.

    Parameters
    ----------
    numbers : (A, 12) array
        Box middle, box size and four points an anchor, input pixels relative to the anchor.
    logits : (A,) array
    size : int
        Side of the input in pixels.
    least_score : float
        Candidates below are dropped.
    most : int
        Most people to return.

    Returns
    -------
    Found
        After suppression; a person's numbers are the mean of its candidates, weighted by score.
    """
    clipped = np.clip(logits.astype(np.float64), -_SCORE_LOGIT, _SCORE_LOGIT)
    score = 1 / (1 + np.exp(-clipped))
    keep = np.flatnonzero(score >= least_score)
    keep = keep[np.argsort(-score[keep], kind="stable")]
    score = score[keep]
    middles = anchor_middles(size)[keep] * size
    values = np.array(numbers[keep], dtype=np.float64)
    values[:, :2] += middles
    values[:, 4:] += np.tile(middles, 4)
    half = np.abs(values[:, 2:4]) / 2
    boxes = np.concatenate([values[:, :2] - half, values[:, :2] + half], axis=1)
    points = values[:, 4:].reshape(-1, 4, 2)
    # pixel centres at integers
    boxes, points = boxes - 0.5, points - 0.5

    people: list[tuple[float, Array, Array]] = []
    left = np.arange(len(score))
    while len(left) and len(people) < most:
        overlaps = overlap(boxes[left[0]], boxes[left])
        same = left[overlaps > MOST_OVERLAP] if overlaps[0] > MOST_OVERLAP else left[:1]
        weight = score[same] / score[same].sum()
        people.append(
            (
                float(score[left[0]]),
                weight @ boxes[same],
                np.einsum("n,npc->pc", weight, points[same]),
            )
        )
        left = np.setdiff1d(left, same, assume_unique=True)
        left = left[np.argsort(-score[left], kind="stable")]
    return Found(
        np.array([person[0] for person in people]),
        np.array([person[1] for person in people]).reshape(-1, 4),
        np.array([person[2] for person in people]).reshape(-1, 4, 2),
    )


def overlap(box: Array, boxes: Array) -> Array:
    """Intersection over union (N,) of a box (4,) with boxes (N, 4)."""
    low = np.maximum(box[:2], boxes[:, :2])
    high = np.minimum(box[2:], boxes[:, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    total = float(np.prod(box[2:] - box[:2])) + areas - shared
    return np.asarray(shared / np.maximum(total, 1e-9))


def square_of(image: Image, square: Crop) -> Image:
    """The (size, size, 3) pixels of a square of a picture, black outside it."""
    matrix = np.array(square.frame_from_crop)
    scale = square.scale
    # bilinear sampling skips pixels where the square shrinks the picture much
    while scale >= 2 and min(image.shape[:2]) >= 2:
        image = np.asarray(
            cv2.resize(
                image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2],
                (image.shape[1] // 2, image.shape[0] // 2),
                interpolation=cv2.INTER_AREA,
            ),
            dtype=np.uint8,
        )
        matrix, scale = matrix / 2, scale / 2
        matrix[:, 2] -= 0.25
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    # OpenCV warps four channels in less than half of the time that three take
    four = cv2.cvtColor(image, cv2.COLOR_RGB2RGBA)
    warped = cv2.warpAffine(four, matrix, (square.size, square.size), flags=flags)
    return np.asarray(cv2.cvtColor(warped, cv2.COLOR_RGBA2RGB), dtype=np.uint8)


class SquareDetector:
    """The detector on squares of a picture."""

    def __init__(
        self, path: Path | None = None, threads: int = 0, cache: Path | None = None
    ) -> None:
        model = task_bundle.compiled(task_bundle.DETECTOR, path, threads, cache)
        self.size = int(model.input(0).shape[1])
        self._request = model.create_infer_request()
        shapes = [tuple(output.shape) for output in model.outputs]
        self._numbers = next(i for i, shape in enumerate(shapes) if shape[-1] > 1)
        self._logits = next(i for i, shape in enumerate(shapes) if shape[-1] == 1)

    def look(
        self,
        image: Image,
        square: Crop,
        least_score: float = LEAST_SCORE,
        most: int = 16,
    ) -> Found:
        """People in one square of the picture; the square's size must be `size`."""
        pixels: npt.NDArray[np.float32] = square_of(image, square)[None].astype(np.float32)
        pixels = pixels * np.float32(1 / 127.5) - np.float32(1)
        self._request.infer([pixels])
        numbers: Any = self._request.get_output_tensor(self._numbers).data[0]
        logits: Any = self._request.get_output_tensor(self._logits).data[0, :, 0]
        return decode(numbers, logits, self.size, least_score, most)


def whole_picture(image: Image, size: int) -> Crop:
    """The square that holds a whole picture, with black bars along its shorter side."""
    height, width = image.shape[:2]
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    return crop_about(centre, max(width, height), 0.0, size)


def region_of(points: Array, size: int) -> Crop:
    """The turned square that the landmarker wants for a person's four points (4, 2).

    Its half side is 1.25 x the distance from the mid-hip to the whole-body circle (MediaPipe's
    values), and that line points up in it.
    """
    turn = trunk_turn(points[0], points[1])
    reach = float(np.hypot(*(points[1] - points[0])))
    return crop_about(points[0], 2 * _REGION_MARGIN * reach, turn, size)
