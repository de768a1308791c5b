"""Where an augmented crop lies in its picture, and where the camera's frame is made to end."""

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
"""A crop about what is left to see is no smaller than this share of the whole person's."""


@dataclass(frozen=True)
class Framing:
    """A crop and what the camera's frame shows of the picture."""

    crop: Crop
    outline: Array
    """(N, 2) picture pixels: corners of a convex region in order; outside it all is black."""

    def shows(self, points: Array) -> Mask:
        """Whether points (N, 2) in picture pixels are inside the frame and the crop."""
        units = crop_units_from_pixels(self.crop.to_crop(points), self.crop.size)
        inside = np.asarray((np.abs(units) <= 1).all(axis=1))
        if not len(self.outline):
            return np.zeros(len(points), bool)
        start, end = self.outline, np.roll(self.outline, -1, axis=0)
        along, to = end - start, points[:, None] - start
        side = along[:, 0] * to[..., 1] - along[:, 1] * to[..., 0]
        return np.asarray(inside & (side >= -1e-9).all(axis=1))

    def black_outside(self, image: Image) -> Image:
        """The crop's image (size, size[, 3]) with all outside the frame black, as `cut` has it."""
        size = self.crop.size
        corners = self.crop.to_crop(self.outline) if len(self.outline) else self.outline
        if len(corners) and _covers(corners, size):
            return image
        frame = polygon_mask(corners, size)
        mask = frame if image.ndim == 2 else cv2.merge([frame, frame, frame])
        return np.asarray(cv2.multiply(image, mask, scale=1 / 255), dtype=np.uint8)


def image_outline(image: Image, reach: float = 1.0) -> Array:
    """The outline (4, 2) of a picture, `reach` pixels beyond its outer pixels' centres.

    One pixel is as far as bilinear sampling reaches.
    """
    height, width = image.shape[:2]
    left, right, top, bottom = -reach, width - 1 + reach, -reach, height - 1 + reach
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])


def polygon_mask(corners: Array, size: int) -> npt.NDArray[np.uint8]:
    """A convex region (N, 2) in pixels as a mask (size, size) 0..255 with smooth edges."""
    mask = np.zeros((size, size), np.uint8)
    if len(corners) >= 3:
        points = np.round(np.clip(corners, -1e5, 1e5) * 16).astype(np.int32)
        cv2.fillConvexPoly(mask, points, 255, cv2.LINE_AA, 4)
    return mask


def augment_framing(
    known: PersonLabels, image: Image, size: int, random: np.random.Generator, options: Augmentation
) -> Framing:
    """Vary the crop of a person in a picture (H, W, 3), and let the frame end where it may."""
    times, least, most = 1.0, 0.7, 1.4
    if random.random() < options.lost:
        times, least, most = options.lost_times, 0.5, 2.0
    turn = np.radians(options.turn) * times * float(np.clip(random.normal(), -3, 3))
    scale = float(np.clip(np.exp(random.normal() * options.scale * times), least, most))
    shift = np.clip(random.normal(size=2), -3, 3) * options.shift * times
    if random.random() < options.upside_down:
        turn += np.pi
    # so far beyond the picture that the outline's smooth edge changes nothing of the cut's own
    reach = 1.0 + known.crop.side * scale / size
    base, outline = known.crop, image_outline(image, reach)
    if random.random() < options.truncate:
        for place, normal in _borders(known, random):
            outline = _clipped(outline, place, normal)
        if random.random() < 0.5:
            base = _crop_of_visible(known, outline, base)
    # a shift by pixels of the base crop; its turn does not matter to a random direction
    crop = crop_about(base.centre + shift * base.side, base.side * scale, base.turn + turn, size)
    return Framing(crop, outline)


def _borders(known: PersonLabels, random: np.random.Generator) -> list[tuple[Array, Array]]:
    """Where the frame ends: (a point, the outward normal) of lines in picture pixels.

    None where a shoulder or a hip is not known.
    """
    crop = known.crop
    units = crop_units_from_pixels(crop.to_crop(known.keypoints[:, :2]), crop.size)
    levels = [_middle(units, known.keypoints[:, 2], rows) for rows in (_SHOULDERS, _HIPS)]
    kind = random.choice(
        ["chest", "waist", "knees", "side", "corner"], p=[0.25, 0.25, 0.2, 0.2, 0.1]
    )
    share, along, tilts = random.random(), random.random(), np.radians(random.normal(size=2) * 7)
    way = 1.0 if random.random() < 0.5 else -1.0
    shoulder, hip = levels
    if shoulder is None or hip is None:
        return []
    torso = max(float(hip[1] - shoulder[1]), 0.2)
    lines = []
    if kind in ("side", "corner"):
        trunk = (shoulder[0] + hip[0]) / 2
        place = np.array([trunk + way * (0.1 + 0.7 * along) * torso, (shoulder[1] + hip[1]) / 2])
        lines.append((place, _turned(np.array([way, 0.0]), tilts[0])))
    if kind != "side":
        knee = _middle(units, known.keypoints[:, 2], _KNEES)
        thigh = 0.9 * torso if knee is None else max(float(knee[1] - hip[1]), 0.5 * torso)
        level = {
            "chest": shoulder[1] + (0.25 + 0.45 * share) * torso,
            "waist": shoulder[1] + (0.7 + 0.5 * share) * torso,
        }.get(str(kind), hip[1] + (0.2 + 1.0 * share) * thigh)
        place = np.array([(shoulder[0] + hip[0]) / 2, level])
        lines.append((place, _turned(np.array([0.0, 1.0]), tilts[1])))
    turn = np.array(crop.frame_from_crop[:, :2]) / crop.scale
    return [
        (crop.to_frame(pixels_from_crop_units(place, crop.size)), turn @ normal)
        for place, normal in lines
    ]


def _crop_of_visible(known: PersonLabels, outline: Array, crop: Crop) -> Crop:
    """The crop rule on the key points inside the outline and where the trunk leaves it."""
    frame = Framing(crop_about(crop.centre, crop.side * 4, crop.turn, crop.size), outline)
    here = known.keypoints[(known.keypoints[:, 2] > 0) & frame.shows(known.keypoints[:, :2]), :2]
    if len(here) < 2:
        return crop
    trunk = [_middle(known.keypoints[:, :2], known.keypoints[:, 2], r) for r in (_SHOULDERS, _HIPS)]
    if trunk[0] is not None and trunk[1] is not None:
        middle = trunk[0] + np.linspace(0, 1, 9)[:, None] * (trunk[1] - trunk[0])
        here = np.concatenate([here, middle[frame.shows(middle)]])
    found = crop_from_points(here, crop.turn, crop.size)
    side = float(np.clip(found.side, _MIN_SIDE_RATIO * crop.side, crop.side))
    return crop_about(found.centre, side, crop.turn, crop.size)


def _middle(points: Array, weight: Array, rows: list[int]) -> Array | None:
    known = [points[row] for row in rows if weight[row] > 0]
    return np.mean(known, axis=0) if known else None


def _turned(vector: Array, angle: float) -> Array:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([c * vector[0] - s * vector[1], s * vector[0] + c * vector[1]])


def _clipped(outline: Array, place: Array, normal: Array) -> Array:
    """What of a convex outline lies on the inner side of a line; may be nothing."""
    depth = (outline - place) @ normal
    corners = []
    for index in range(len(outline)):
        after = (index + 1) % len(outline)
        if depth[index] <= 0:
            corners.append(outline[index])
        if (depth[index] <= 0) != (depth[after] <= 0):
            share = depth[index] / (depth[index] - depth[after])
            corners.append(outline[index] + share * (outline[after] - outline[index]))
    return np.array(corners).reshape(-1, 2)


def _covers(corners: Array, size: int) -> bool:
    """Whether a convex region contains the whole crop."""
    last = size - 1.0
    crop = np.array([[0.0, 0.0], [last, 0.0], [last, last], [0.0, last]])
    along, to = np.roll(corners, -1, axis=0) - corners, crop[:, None] - corners
    return bool((along[:, 0] * to[..., 1] - along[:, 1] * to[..., 0] >= 0).all())
