"""Clamp of joint rotations to the range of motion.

Hidden joints are guessed, and a wrong landmark bends a knee back or twists a neck. Rotation vectors
are clamped where `trainer.body.joint_limits` calls a body impossible; rotations within the limits
pass unchanged, to the bit.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pymaf_live.body import Body
from trainer.body.joint_limits import LIMITS, MARGIN
from trainer.body.torch_body import CROSS_MATRICES, matrix_from_axis_angle

_INSET = 0.02
"""Radians inside the limit, so that rounding does not cross it."""
_UNLIMITED = 4.0
"""Larger than any component of a rotation vector."""


class JointLimits(nn.Module):
    """Clamp rotations that no human joint can make.

    Parameters
    ----------
    body : Body
        SMPL's joint names; joints without limits turn freely.
    """

    low: Tensor
    high: Tensor

    def __init__(self, body: Body) -> None:
        super().__init__()
        low = torch.full((body.joint_count, 3), -_UNLIMITED)
        high = -low
        names = list(body.joint_names)
        for name, axis, lowest, highest in LIMITS:
            if name in names:
                low[names.index(name), axis] = lowest - MARGIN + _INSET
                high[names.index(name), axis] = highest + MARGIN - _INSET
        self.register_buffer("low", low, persistent=False)
        self.register_buffer("high", high, persistent=False)

    def forward(self, rotations: Tensor) -> Tensor:
        """Clamp rotations relative to the parent, (B, J, 3, 3)."""
        vector = rotation_vector(rotations)
        clamped = torch.minimum(torch.maximum(vector, self.low), self.high)
        outside = (clamped - vector).abs().amax(-1, keepdim=True).unsqueeze(-1) > 0
        return torch.where(outside, matrix_from_axis_angle(clamped), rotations)


def rotation_vector(rotations: Tensor) -> Tensor:
    """Convert rotations (..., 3, 3) of less than a half turn to rotation vectors (..., 3)."""
    # axis times sine, from the antisymmetric part
    crossed = (rotations.unsqueeze(-3) * rotations.new_tensor(CROSS_MATRICES)).sum((-2, -1)) / 2
    sine = crossed.square().sum(-1, keepdim=True).clamp(min=1e-12).sqrt()
    eye = torch.eye(3, dtype=rotations.dtype, device=rotations.device)
    cosine = ((rotations * eye).sum((-2, -1)).unsqueeze(-1) - 1) / 2
    angle = torch.acos(cosine.clamp(-1 + 1e-7, 1 - 1e-7))
    return crossed * (angle / sine)
