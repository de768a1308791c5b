"""Arms and legs from the directions of their bones: starts for a fit, and limbs turned in depth.

From a single picture in weak perspective a bone that goes towards the camera looks like one that
goes away from it. The other reading of a limb is its bones mirrored in depth; which way knee or
elbow then bend decides how the thigh or the upper arm is turned about itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pymaf_live.body import Body
from trainer.body.torch_body import matrix_from_axis_angle, small_matmul, small_matvec

_STRAIGHT = 0.35
"""Radians: below this bend the hinge is more and more taken from the parent's axes."""
_MOST_BENT = 2.4


@dataclass(frozen=True)
class Limb:
    """Rows of a limb's joints in the body, and how its hinge lies."""

    parent: int
    first: int
    second: int
    third: int
    leg: bool
    side: float
    """+1 left, -1 right."""

    @classmethod
    def all_of(cls, body: Body) -> tuple[Limb, ...]:
        """The four limbs."""
        names = list(body.joint_names)
        limbs = []
        for leg, joints in ((True, "hip knee ankle"), (False, "shoulder elbow wrist")):
            for side, sign in (("left", 1.0), ("right", -1.0)):
                first, second, third = (names.index(f"{side}_{part}") for part in joints.split())
                limbs.append(cls(int(body.parents[first]), first, second, third, leg, sign))
        return tuple(limbs)


def limb_rotations(
    limb: Limb, rest: Tensor, parent: Tensor, upper: Tensor, lower: Tensor
) -> tuple[Tensor, Tensor]:
    """Rotations of a limb's first two joints that point its bones.

    Parameters
    ----------
    limb : Limb
    rest : (J, 3) tensor
        Joints at rest.
    parent : (N, 3, 3) tensor
        World rotation of the joint that the limb hangs on.
    upper, lower : (N, 3) tensor
        World directions of its two bones.

    Returns
    -------
    first : (N, 3, 3) tensor
        Relative to `parent`.
    second : (N, 3) tensor
        Rotation vector of the knee or elbow: its bend about the hinge, the way it may go.
    """
    upper, lower = _unit(upper), _unit(lower)
    normal = torch.linalg.cross(upper, lower)
    bend = torch.atan2(normal.norm(dim=-1), (upper * lower).sum(-1))
    # a knee bends back about +x, a left elbow forward about -y, a right one about +y
    axis = 0 if limb.leg else 1
    sign = 1.0 if limb.leg else -limb.side
    usual = parent[..., axis] - (parent[..., axis] * upper).sum(-1, keepdim=True) * upper
    doubt = (1 - bend / _STRAIGHT).clamp(min=0)[:, None]
    hinge = _unit(sign * _unit(normal) * (1 - doubt) + doubt * _unit(usual))
    if limb.leg:
        columns = [hinge, -upper, torch.linalg.cross(hinge, -upper)]
    else:
        along = limb.side * upper
        columns = [along, hinge, torch.linalg.cross(along, hinge)]
    frame = torch.stack(columns, dim=-1)
    bone = _unit(rest[limb.second] - rest[limb.first]).expand_as(upper)
    frame = small_matmul(matrix_from_axis_angle(swing(small_matvec(frame, bone), upper)), frame)
    second = torch.zeros_like(upper)
    second[:, axis] = sign * bend.clamp(max=_MOST_BENT)
    return small_matmul(parent.transpose(1, 2), frame), second


def swing(from_direction: Tensor, to_direction: Tensor) -> Tensor:
    """Shortest rotation vector (N, 3) that turns one direction to another."""
    a, b = _unit(from_direction), _unit(to_direction)
    axis = torch.linalg.cross(a, b)
    angle = torch.atan2(axis.norm(dim=-1), (a * b).sum(-1))
    return _unit(axis) * angle[:, None]


def _unit(vector: Tensor) -> Tensor:
    return torch.nn.functional.normalize(vector, dim=-1)
