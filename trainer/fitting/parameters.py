"""Parameters of a fit: pose, shape and camera of N people, people along the last axis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pymaf_live.body import Body
from pymaf_live.body.rotations import axis_angle_from_matrix
from pymaf_live.errors import InputError
from pymaf_live.types import Array
from trainer.fitting.batched_kinematics import rotation_from_columns, rotations_from_vectors


@dataclass
class FitParameters:
    """Tensors that the optimizer changes; N people."""

    root: Tensor
    """(2, 3, N) the first two columns of the root's rotation, not yet orthonormal."""
    pose: Tensor
    """(3, J - 1, N) rotation vectors, radians."""
    shape: Tensor
    """(S, N)"""
    camera: Tensor
    """(3, N) s, tx, ty in crop units."""

    @property
    def tensors(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the four tensors in the order of the fields."""
        return self.root, self.pose, self.shape, self.camera

    def rotations(self) -> Tensor:
        """Return rotations (3, 3, J, N) relative to the parent."""
        return torch.cat(
            [rotation_from_columns(self.root), rotations_from_vectors(self.pose)], dim=2
        )

    def clone(self) -> FitParameters:
        """Return a copy."""
        return FitParameters(*(tensor.clone() for tensor in self.tensors))

    def select(self, rows: Tensor) -> FitParameters:
        """Return a copy of the parameters of some people."""
        return FitParameters(*(tensor[..., rows].clone() for tensor in self.tensors))

    def assign(self, rows: Tensor, others: FitParameters) -> None:
        """Overwrite the parameters of some people in place."""
        for tensor, other in zip(self.tensors, others.tensors, strict=True):
            tensor[..., rows] = other


def make_parameters(root: Tensor, pose: Tensor, shape: Tensor) -> FitParameters:
    """Return parameters with the camera zero, from (N, 3, 3), (N, J - 1, 3) and (N, S)."""
    columns = root[:, :, :2].permute(2, 1, 0).contiguous()
    vectors = pose.permute(2, 1, 0).contiguous()
    return FitParameters(columns, vectors, shape.T.contiguous(), torch.zeros(3, len(root)))


def parameters_from_bodies(
    body: Body, rotations: Array, shape: Array, camera: Array
) -> FitParameters:
    """Return the parameters of bodies (N, J, 3, 3), (N, S) and cameras (N, 3).

    Raises
    ------
    InputError
        If an array has a wrong shape or is not finite.
    """
    joints, count = body.joint_count, len(rotations)
    sizes = (count, joints, 3, 3), (count, body.shape_count), (count, 3)
    for array, size in zip((rotations, shape, camera), sizes, strict=True):
        if array.shape != size or not np.isfinite(array).all():
            raise InputError(
                f"initial bodies of shape {array.shape} are not of shape {size} or not finite"
            )
    vectors = axis_angle_from_matrix(rotations[:, 1:])
    tensors = [torch.tensor(a, dtype=torch.float32) for a in (rotations[:, 0], vectors, shape)]
    parameters = make_parameters(*tensors)
    parameters.camera = torch.tensor(camera.T.copy(), dtype=torch.float32)
    return parameters
