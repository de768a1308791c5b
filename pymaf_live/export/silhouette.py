"""Where bodies are in a picture: the faces that look at the camera, filled, without any depth."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from pymaf_live.body import Body, PointSet, project
from pymaf_live.body.rotations import matrix_from_axis_angle
from pymaf_live.errors import OutputError
from pymaf_live.types import Array, Camera

_NEAREST = 0.05
"""Metres before the camera; faces that reach nearer cannot be projected."""
_SUBPIXELS = 4
"""Bits of a pixel that corners keep."""
_FURTHEST = 1 << 14
"""Pixels; beyond them OpenCV's fixed-point numbers overflow."""
_PNG = (
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE),
    *(cv2.IMWRITE_PNG_COMPRESSION, 2),
)
"""Plain areas need no prediction from pixel to pixel; reading takes a quarter of the time."""

Mask = npt.NDArray[np.uint8]


class Silhouettes:
    """Draws the silhouettes of people with a body."""

    def __init__(self, body: Body) -> None:
        self._faces = body.faces
        self._points = PointSet.vertices(body)

    def of(self, poses: Array, shapes: Array, translations: Array, camera: Camera) -> Mask:
        """Silhouettes of P people in one picture.

        Parameters
        ----------
        poses : (P, J, 3) array
            Axis-angle, rad.
        shapes : (P, S) array
        translations : (P, 3) array
            m, camera frame.
        camera : Camera

        Returns
        -------
        (H, W) array
            255 where a body is seen, else 0.
        """
        width, height = camera.size
        mask: Mask = np.zeros((height, width), dtype=np.uint8)
        for pose, shape, translation in zip(poses, shapes, translations, strict=True):
            rotations = matrix_from_axis_angle(pose)
            self._fill(mask, self._points.pose(rotations, shape, translation), camera)
        return mask

    def _fill(self, mask: Mask, vertices: Array, camera: Camera) -> None:
        before = vertices[:, 2] > _NEAREST
        if not before.all():
            vertices = np.where(before[:, None], vertices, [0.0, 0.0, 1.0])
        corners = np.clip(project(vertices, camera), -_FURTHEST, _FURTHEST)
        fixed = np.round(corners * (1 << _SUBPIXELS)).astype(np.int32)
        x, y = fixed.astype(np.int64).T
        a, b, c = self._faces.T
        # faces turned away lie behind those that are not; y points down, so those run clockwise
        drawn = (x[b] - x[a]) * (y[c] - y[a]) < (y[b] - y[a]) * (x[c] - x[a])
        if not before.all():
            drawn &= before[self._faces].all(axis=1)
        outside = _outside(fixed, mask.shape)
        if outside.any():
            # a face may reach across the picture from one side of it to another
            drawn &= ~np.any(outside[self._faces].all(axis=1), axis=1)
        for triangle in list(fixed[self._faces[drawn]]):
            cv2.fillConvexPoly(mask, triangle, 255, lineType=cv2.LINE_8, shift=_SUBPIXELS)


def _outside(fixed: npt.NDArray[np.int32], size: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """(V, 4) which corners lie to the left of, above, to the right of and below a picture."""
    height, width = size
    limit = np.array([width, height]) << _SUBPIXELS
    return np.concatenate([fixed < -(1 << _SUBPIXELS), fixed > limit], axis=1)


def write_mask(path: Path, mask: Mask) -> None:
    """Write a mask as PNG and read it again.

    Raises
    ------
    OutputError
        If it cannot be encoded or reads otherwise than it was written.
    """
    done, content = cv2.imencode(".png", mask, _PNG)
    if not done:
        raise OutputError(f"cannot write {path}: the picture cannot be encoded")
    path.write_bytes(content.tobytes())
    again = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if again is None or not np.array_equal(again, mask):
        raise OutputError(f"cannot write {path}: read again, it differs")
