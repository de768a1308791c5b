"""Posed bodies for evaluation: joints, key points and meshes of many estimates."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from pymaf_live.body import Body, crop_points_2d, pixels_from_crop_units
from pymaf_live.types import Array, Crop
from trainer.body.torch_body import PosedPoints, Skeleton, SkinnedVertices
from trainer.evaluation.metrics import LabelMap
from trainer.rendering.surface_maps import PARTS6, load_surface, part_map

_CHUNK = 64

# the paper's 14 joints, in LSP's order, by their names in the body's Human3.6M set
_PAPER_JOINTS = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle",
    "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist",
    "neck_base", "head_top",
)  # fmt: skip

_H36M_PELVIS = 0
"""Row of the pelvis in Human3.6M's order."""

PAPER_HIPS = (2, 3)
"""Rows of the hips among the paper's 14 joints."""


class BodyPoser:
    """Poses bodies; build it once, since its tables take a moment.

    All methods take rotations (N, J, 3, 3) relative to the parent and shapes (N, S).
    """

    def __init__(self, body: Body) -> None:
        self.body = body
        self.hips = [body.joint_names.index("left_hip"), body.joint_names.index("right_hip")]
        self._skeleton = Skeleton(body)
        self._points: dict[str, PosedPoints] = {}
        self._vertices = SkinnedVertices(body, np.arange(len(body.template)))
        h36m = [str(body.keypoint_names[row]) for row in body.keypoint_sets["h36m"]]
        self._paper_rows = [h36m.index(name) for name in _PAPER_JOINTS]

    def joints(self, rotations: Array, shape: Array) -> Array:
        """Return the skeleton's joints (N, J, 3) in metres."""
        return self._posed(rotations, shape, lambda world, joints, rest, shape: joints)

    def keypoints(self, name: str, rotations: Array, shape: Array) -> Array:
        """Return a key-point set of the body file, (N, K, 3) m."""
        if name not in self._points:
            self._points[name] = PosedPoints(self.body, self.body.keypoint_rows(name))
        return self._posed(rotations, shape, self._points[name])

    def paper_joints(self, rotations: Array, shape: Array) -> Array:
        """Return the 14 joints of the paper's 3D metrics, (N, 14, 3) m, in LSP's order.

        They come from the Human3.6M regressor.
        """
        return self.keypoints("h36m", rotations, shape)[:, self._paper_rows]

    def pelvis(self, rotations: Array, shape: Array) -> Array:
        """Return Human3.6M's pelvis, the root of the paper's 3D metrics, (N, 1, 3) m."""
        return self.keypoints("h36m", rotations, shape)[:, [_H36M_PELVIS]]

    def vertices(self, rotations: Array, shape: Array) -> Array:
        """Return the mesh (N, V, 3) m."""
        return self._posed(rotations, shape, self._vertices)

    @torch.no_grad()
    def _posed(self, rotations: Array, shape: Array, points: object) -> Array:
        parts = [np.zeros((0, 0, 3))]
        for start in range(0, len(rotations), _CHUNK):
            chunk = slice(start, start + _CHUNK)
            chunk_rotations, chunk_shape = _tensor(rotations[chunk]), _tensor(shape[chunk])
            rest = self._skeleton.rest(chunk_shape)
            world, joints = self._skeleton(chunk_rotations, rest)
            assert callable(points)
            parts.append(points(world, joints, rest, chunk_shape).numpy().astype(np.float64))
        return np.concatenate(parts[1:]) if len(parts) > 1 else parts[0]


class PartRenderer:
    """Renders the six body parts over images; 0 = background."""

    def __init__(self, bodies: BodyPoser) -> None:
        self._bodies = bodies
        self._part6 = load_surface(bodies.body).part6
        self.names = ("background", *PARTS6)

    def __call__(
        self, rotations: Array, shape: Array, camera: Array, crop: Crop, size: tuple[int, int]
    ) -> LabelMap:
        """Return the label map (H, W) of one estimate of a crop; `size` = image width, height."""
        vertices = self._bodies.vertices(rotations[None], shape[None])[0]
        pixels = to_image_pixels(vertices[None], camera[None], [crop])[0]
        return part_map(pixels, vertices[:, 2], self._bodies.body.faces, self._part6, size)


def to_image_pixels(points: Array, camera: Array, crops: list[Crop]) -> Array:
    """Project points (N, K, 3) of N crops by cameras (N, 3) to image pixels (N, K, 2)."""
    flat = crop_points_2d(points, np.asarray(camera, dtype=np.float64))
    return np.stack(
        [
            crop.to_frame(pixels_from_crop_units(units, crop.size))
            for units, crop in zip(flat, crops, strict=True)
        ]
    )


def _tensor(values: Array) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
