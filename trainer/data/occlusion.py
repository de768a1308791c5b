"""Synthetic occlusion: other people at the crop's edge and objects in front of the person."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from pymaf_live.types import Array, Image, Mask
from trainer.data.base import KEYPOINT_NAMES

_ROW = {name: row for row, name in enumerate(KEYPOINT_NAMES)}
_TRUNK = [_ROW[name] for name in ("right_shoulder", "left_shoulder", "left_hip", "right_hip")]
# limbs as (start, end, thickness relative to the torso length)
_LIMBS = (
    ("hip", "knee", 0.34), ("knee", "ankle", 0.24), ("shoulder", "elbow", 0.22),
    ("elbow", "wrist", 0.18),
)  # fmt: skip
_SKIN = np.array([[236, 188, 158], [198, 142, 108], [141, 93, 66], [88, 58, 44]], float)

ByteMask = npt.NDArray[np.uint8]


def trunk_mask(points: Array, known: Mask, size: int) -> ByteMask | None:
    """Return a mask (size, size), 0 or 255, of the trunk; None with fewer than three corners."""
    corners = points[[row for row in _TRUNK if known[row]]]
    if len(corners) < 3:
        return None
    mask = np.zeros((size, size), np.uint8)
    hull = cv2.convexHull(_fixed(corners))
    cv2.fillConvexPoly(mask, hull, 255, cv2.LINE_8, 4)
    # the body extends beyond the joints
    width = max(3, round(0.22 * _torso(points, known, size)))
    cv2.polylines(mask, [hull], True, 255, width, cv2.LINE_8, 4)
    return mask


def body_mask(points: Array, known: Mask, size: int) -> ByteMask | None:
    """Return an approximate mask of a person from key points (K, 2) in crop pixels.

    None if the trunk is unknown.
    """
    mask = trunk_mask(points, known, size)
    if mask is None:
        return None
    torso = _torso(points, known, size)
    for start, end, thickness in _LIMBS:
        for side in ("left", "right"):
            a, b = _ROW[f"{side}_{start}"], _ROW[f"{side}_{end}"]
            if known[a] and known[b]:
                ends = _fixed(points[[a, b]])
                cv2.line(
                    mask, ends[0], ends[1], 255, max(1, round(thickness * torso)), cv2.LINE_8, 4
                )
    neck, top = _ROW["neck"], _ROW["head_top"]
    if known[neck] and known[top]:
        middle = (points[neck] + points[top]) / 2
        radius = 0.55 * min(float(np.linalg.norm(points[top] - points[neck])), torso)
        cv2.circle(mask, _fixed(middle).tolist(), int(radius * 16), 255, -1, cv2.LINE_8, 4)
    return mask


def paste_person(image: Image, other: Image, mask: ByteMask, protected: ByteMask) -> Image:
    """Blend another person, cut to the same crop, into the pixels of `mask` outside `protected`."""
    alpha = cv2.subtract(mask, protected)
    # feather inwards only: the soft edge must not reach into `protected`
    alpha = cv2.subtract(cv2.blur(alpha, (5, 5)), protected)
    weight = alpha.astype(np.float32) * np.float32(1 / 255)
    return np.asarray(cv2.blendLinear(other, image, weight, 1 - weight), dtype=np.uint8)


def add_occluders(
    image: Image,
    targets: Array,
    random: np.random.Generator,
    backgrounds: Sequence[Image],
) -> Image:
    """Draw one to three occluders in front of the person.

    Parameters
    ----------
    image : (S, S, 3) uint8 array
    targets : (N, 2) array
        Crop pixels of the person's key points, near which the occluders are placed; may be empty.
    random : numpy.random.Generator
    backgrounds : sequence of (H, W, 3) uint8 arrays
        Images for the surfaces.
    """
    size = image.shape[0]
    image = image.copy()
    for _ in range(int(random.choice([1, 2, 3], p=[0.6, 0.3, 0.1]))):
        at = random.uniform(0.1, 0.9, 2) * size
        if len(targets):
            chosen = targets[int(random.integers(len(targets)))]
            at = np.clip(chosen, 0, size - 1) + random.normal(size=2) * 0.06 * size
        kind = random.choice(["polygon", "ellipse", "limb", "stripes"], p=[0.35, 0.25, 0.3, 0.1])
        mask = np.zeros((size, size), np.uint8)
        skin = kind == "limb" and random.random() < 0.6
        {"polygon": _polygon, "ellipse": _ellipse, "limb": _limb, "stripes": _stripes}[str(kind)](
            mask, at, random
        )
        surface = _surface(size, random, backgrounds, skin=skin)
        weight = cv2.blur(mask, (3, 3)).astype(np.float32) * np.float32(1 / 255)
        image = np.asarray(cv2.blendLinear(surface, image, weight, 1 - weight), dtype=np.uint8)
    return image


def _polygon(mask: ByteMask, at: Array, random: np.random.Generator) -> None:
    size, corners = len(mask), int(random.integers(3, 8))
    angles = np.sort(random.uniform(0, 2 * np.pi, corners))
    reach = random.uniform(0.5, 1.0, corners) * random.uniform(0.07, 0.22) * size
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1) * reach[:, None]
    ring *= random.uniform(0.6, 1.4, 2)
    cv2.fillPoly(mask, [_fixed(at + ring)], 255, cv2.LINE_8, 4)


def _ellipse(mask: ByteMask, at: Array, random: np.random.Generator) -> None:
    axes = (random.uniform(0.05, 0.2, 2) * len(mask)).astype(int) + 1
    cv2.ellipse(
        mask, at.astype(int).tolist(), axes.tolist(), float(random.uniform(0, 180)), 0, 360, 255, -1
    )


def _limb(mask: ByteMask, at: Array, random: np.random.Generator) -> None:
    """Draw a bent limb that reaches in from outside the crop."""
    size = len(mask)
    angle = random.uniform(0, 2 * np.pi)
    away = np.array([np.cos(angle), np.sin(angle)])
    bend = at + away * random.uniform(0.15, 0.35) * size
    turn = random.uniform(-0.9, 0.9)
    c, s = np.cos(turn), np.sin(turn)
    end = bend + np.array([c * away[0] - s * away[1], s * away[0] + c * away[1]]) * size
    width = max(2, round(random.uniform(0.05, 0.12) * size))
    points = _fixed(np.stack([at, bend, end]))
    cv2.polylines(mask, [points], False, 255, width, cv2.LINE_8, 4)


def _stripes(mask: ByteMask, at: Array, random: np.random.Generator) -> None:
    """Draw bars over the whole crop, such as those of a fence or a blind."""
    size, angle = len(mask), random.uniform(0, np.pi)
    along = np.array([np.cos(angle), np.sin(angle)]) * 1.5 * size
    across = np.array([-np.sin(angle), np.cos(angle)])
    gap = random.uniform(0.12, 0.4) * size
    width = max(2, round(random.uniform(0.1, 0.25) * gap))
    for step in np.arange(-np.ceil(1.5 * size / gap), np.ceil(1.5 * size / gap) + 1):
        ends = _fixed(np.stack([at + across * gap * step + sign * along for sign in (-1, 1)]))
        cv2.line(mask, ends[0], ends[1], 255, width, cv2.LINE_8, 4)


def _surface(
    size: int, random: np.random.Generator, backgrounds: Sequence[Image], *, skin: bool
) -> Image:
    """Return a random surface (size, size, 3): shaded colour, noise or a region of an image."""
    kind = random.random()
    if skin:
        colour = _SKIN[int(random.integers(len(_SKIN)))] * random.uniform(0.7, 1.15)
        small = colour * random.uniform(0.75, 1.15, (2, 2, 1))
    elif kind < 0.45 and len(backgrounds):
        source = backgrounds[int(random.integers(len(backgrounds)))]
        side = max(2, int(min(source.shape[:2]) * random.uniform(0.4, 1.0)))
        top = int(random.integers(0, source.shape[0] - side + 1))
        left = int(random.integers(0, source.shape[1] - side + 1))
        small = source[top : top + side, left : left + side]
    elif kind < 0.75:
        small = random.uniform(0, 256, 3) * random.uniform(0.7, 1.1, (2, 2, 1))
    else:
        cells = int(random.integers(4, 48))
        middle, spread = random.uniform(40, 216, 3), random.uniform(5, 60)
        grain = random.normal(size=(cells, cells, 1)) + 0.3 * random.normal(size=(cells, cells, 3))
        small = middle + grain * spread
    small = np.clip(small, 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(small, (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)


def _torso(points: Array, known: Mask, size: int) -> float:
    """Return the distance of shoulder and hip centres in pixels, at least 1/15 of the crop."""
    ends = [
        np.mean([points[row] for row in rows if known[row]], axis=0)
        for rows in (_TRUNK[:2], _TRUNK[2:])
        if known[rows].any()
    ]
    length = float(np.linalg.norm(ends[0] - ends[1])) if len(ends) == 2 else 0.0
    return float(np.clip(length, size / 15, size))


def _fixed(points: Array) -> npt.NDArray[np.int32]:
    """Return points in sixteenths of a pixel, OpenCV's fixed-point format."""
    return np.round(np.clip(points, -1e5, 1e5) * 16).astype(np.int32)
