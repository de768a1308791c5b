"""Joints held within what joints can do.

What is hidden is guessed, and a landmark that is guessed wrongly bends a knee back or twists a
neck. Rotation vectors are cut off where `trainer.body.joint_limits` calls a body impossible; what
lies within passes untouched, to the bit.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pymaf_live.body import Body
from trainer.body.joint_limits import LIMITS, MARGIN
from trainer.body.torch_body import CROSSING, matrix_from_axis_angle

_WITHIN = 0.02
"""Radians inside the end, so that rounding does not lead out again."""
_FREE = 4.0
"""More than any rotation vector's component: no limit."""


class JointLimits(nn.Module):
    """Cuts off rotations that nobody's joints can make.

    Parameters
    ----------
    body : Body
        SMPL's joint names; joints that the limits do not name turn freely.
    """

    low: Tensor
    high: Tensor

    def __init__(self, body: Body) -> None:
        super().__init__()
        low = torch.full((body.joint_count, 3), -_FREE)
        high = -low
        names = list(body.joint_names)
        for name, axis, least, most in LIMITS:
            if name in names:
                low[names.index(name), axis] = least - MARGIN + _WITHIN
                high[names.index(name), axis] = most + MARGIN - _WITHIN
        self.register_buffer("low", low, persistent=False)
        self.register_buffer("high", high, persistent=False)

    def forward(self, rotations: Tensor) -> Tensor:
        """(B, J, 3, 3) relative to the parent, to the same within the limits."""
        vector = rotation_vector(rotations)
        held = torch.minimum(torch.maximum(vector, self.low), self.high)
        past = (held - vector).abs().amax(-1, keepdim=True).unsqueeze(-1) > 0
        return torch.where(past, matrix_from_axis_angle(held), rotations)


def rotation_vector(rotations: Tensor) -> Tensor:
    """Rotations (..., 3, 3) to rotation vectors (..., 3), for turns short of a half one."""
    # the axis times the sine, from what is not symmetric
    crossed = (rotations.unsqueeze(-3) * rotations.new_tensor(CROSSING)).sum((-2, -1)) / 2
    sine = crossed.square().sum(-1, keepdim=True).clamp(min=1e-12).sqrt()
    eye = torch.eye(3, dtype=rotations.dtype, device=rotations.device)
    cosine = ((rotations * eye).sum((-2, -1)).unsqueeze(-1) - 1) / 2
    angle = torch.acos(cosine.clamp(-1 + 1e-7, 1 - 1e-7))
    return crossed * (angle / sine)
