"""OpenCV's rasterizer as a z-buffer: a millisecond or two on the CPU for a synthetic person.

It draws flat triangles whose colour is their number; vertex values are interpolated afterwards, in
perspective, only where something is seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from pymaf_live.types import Array, Ints, Mask

_FIELD_OF_VIEW = 1.0
"""Radians of OpenCV's camera; any will do, since points are converted to it."""
_NEAR, _FAR = 0.02, 4000.0
"""Metres between which OpenCV draws."""
_PARALLEL = 1000.0
"""Metres that a parallel view steps back: far enough that rays differ by less than a sample."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class PixelHits:
    """Triangles that the pixels see; N pixels see one, row by row."""

    triangle: npt.NDArray[np.int32]
    """(H, W) -1 where there is none."""
    depth: Floats
    """(H, W) metres; infinite where there is none."""
    corners: Ints
    """(N, 3) vertices of the triangle that each of the N pixels sees."""
    weights: Floats
    """(N, 3) barycentric weights in space, not in the image."""

    @property
    def hit(self) -> Mask:
        """(H, W) True where a triangle is seen."""
        return np.asarray(self.triangle >= 0)

    def interpolate(self, values: Floats) -> Floats:
        """Return vertex values (V, C) at the N pixels: (N, C)."""
        out = values[self.corners[:, 0]] * self.weights[:, :1]
        out += values[self.corners[:, 1]] * self.weights[:, 1:2]
        out += values[self.corners[:, 2]] * self.weights[:, 2:]
        return np.asarray(out)


def rasterize_opencv(
    points: Array,
    depth: Array,
    faces: Ints,
    size: tuple[int, int],
    *,
    perspective: bool = True,
    weights: bool = True,
) -> PixelHits:
    """Find the nearest triangle at the centre of every pixel.

    Parameters
    ----------
    points : (V, 2) array
        Pixels, centres at integers.
    depth : (V,) array
        Metres from the camera, or along the viewing direction where not `perspective`. Triangles
        nearer than 2 cm in perspective are not drawn.
    faces : (F, 3) array
        Drawn from both sides. Dropping those of a closed surface that face away halves the work.
    size : tuple of int
        Width, height.
    perspective : bool
    weights : bool
        False leaves corners and weights empty.
    """
    width, height = size
    z = np.asarray(depth, dtype=np.float64) + (0.0 if perspective else _PARALLEL)
    numbers = np.flatnonzero((z[faces] > _NEAR).all(axis=1))
    drawn = faces[numbers]
    focal = height / 2 / np.tan(_FIELD_OF_VIEW / 2)
    camera_points = np.empty((len(points), 3), np.float32)
    # OpenCV's camera looks along -z, y up, its axis through the middle of the image
    camera_points[:, 0] = (points[:, 0] + 0.5 - width / 2) / focal * z
    camera_points[:, 1] = -(points[:, 1] + 0.5 - height / 2) / focal * z
    camera_points[:, 2] = -z
    corners = np.ascontiguousarray(camera_points[drawn.ravel()])
    order = np.arange(len(corners), dtype=np.int32).reshape(-1, 3)
    # float32 holds whole numbers up to 2^24, far more than a mesh has triangles
    colours = np.repeat(np.arange(1, len(drawn) + 1, dtype=np.float32), 3 * 3).reshape(-1, 3)
    image = np.zeros((height, width, 3), np.float32)
    buffer = np.full((height, width), _FAR, np.float32)
    if len(drawn):
        settings = cv2.TriangleRasterizeSettings()
        settings.setShadingType(cv2.RASTERIZE_SHADING_FLAT)
        settings.setCullingMode(cv2.RASTERIZE_CULLING_NONE)
        # the nearer the two planes, the finer the depths that OpenCV's buffer tells apart
        near = max(_NEAR, 0.9 * float(z[drawn].min()))
        # draws into image and buffer
        cv2.triangleRasterize(
            corners, order, colours, image, buffer, np.eye(4), _FIELD_OF_VIEW, near, _FAR, settings
        )
    number = image[..., 0].astype(np.int32) - 1
    hit = number >= 0
    triangle = np.where(hit, numbers[number] if len(numbers) else -1, -1).astype(np.int32)
    distance = np.where(hit, buffer - np.float32(0 if perspective else _PARALLEL), np.inf)
    found = np.empty((0, 3), np.int64), np.empty((0, 3), np.float32)
    if weights:
        found = _weights(points, z if perspective else None, faces, triangle, hit)
    return PixelHits(triangle, distance.astype(np.float32), *found)


def _weights(
    points: Array, depth: Array | None, faces: Ints, triangle: npt.NDArray[np.int32], hit: Mask
) -> tuple[Ints, Floats]:
    """Return the corners and their weights (N, 3) of the N pixels that see a triangle."""
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


def faces_camera(points: Array, faces: Ints) -> Mask:
    """Return the mask (F,) of triangles whose outside shows at points (V, 2), y down."""
    a, b, c = (points[faces[:, k]] for k in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    return np.asarray(area < 0)
