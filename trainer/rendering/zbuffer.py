"""Which triangle each pixel sees, in a millisecond or two: OpenCV's rasteriser on the CPU.

It draws flat triangles whose colour is their number; what lies on the surface is interpolated
afterwards, in perspective, only where something is seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from pymaf_live.types import Array, Ints

_FIELD = 1.0
"""Radians of OpenCV's camera; any will do, since places are bent to it."""
_NEAR, _FAR = 0.02, 4000.0
_PARALLEL = 1000.0
"""Metres that a parallel view steps back: far enough that rays differ by less than a sample."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Seen:
    """What the pixels see; N pixels that see something, row by row."""

    triangle: npt.NDArray[np.int32]
    """(H, W) -1 where there is none."""
    depth: Floats
    """(H, W) metres; infinite where none."""
    corners: Ints
    """(N, 3) vertices of the triangle that each of the N pixels sees."""
    weights: Floats
    """(N, 3) their weights, right in perspective."""

    @property
    def hit(self) -> npt.NDArray[np.bool_]:
        """(H, W)"""
        return np.asarray(self.triangle >= 0)

    def interpolate(self, values: Floats) -> Floats:
        """What the vertices (V, C) carry, at the N pixels: (N, C)."""
        out = values[self.corners[:, 0]] * self.weights[:, :1]
        out += values[self.corners[:, 1]] * self.weights[:, 1:2]
        out += values[self.corners[:, 2]] * self.weights[:, 2:]
        return np.asarray(out)


def look(
    points: Array,
    depth: Array,
    faces: Ints,
    size: tuple[int, int],
    *,
    perspective: bool = True,
    weights: bool = True,
) -> Seen:
    """Find the nearest triangle at the centre of every pixel.

    Parameters
    ----------
    points : (V, 2) array
        Pixels, centres at integers.
    depth : (V,) array
        Metres from the camera, or along the direction of view where not `perspective`. Triangles
        nearer than 2 cm in perspective are not drawn.
    faces : (F, 3) array
        Drawn from both sides; leave out those that face away from a closed surface, it halves the
        work.
    size : tuple of int
        Width, height.
    perspective : bool
    weights : bool
        Whether corners and weights are wanted; without them they are empty.
    """
    width, height = size
    z = np.asarray(depth, dtype=np.float64) + (0.0 if perspective else _PARALLEL)
    numbers = np.flatnonzero((z[faces] > _NEAR).all(axis=1))
    kept = faces[numbers]
    focal = height / 2 / np.tan(_FIELD / 2)
    bent = np.empty((len(points), 3), np.float32)
    # OpenCV's camera looks along -z, y up, its axis through the picture's middle
    bent[:, 0] = (points[:, 0] + 0.5 - width / 2) / focal * z
    bent[:, 1] = -(points[:, 1] + 0.5 - height / 2) / focal * z
    bent[:, 2] = -z
    corners = np.ascontiguousarray(bent[kept.ravel()])
    order = np.arange(len(corners), dtype=np.int32).reshape(-1, 3)
    # float32 holds whole numbers up to 2^24, far more than a mesh has triangles
    colours = np.repeat(np.arange(1, len(kept) + 1, dtype=np.float32), 3 * 3).reshape(-1, 3)
    seen = np.zeros((height, width, 3), np.float32)
    far = np.full((height, width), _FAR, np.float32)
    if len(kept):
        settings = cv2.TriangleRasterizeSettings()
        settings.setShadingType(cv2.RASTERIZE_SHADING_FLAT)
        settings.setCullingMode(cv2.RASTERIZE_CULLING_NONE)
        # the nearer the two planes, the finer the depths that OpenCV's buffer tells apart
        near = max(_NEAR, 0.9 * float(z[kept].min()))
        # drawn into the two arrays given
        cv2.triangleRasterize(
            corners, order, colours, seen, far, np.eye(4), _FIELD, near, _FAR, settings
        )
    number = seen[..., 0].astype(np.int32) - 1
    hit = number >= 0
    triangle = np.where(hit, numbers[number] if len(numbers) else -1, -1).astype(np.int32)
    measured = np.where(hit, far - np.float32(0 if perspective else _PARALLEL), np.inf)
    found = np.empty((0, 3), np.int64), np.empty((0, 3), np.float32)
    if weights:
        found = _weights(points, z if perspective else None, faces, triangle, hit)
    return Seen(triangle, measured.astype(np.float32), *found)


def _weights(
    points: Array,
    depth: Array | None,
    faces: Ints,
    triangle: npt.NDArray[np.int32],
    hit: npt.NDArray[np.bool_],
) -> tuple[Ints, Floats]:
    y, x = np.nonzero(hit)
    corners = faces[triangle[hit]]
    a, b, c = (points[corners[:, k]] for k in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    area = np.where(np.abs(area) < 1e-12, 1e-12, area)
    second = ((x - a[:, 0]) * (c[:, 1] - a[:, 1]) - (y - a[:, 1]) * (c[:, 0] - a[:, 0])) / area
    third = ((b[:, 0] - a[:, 0]) * (y - a[:, 1]) - (b[:, 1] - a[:, 1]) * (x - a[:, 0])) / area
    weights = np.column_stack([1 - second - third, second, third])
    if depth is not None:
        weights /= depth[corners]
    # a pixel on an edge may lie outside by a rounding error, which must not extrapolate
    weights = np.clip(weights, 0, None)
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)
    return corners, weights.astype(np.float32)


def facing(points: Array, faces: Ints) -> npt.NDArray[np.bool_]:
    """Which triangles (F,) turn their outside to a camera that sees `points` (V, 2), y down."""
    a, b, c = (points[faces[:, k]] for k in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    return np.asarray(area < 0)
