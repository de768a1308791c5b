"""Silhouettes of posed bodies as black-and-white images, many at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix

from pymaf_live.body import Body, joint_transforms, rest_joints
from pymaf_live.body.rotations import matrix_from_axis_angle
from pymaf_live.rendering.rasteriser import (
    NEAR,
    Bits,
    CoverageRasteriser,
    Floats,
    signed_double_area,
)
from pymaf_live.types import Array, Camera, Ints

_MAX_BODIES = 32
"""Bodies per batch; drawn one by one, a body takes four times as long."""
_MAX_PIXELS = 1 << 25
"""Image pixels per batch."""


class SilhouetteRenderer:
    """Renders silhouettes of one parametric body, without depth.

    Faces that reach closer to the camera than the near plane, and bodies whose projection is not
    finite, are not drawn.
    """

    def __init__(self, body: Body) -> None:
        self._body = body
        self._rasteriser = CoverageRasteriser(body.faces)
        self._corners = tuple(np.ascontiguousarray(corner) for corner in body.faces.T)
        # single precision is finer than a hundredth of a pixel
        self._weights = csr_matrix(body.skin_weights.astype(np.float32))
        self._template = body.template.astype(np.float32)
        self._directions = np.ascontiguousarray(
            body.shape_directions.reshape(-1, body.shape_count), dtype=np.float32
        )

    def render(
        self,
        poses: Array,
        shapes: Array,
        translations: Array,
        frames: Ints,
        cameras: Sequence[Camera],
    ) -> list[Bits]:
        """Return the silhouettes of R people in F images.

        Parameters
        ----------
        poses : (R, J, 3) array
            Axis-angle, rad.
        shapes : (R, S) array
        translations : (R, 3) array
            m, camera frame.
        frames : (R,) int array
            Index of each person's image, 0 <= index < F.
        cameras : F cameras

        Returns
        -------
        list of F arrays
            1 where a body is visible.
        """
        images: list[Bits] = [
            np.zeros((height, -(-width // 8)), dtype=np.uint8)
            for width, height in (camera.size for camera in cameras)
        ]
        if not len(frames):
            return images
        largest = max(camera.size[0] * camera.size[1] for camera in cameras)
        step = max(1, min(_MAX_BODIES, _MAX_PIXELS // largest))
        for start in range(0, len(frames), step):
            batch = slice(start, start + step)
            batch_cameras = [cameras[frame] for frame in frames[batch]]
            masks = self._masks(poses[batch], shapes[batch], translations[batch], batch_cameras)
            for frame, bits in zip(frames[batch], masks, strict=True):
                images[frame] |= bits
        return images

    def _masks(
        self, poses: Array, shapes: Array, translations: Array, cameras: Sequence[Camera]
    ) -> list[Bits]:
        """Return the silhouette of each of B bodies in an image of its own."""
        # overflow and division by zero are dealt with by `visible`
        with np.errstate(all="ignore"):
            x, y, depth = self._project(poses, shapes, translations, cameras)
            x, y = x / depth, y / depth
            visible = (depth > NEAR) & np.isfinite(x) & np.isfinite(y)
            all_visible = bool(visible.all())
            if not all_visible:
                x, y = np.where(visible, x, np.float32(0)), np.where(visible, y, np.float32(0))
            a, b, c = self._corners
            # faces that turn away lie behind the others
            front = signed_double_area((x[a], x[b], x[c]), (y[a], y[b], y[c])) < 0
        if not all_visible:
            front &= visible[a] & visible[b] & visible[c]
        return self._rasteriser.rasterise(x, y, front, [camera.size for camera in cameras])

    def _project(
        self, poses: Array, shapes: Array, translations: Array, cameras: Sequence[Camera]
    ) -> tuple[Floats, Floats, Floats]:
        """Return pixel x times depth, pixel y times depth, and depth in m, of vertices (V, B)."""
        rest = rest_joints(self._body, shapes)
        world, positions = joint_transforms(self._body, matrix_from_axis_angle(poses), rest)
        shift = positions - np.einsum("bjmn,bjn->bjm", world, rest) + translations[:, None]
        intrinsics = np.array(
            [
                [[f, 0, x], [0, f, y], [0, 0, 1]]
                for f, (x, y) in (
                    (camera.focal_length, camera.principal_point) for camera in cameras
                )
            ]
        )
        projection = intrinsics[:, None] @ np.concatenate([world, shift[..., None]], axis=-1)
        rows = np.ascontiguousarray(projection.transpose(2, 1, 3, 0), dtype=np.float32)
        # bodies of one shape share their rest vertices
        distinct = shapes[:1] if (shapes == shapes[0]).all() else shapes
        offset = self._directions @ distinct.T.astype(np.float32)
        vertices = self._template[:, :, None] + offset.reshape(len(self._template), 3, -1)
        x, y, depth = (self._skin(row, vertices) for row in rows)
        return x, y, depth

    def _skin(self, motion: Floats, vertices: Floats) -> Floats:
        """Return one coordinate (V, B) of vertices (V, 3, 1 or B) moved by joints (J, 4, B)."""
        joints, _, bodies = motion.shape
        blended = (self._weights @ motion.reshape(joints, -1)).reshape(-1, 4, bodies)
        moved: Floats = blended[:, 3]
        for axis in range(3):
            moved += blended[:, axis] * vertices[:, axis]
        return moved
