"""PyMAF as in its authors' checkpoint, made of our `resnet50` network's parts.

Differences from the network that we train (Zhang et al., ICCV 2021, and the checkpoint itself): the
mesh is reduced to the sampled points by a fixed matrix instead of a choice of vertices, it has
SMPL's pose directions, points are projected in perspective, the six numbers of a rotation are
passed between levels unchanged, and there are no score heads.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor, nn

from pymaf_live.body import Body
from pymaf_live.types import Array
from trainer.body.torch_body import Skeleton, SkinnedVertices, matrix_from_6d, small_matvec
from trainer.network.encoder import ResNet50
from trainer.network.estimates import LevelEstimate
from trainer.network.point_features import PointFeatures, grid_points, sample_bilinear
from trainer.network.regressor import Regressor

FOCAL_LENGTH = 5000.0
"""Pixels, of a camera far from a crop of 224."""


@dataclass(frozen=True)
class Sizes:
    """Sizes of a published network, from its checkpoint."""

    levels: int
    grid: int
    """Points along a side."""
    point_widths: tuple[int, ...]
    point_channels: int
    hidden: int


class PublishedPyMAF(nn.Module):
    """Network of a published checkpoint; its parts have the names of our `PyMAF`.

    Parameters
    ----------
    sizes : Sizes
    body : Body
    downsampling : (P, V) sparse matrix
        From the mesh to the sampled points.
    pose_directions : (V, 3, 9 (J - 1)) array
    """

    start_pose: Tensor
    start_shape: Tensor
    start_camera: Tensor
    grid: Tensor

    def __init__(
        self, sizes: Sizes, body: Body, downsampling: csr_matrix, pose_directions: Array
    ) -> None:
        super().__init__()
        self.encoder = ResNet50()
        self.skeleton = Skeleton(body)
        self.reduced = ReducedMesh(body, downsampling, pose_directions)
        self.joints = body.joint_count
        pose, shape = 6 * body.joint_count, body.shape_count
        self.register_buffer("start_pose", torch.zeros(1, pose))
        self.register_buffer("start_shape", torch.zeros(1, shape))
        self.register_buffer("start_camera", torch.zeros(1, 3))
        self.register_buffer("grid", grid_points(sizes.grid)[None], persistent=False)
        self.points = nn.ModuleList(
            PointFeatures(self.encoder.channels, sizes.point_widths, sizes.point_channels)
            for _ in range(sizes.levels)
        )
        counts = [sizes.grid**2, *[downsampling.shape[0]] * (sizes.levels - 1)]
        self.regressors = nn.ModuleList(
            Regressor(
                count * sizes.point_channels, pose, shape, sizes.hidden, 0.5, activation=False
            )
            for count in counts
        )

    def forward(self, image: Tensor) -> list[LevelEstimate]:
        """Return the estimates after each level, coarsest first, of (B, 3, S, S) RGB in 0..1."""
        encoded = self.encoder(image)
        batch = encoded.summary.shape[0]
        pose = self.start_pose.expand(batch, -1)
        shape = self.start_shape.expand(batch, -1)
        camera = self.start_camera.expand(batch, -1)
        levels: list[LevelEstimate] = []
        for index, regressor in enumerate(self.regressors):
            if index == 0:
                points = self.grid.expand(batch, -1, -1)
            else:
                rotations, rest = levels[-1].rotations, self.skeleton.rest(shape)
                world, joints = self.skeleton(rotations, rest)
                mesh = self.reduced(rotations, world, joints, rest, shape)
                points = project_perspective(mesh, camera, self.encoder.size)
            features = self.points[index](sample_bilinear(encoded.maps[index], points))
            pose, shape, camera, _ = regressor(features, pose, shape, camera)
            rotations = matrix_from_6d(pose.reshape(-1, self.joints, 6))
            levels.append(LevelEstimate(rotations, shape, camera))
        return levels


class ReducedMesh(nn.Module):
    """P fixed weighted means of a mesh's vertices, with pose directions.

    Only vertices with a weight are skinned.
    """

    weight: Tensor
    mean: Tensor
    directions: Tensor
    bent: Tensor
    identity: Tensor

    def __init__(self, body: Body, reduction: csr_matrix, pose_directions: Array) -> None:
        super().__init__()
        used = np.unique(reduction.tocoo().col)
        self.vertices = SkinnedVertices(body, used)
        bent = torch.tensor(pose_directions[used], dtype=torch.float32)
        self.register_buffer("bent", bent.reshape(-1, bent.shape[-1]), persistent=False)
        weight = torch.tensor(reduction[:, used].toarray(), dtype=torch.float32)
        self.register_buffer("weight", weight, persistent=False)
        self.register_buffer("identity", torch.eye(3), persistent=False)

    def forward(
        self, rotations: Tensor, world: Tensor, joints: Tensor, rest: Tensor, shape: Tensor
    ) -> Tensor:
        """Return points (B, P, 3) in metres.

        The arguments are those of `SkinnedVertices`, after the relative rotations (B, J, 3, 3).
        """
        feature = (rotations[:, 1:] - self.identity).flatten(1)
        offsets = (feature @ self.bent.T).reshape(-1, self.vertices.mean.shape[0], 3)
        skinned = self.vertices(world, joints, rest, shape)
        flat = world.reshape(-1, world.shape[1], 9)
        blended = torch.matmul(self.vertices.weights, flat).reshape(-1, *offsets.shape[1:], 3)
        return torch.matmul(self.weight, skinned + small_matvec(blended, offsets))


def project_perspective(points: Tensor, camera: Tensor, size: int) -> Tensor:
    """Project points (B, N, 3) m by cameras s, tx, ty (B, 3) to crop units, in perspective."""
    depth = 2 * FOCAL_LENGTH / (size * camera[:, None, :1] + 1e-9)
    moved = points[..., :2] + camera[:, None, 1:]
    return FOCAL_LENGTH * moved / (points[..., 2:] + depth) / (size / 2)
