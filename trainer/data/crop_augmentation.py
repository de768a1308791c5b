"""Random placement of crops in their images, and random truncation of the images."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from pymaf_live.body import crop_units_from_pixels, pixels_from_crop_units
from pymaf_live.tracking.crop import crop_about, crop_from_points
from pymaf_live.types import Array, Crop, Image, Mask
from trainer.data.augmentation import Augmentation
from trainer.data.base import KEYPOINT_NAMES, PersonLabels

_SHOULDERS = [KEYPOINT_NAMES.index("right_shoulder"), KEYPOINT_NAMES.index("left_shoulder")]
_HIPS = [KEYPOINT_NAMES.index("right_hip"), KEYPOINT_NAMES.index("left_hip")]
_KNEES = [KEYPOINT_NAMES.index("right_knee"), KEYPOINT_NAMES.index("left_knee")]

_MIN_SIDE_RATIO = 0.35
"""Smallest side of a crop around the visible part, relative to the crop of the whole person."""


@dataclass(frozen=True)
class Framing:
    """A crop and the visible region of its image."""

    crop: Crop
    outline: Array
    """(N, 2) image pixels: corners of the visible convex region in order; black outside."""

    def shows(self, points: Array) -> Mask:
        """Return a mask (N,) of the points (N, 2) in image pixels inside outline and crop."""
        units = crop_units_from_pixels(self.crop.to_crop(points), self.crop.size)
        inside = np.asarray((np.abs(units) <= 1).all(axis=1))
        if not len(self.outline):
            return np.zeros(len(points), bool)
        start, end = self.outline, np.roll(self.outline, -1, axis=0)
        along, to = end - start, points[:, None] - start
        side = along[:, 0] * to[..., 1] - along[:, 1] * to[..., 0]
        return np.asarray(inside & (side >= -1e-9).all(axis=1))

    def black_outside(self, image: Image) -> Image:
        """Return the crop's image (size, size[, 3]) with black outside the outline."""
        size = self.crop.size
        corners = self.crop.to_crop(self.outline) if len(self.outline) else self.outline
        if len(corners) and _covers(corners, size):
            return image
        frame = polygon_mask(corners, size)
        mask = frame if image.ndim == 2 else cv2.merge([frame, frame, frame])
        return np.asarray(cv2.multiply(image, mask, scale=1 / 255), dtype=np.uint8)


def image_outline(image: Image, reach: float = 1.0) -> Array:
    """Return the outline (4, 2) of an image, `reach` pixels beyond the centres of its outer pixels.

    Bilinear sampling reaches one pixel.
    """
    height, width = image.shape[:2]
    left, right, top, bottom = -reach, width - 1 + reach, -reach, height - 1 + reach
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])


def polygon_mask(corners: Array, size: int) -> npt.NDArray[np.uint8]:
    """Return an anti-aliased mask (size, size) 0..255 of a convex polygon (N, 2) in pixels."""
    mask = np.zeros((size, size), np.uint8)
    if len(corners) >= 3:
        points = np.round(np.clip(corners, -1e5, 1e5) * 16).astype(np.int32)
        cv2.fillConvexPoly(mask, points, 255, cv2.LINE_AA, 4)
    return mask


def augment_framing(
    labels: PersonLabels,
    image: Image,
    size: int,
    random: np.random.Generator,
    options: Augmentation,
) -> Framing:
    """Vary the crop of a person in an image (H, W, 3), and truncate the image at random."""
    factor, min_scale, max_scale = 1.0, 0.7, 1.4
    if random.random() < options.lost:
        factor, min_scale, max_scale = options.lost_times, 0.5, 2.0
    turn = np.radians(options.turn) * factor * float(np.clip(random.normal(), -3, 3))
    scale = float(np.clip(np.exp(random.normal() * options.scale * factor), min_scale, max_scale))
    shift = np.clip(random.normal(size=2), -3, 3) * options.shift * factor
    if random.random() < options.upside_down:
        turn += np.pi
    # far enough beyond the image that the outline's smooth edge does not change the crop
    reach = 1.0 + labels.crop.side * scale / size
    base, outline = labels.crop, image_outline(image, reach)
    if random.random() < options.truncate:
        for point, normal in _truncation_lines(labels, random):
            outline = _clip_outline(outline, point, normal)
        if random.random() < 0.5:
            base = _crop_of_visible(labels, outline, base)
    # shift along the image axes; the direction is random, so the crop's rotation is irrelevant
    crop = crop_about(base.centre + shift * base.side, base.side * scale, base.turn + turn, size)
    return Framing(crop, outline)


def _truncation_lines(
    labels: PersonLabels, random: np.random.Generator
) -> list[tuple[Array, Array]]:
    """Draw lines that truncate the image, as (point, outward normal) in image pixels.

    The list is empty if both shoulders or both hips are unknown.
    """
    crop = labels.crop
    units = crop_units_from_pixels(crop.to_crop(labels.keypoints[:, :2]), crop.size)
    middles = [_middle(units, labels.keypoints[:, 2], rows) for rows in (_SHOULDERS, _HIPS)]
    kind = random.choice(
        ["chest", "waist", "knees", "side", "corner"], p=[0.25, 0.25, 0.2, 0.2, 0.1]
    )
    fraction, along, tilts = random.random(), random.random(), np.radians(random.normal(size=2) * 7)
    sign = 1.0 if random.random() < 0.5 else -1.0
    shoulder, hip = middles
    if shoulder is None or hip is None:
        return []
    torso = max(float(hip[1] - shoulder[1]), 0.2)
    lines = []
    if kind in ("side", "corner"):
        trunk = (shoulder[0] + hip[0]) / 2
        point = np.array([trunk + sign * (0.1 + 0.7 * along) * torso, (shoulder[1] + hip[1]) / 2])
        lines.append((point, _rotated(np.array([sign, 0.0]), tilts[0])))
    if kind != "side":
        knee = _middle(units, labels.keypoints[:, 2], _KNEES)
        thigh = 0.9 * torso if knee is None else max(float(knee[1] - hip[1]), 0.5 * torso)
        level = {
            "chest": shoulder[1] + (0.25 + 0.45 * fraction) * torso,
            "waist": shoulder[1] + (0.7 + 0.5 * fraction) * torso,
        }.get(str(kind), hip[1] + (0.2 + 1.0 * fraction) * thigh)
        point = np.array([(shoulder[0] + hip[0]) / 2, level])
        lines.append((point, _rotated(np.array([0.0, 1.0]), tilts[1])))
    turn = np.array(crop.frame_from_crop[:, :2]) / crop.scale
    return [
        (crop.to_frame(pixels_from_crop_units(point, crop.size)), turn @ normal)
        for point, normal in lines
    ]


def _crop_of_visible(labels: PersonLabels, outline: Array, crop: Crop) -> Crop:
    """Return the crop around the key points and the part of the trunk inside the outline."""
    frame = Framing(crop_about(crop.centre, crop.side * 4, crop.turn, crop.size), outline)
    visible = labels.keypoints[
        (labels.keypoints[:, 2] > 0) & frame.shows(labels.keypoints[:, :2]), :2
    ]
    if len(visible) < 2:
        return crop
    trunk = [
        _middle(labels.keypoints[:, :2], labels.keypoints[:, 2], r) for r in (_SHOULDERS, _HIPS)
    ]
    if trunk[0] is not None and trunk[1] is not None:
        middle = trunk[0] + np.linspace(0, 1, 9)[:, None] * (trunk[1] - trunk[0])
        visible = np.concatenate([visible, middle[frame.shows(middle)]])
    visible_crop = crop_from_points(visible, crop.turn, crop.size)
    side = float(np.clip(visible_crop.side, _MIN_SIDE_RATIO * crop.side, crop.side))
    return crop_about(visible_crop.centre, side, crop.turn, crop.size)


def _middle(points: Array, weight: Array, rows: list[int]) -> Array | None:
    known = [points[row] for row in rows if weight[row] > 0]
    return np.mean(known, axis=0) if known else None


def _rotated(vector: Array, angle: float) -> Array:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([c * vector[0] - s * vector[1], s * vector[0] + c * vector[1]])


def _clip_outline(outline: Array, point: Array, normal: Array) -> Array:
    """Return the part (N, 2) of a convex outline on the inner side of a line; may be empty."""
    depth = (outline - point) @ normal
    corners = []
    for index in range(len(outline)):
        after = (index + 1) % len(outline)
        if depth[index] <= 0:
            corners.append(outline[index])
        if (depth[index] <= 0) != (depth[after] <= 0):
            fraction = depth[index] / (depth[index] - depth[after])
            corners.append(outline[index] + fraction * (outline[after] - outline[index]))
    return np.array(corners).reshape(-1, 2)


def _covers(corners: Array, size: int) -> bool:
    """Return True if a convex region contains the whole crop."""
    last = size - 1.0
    crop = np.array([[0.0, 0.0], [last, 0.0], [last, last], [0.0, last]])
    along, to = np.roll(corners, -1, axis=0) - corners, crop[:, None] - corners
    return bool((along[:, 0] * to[..., 1] - along[:, 1] * to[..., 0] >= 0).all())
