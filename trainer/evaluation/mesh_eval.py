"""Bodies posed in numbers, for measuring: joints, key points and meshes of many estimates."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from pymaf_live.body import Body, crop_points_2d, pixels_from_crop_units
from pymaf_live.types import Array, Crop
from trainer.body.torch_body import PosedPoints, Skeleton, SkinnedVertices
from trainer.evaluation.metrics import Labels
from trainer.rendering.surface_maps import PARTS6, load_surface, part_map

_CHUNK = 64

# the paper's 14 joints, in LSP's order, by their names in the body's Human3.6M set
_FOURTEEN = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle",
    "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist",
    "neck_base", "head_top",
)  # fmt: skip

FOURTEEN_HIPS = (2, 3)
"""Rows of the hips among the 14 joints."""


class BodyPoser:
    """Poses bodies; kept, since its tables take a moment to make."""

    def __init__(self, body: Body) -> None:
        self.body = body
        self.hips = [body.joint_names.index("left_hip"), body.joint_names.index("right_hip")]
        self._skeleton = Skeleton(body)
        self._points: dict[str, PosedPoints] = {}
        self._vertices = SkinnedVertices(body, np.arange(len(body.template)))
        h36m = [str(body.keypoint_names[row]) for row in body.keypoint_sets["h36m"]]
        self._fourteen = [h36m.index(name) for name in _FOURTEEN]

    def joints(self, rotations: Array, shape: Array) -> Array:
        """The skeleton's joints (N, J, 3) in metres of rotations (N, J, 3, 3), shape (N, S)."""
        return self._posed(rotations, shape, lambda world, places, rest, shape: places)

    def keypoints(self, name: str, rotations: Array, shape: Array) -> Array:
        """A key-point set of the body file, (N, K, 3) m."""
        if name not in self._points:
            self._points[name] = PosedPoints(self.body, self.body.keypoint_rows(name))
        return self._posed(rotations, shape, self._points[name])

    def fourteen(self, rotations: Array, shape: Array) -> Array:
        """The 14 joints of the paper's 3D figures by the Human3.6M regressor, LSP's order."""
        return self.keypoints("h36m", rotations, shape)[:, self._fourteen]

    def vertices(self, rotations: Array, shape: Array) -> Array:
        """The mesh (N, V, 3) m."""
        return self._posed(rotations, shape, self._vertices)

    @torch.no_grad()
    def _posed(self, rotations: Array, shape: Array, points: object) -> Array:
        found = [np.zeros((0, 0, 3))]
        for start in range(0, len(rotations), _CHUNK):
            part = slice(start, start + _CHUNK)
            turned, shaped = _tensor(rotations[part]), _tensor(shape[part])
            rest = self._skeleton.rest(shaped)
            world, places = self._skeleton(turned, rest)
            assert callable(points)
            found.append(points(world, places, rest, shaped).numpy().astype(np.float64))
        return np.concatenate(found[1:]) if len(found) > 1 else found[0]


class PartRenderer:
    """Six parts of bodies over pictures; 0 = background."""

    def __init__(self, bodies: BodyPoser) -> None:
        self._bodies = bodies
        self._part6 = load_surface(bodies.body).part6
        self.names = ("background", *PARTS6)

    def __call__(
        self, rotations: Array, shape: Array, camera: Array, crop: Crop, size: tuple[int, int]
    ) -> Labels:
        """Label map (H, W) of one estimate of a crop over the picture, `size` = width, height."""
        vertices = self._bodies.vertices(rotations[None], shape[None])[0]
        places = to_image_pixels(vertices[None], camera[None], [crop])[0]
        return part_map(places, vertices[:, 2], self._bodies.body.faces, self._part6, size)


def to_image_pixels(points: Array, camera: Array, crops: list[Crop]) -> Array:
    """Posed points (N, K, 3) of N crops to picture pixels (N, K, 2) by their cameras (N, 3)."""
    flat = crop_points_2d(points, np.asarray(camera, dtype=np.float64))
    return np.stack(
        [
            crop.to_frame(pixels_from_crop_units(units, crop.size))
            for units, crop in zip(flat, crops, strict=True)
        ]
    )


def _tensor(values: Array) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
