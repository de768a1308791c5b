"""BlazePose's person detector on OpenVINO, with our own anchors and decoding.

The network takes a square of 224 px and returns, for each of 2,254 anchors, a score, the box of a
person's face and torso, and four points: mid-hip, a point on the circle around the hip that
encloses the whole body (straight above the head, along the trunk), mid-shoulder, and such a point
for the upper body. Values are relative to the anchor, in input pixels.

Source of the layout: MediaPipe's pose_detection graph (modules/pose_detection, Apache-2.0): strides
8, 16, 32, 32, 32, two anchors per cell and stride, unit-sized anchors at the cell centres.
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
"""Anchors per cell by stride; all anchors of a cell share its centre and have unit size."""

_MAX_LOGIT = 100.0
"""Logits are clipped here, as MediaPipe does, so that the sigmoid cannot overflow."""

_REGION_MARGIN = 1.25

MIN_SCORE = 0.5
"""Default score threshold (MediaPipe's value)."""
MAX_IOU = 0.3
"""Candidates with a larger intersection over union are one person (MediaPipe's value)."""


@dataclass(frozen=True)
class SquareDetections:
    """N people detected in one square, best first, in the square's pixels."""

    score: Array
    """(N,) 0..1."""
    box: Array
    """(N, 4) face and torso: x0, y0, x1, y1."""
    points: Array
    """(N, 4, 2) mid-hip, whole-body circle, mid-shoulder, upper-body circle."""


def anchor_centres(size: int) -> Array:
    """Return the anchors' centres (A, 2) as fractions of the input's side, in network order."""
    layers = []
    for stride, count in _ANCHORS.items():
        centres = (np.arange(size // stride) + 0.5) * stride / size
        x, y = np.meshgrid(centres, centres)
        layers.append(np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), count, axis=0))
    return np.concatenate(layers)


def decode(
    values: Array, logits: Array, size: int, min_score: float, max_people: int
) -> SquareDetections:
    """Decode raw outputs, with weighted non-maximum suppression.

    Parameters
    ----------
    values : (A, 12) array
        Box centre, box size and four points per anchor, input pixels relative to the anchor.
    logits : (A,) array
    size : int
        Side of the input in pixels.
    min_score : float
        Candidates below are dropped.
    max_people : int
        Maximum number of people to return.

    Returns
    -------
    SquareDetections
        Box and points of a person are the score-weighted mean of the overlapping candidates.
    """
    clipped = np.clip(logits.astype(np.float64), -_MAX_LOGIT, _MAX_LOGIT)
    score = 1 / (1 + np.exp(-clipped))
    keep = np.flatnonzero(score >= min_score)
    keep = keep[np.argsort(-score[keep], kind="stable")]
    score = score[keep]
    centres = anchor_centres(size)[keep] * size
    decoded = np.array(values[keep], dtype=np.float64)
    decoded[:, :2] += centres
    decoded[:, 4:] += np.tile(centres, 4)
    half = np.abs(decoded[:, 2:4]) / 2
    boxes = np.concatenate([decoded[:, :2] - half, decoded[:, :2] + half], axis=1)
    points = decoded[:, 4:].reshape(-1, 4, 2)
    # pixel centres at integers
    boxes, points = boxes - 0.5, points - 0.5

    people: list[tuple[float, Array, Array]] = []
    remaining = np.arange(len(score))
    while len(remaining) and len(people) < max_people:
        iou = box_iou(boxes[remaining[0]], boxes[remaining])
        same = remaining[iou > MAX_IOU] if iou[0] > MAX_IOU else remaining[:1]
        weight = score[same] / score[same].sum()
        people.append(
            (
                float(score[remaining[0]]),
                weight @ boxes[same],
                np.einsum("n,npc->pc", weight, points[same]),
            )
        )
        remaining = np.setdiff1d(remaining, same, assume_unique=True)
        remaining = remaining[np.argsort(-score[remaining], kind="stable")]
    return SquareDetections(
        np.array([person[0] for person in people]),
        np.array([person[1] for person in people]).reshape(-1, 4),
        np.array([person[2] for person in people]).reshape(-1, 4, 2),
    )


def box_iou(box: Array, boxes: Array) -> Array:
    """Intersection over union (N,) of a box (4,) with boxes (N, 4)."""
    low = np.maximum(box[:2], boxes[:, :2])
    high = np.minimum(box[2:], boxes[:, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    total = float(np.prod(box[2:] - box[:2])) + areas - shared
    return np.asarray(shared / np.maximum(total, 1e-9))


def sample_square(image: Image, square: Crop) -> Image:
    """Return the (size, size, 3) pixels of a square of an image, black outside the image."""
    matrix = np.array(square.frame_from_crop)
    scale = square.scale
    # bilinear sampling skips pixels where the square shrinks the image by more than two
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
    # OpenCV warps four channels in less than half the time of three
    rgba = cv2.cvtColor(image, cv2.COLOR_RGB2RGBA)
    warped = cv2.warpAffine(rgba, matrix, (square.size, square.size), flags=flags)
    return np.asarray(cv2.cvtColor(warped, cv2.COLOR_RGBA2RGB), dtype=np.uint8)


class SquareDetector:
    """The detector network on squares of an image.

    Parameters
    ----------
    path, threads, cache
        See `task_bundle.compile_bundled_model`.
    """

    def __init__(
        self, path: Path | None = None, threads: int = 0, cache: Path | None = None
    ) -> None:
        model = task_bundle.compile_bundled_model(task_bundle.DETECTOR, path, threads, cache)
        self.size = int(model.input(0).shape[1])
        """Side of the input in pixels."""
        self._request = model.create_infer_request()
        shapes = [tuple(output.shape) for output in model.outputs]
        self._values = next(i for i, shape in enumerate(shapes) if shape[-1] > 1)
        self._logits = next(i for i, shape in enumerate(shapes) if shape[-1] == 1)

    def detect(
        self,
        image: Image,
        square: Crop,
        min_score: float = MIN_SCORE,
        max_people: int = 16,
    ) -> SquareDetections:
        """Detect people in one square of an image; the square's size must be `size`."""
        pixels: npt.NDArray[np.float32] = sample_square(image, square)[None].astype(np.float32)
        pixels = pixels * np.float32(1 / 127.5) - np.float32(1)
        self._request.infer([pixels])
        values: Any = self._request.get_output_tensor(self._values).data[0]
        logits: Any = self._request.get_output_tensor(self._logits).data[0, :, 0]
        return decode(values, logits, self.size, min_score, max_people)


def whole_image_square(image: Image, size: int) -> Crop:
    """Return the square that encloses a whole image, with black bars along its shorter side."""
    height, width = image.shape[:2]
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    return crop_about(centre, max(width, height), 0.0, size)


def landmark_region(points: Array, size: int) -> Crop:
    """Return the rotated square that the landmarker needs for a person's four points (4, 2).

    Its half side is 1.25 x the distance from the mid-hip to the whole-body circle (MediaPipe's
    values), and that line points up in it.
    """
    turn = trunk_turn(points[0], points[1])
    reach = float(np.hypot(*(points[1] - points[0])))
    return crop_about(points[0], 2 * _REGION_MARGIN * reach, turn, size)
