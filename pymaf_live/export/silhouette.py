"""Where bodies are in a picture: the faces that look at the camera, without any depth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from pymaf_live.body import Body, joint_transforms, rest_joints
from pymaf_live.body.model import Ints
from pymaf_live.body.rotations import matrix_from_axis_angle
from pymaf_live.export.outline import Bits, Outline
from pymaf_live.types import Array, Camera

_NEAREST = 0.05
"""Metres before the camera; faces that reach nearer cannot be projected."""
_MOST_BODIES = 32
"""At one go; a body of its own costs four times as much."""
_MOST_PIXELS = 1 << 25
"""At one go."""

_Floats = npt.NDArray[np.float32]


class Silhouettes:
    """Draws the silhouettes of people with a body."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self._outline = Outline(body.faces)
        self._corners = tuple(np.ascontiguousarray(corner) for corner in body.faces.T)
        # a hundredth of a pixel needs no more than single precision
        self._weights = csr_matrix(body.skin_weights.astype(np.float32))
        self._template = body.template.astype(np.float32)
        self._directions = np.ascontiguousarray(
            body.shape_directions.reshape(-1, body.shape_count), dtype=np.float32
        )

    def of(
        self,
        poses: Array,
        shapes: Array,
        translations: Array,
        frames: Ints,
        cameras: Sequence[Camera],
    ) -> list[Bits]:
        """Silhouettes of R people in F pictures.

        Parameters
        ----------
        poses : (R, J, 3) array
            Axis-angle, rad.
        shapes : (R, S) array
        translations : (R, 3) array
            m, camera frame.
        frames : (R,) array
            The picture of each.
        cameras : F cameras

        Returns
        -------
        F arrays
            1 where a body is seen.
        """
        pictures: list[Bits] = [
            np.zeros((height, -(-width // 8)), dtype=np.uint8)
            for width, height in (camera.size for camera in cameras)
        ]
        if not len(frames):
            return pictures
        largest = max(camera.size[0] * camera.size[1] for camera in cameras)
        step = max(1, min(_MOST_BODIES, _MOST_PIXELS // largest))
        for start in range(0, len(frames), step):
            part = slice(start, start + step)
            theirs = [cameras[frame] for frame in frames[part]]
            covered = self._drawn(poses[part], shapes[part], translations[part], theirs)
            for frame, bits in zip(frames[part], covered, strict=True):
                pictures[frame] |= bits
        return pictures

    def _drawn(
        self, poses: Array, shapes: Array, translations: Array, cameras: Sequence[Camera]
    ) -> list[Bits]:
        """The silhouette of each of B bodies in its own picture."""
        # what is not finite, or out of all bounds, is not seen
        with np.errstate(all="ignore"):
            x, y, depth = self._projected(poses, shapes, translations, cameras)
            x, y = x / depth, y / depth
            seen = (depth > _NEAREST) & np.isfinite(x) & np.isfinite(y)
            every = bool(seen.all())
            if not every:
                x, y = np.where(seen, x, np.float32(0)), np.where(seen, y, np.float32(0))
            a, b, c = self._corners
            ax, ay = x[a], y[a]
            # faces turned away lie behind those that are not, which run counter-clockwise, y down
            front = (x[b] - ax) * (y[c] - ay) < (y[b] - ay) * (x[c] - ax)
        if not every:
            front &= seen[a] & seen[b] & seen[c]
        return self._outline.covered(x, y, front, [camera.size for camera in cameras])

    def _projected(
        self, poses: Array, shapes: Array, translations: Array, cameras: Sequence[Camera]
    ) -> tuple[_Floats, _Floats, _Floats]:
        """Vertices (V, B): frame pixels across and down, both times the depth in m, and that."""
        rest = rest_joints(self._body, shapes)
        world, places = joint_transforms(self._body, matrix_from_axis_angle(poses), rest)
        shift = places - np.einsum("bjmn,bjn->bjm", world, rest) + translations[:, None]
        lens = np.array(
            [
                [[f, 0, x], [0, f, y], [0, 0, 1]]
                for f, (x, y) in ((each.focal_length, each.principal_point) for each in cameras)
            ]
        )
        seen = lens[:, None] @ np.concatenate([world, shift[..., None]], axis=-1)
        by_row = np.ascontiguousarray(seen.transpose(2, 1, 3, 0), dtype=np.float32)
        # bodies of one shape share their rest place
        own = shapes[:1] if (shapes == shapes[0]).all() else shapes
        change = (self._directions @ own.T.astype(np.float32)).reshape(len(self._template), 3, -1)
        place = self._template[:, :, None] + change
        across, down, depth = (self._moved(row, place) for row in by_row)
        return across, down, depth

    def _moved(self, motion: _Floats, place: _Floats) -> _Floats:
        """One coordinate (V, B) of vertices at rest (V, 3, 1 or B) by joints' motions (J, 4, B)."""
        joints, _, bodies = motion.shape
        blended = (self._weights @ motion.reshape(joints, -1)).reshape(-1, 4, bodies)
        moved: _Floats = blended[:, 3]
        for axis in range(3):
            moved += blended[:, axis] * place[:, axis]
        return moved
