"""Arms and legs from the directions of their bones: starts for a fit, and limbs mirrored in depth.

In a single image in weak perspective, a bone that points towards the camera looks like one that
points away from it. The other reading of a limb is its bones mirrored in depth; the way in which
knee or elbow then bend decides the twist of the thigh or the upper arm.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from pymaf_live.body import Body
from trainer.body.torch_body import matrix_from_axis_angle, small_matmul, small_matvec

_STRAIGHT = 0.35
"""Radians: below this bend the hinge is blended with the parent's axis."""
_MAX_BEND = 2.4
"""Radians."""


@dataclass(frozen=True)
class Limb:
    """Rows of a limb's joints in the body, and the axis of its hinge."""

    parent: int
    first: int
    second: int
    third: int
    leg: bool
    side: float
    """+1 left, -1 right."""

    @classmethod
    def all_of(cls, body: Body) -> tuple[Limb, ...]:
        """Return left leg, right leg, left arm, right arm."""
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
    """Return rotations of a limb's first two joints that align its bones with given directions.

    Parameters
    ----------
    limb : Limb
    rest : (J, 3) tensor
        Joints at rest.
    parent : (N, 3, 3) tensor
        World rotation of the limb's parent joint.
    upper, lower : (N, 3) tensor
        World directions of its two bones.

    Returns
    -------
    first : (N, 3, 3) tensor
        Relative to `parent`.
    second : (N, 3) tensor
        Rotation vector of the knee or elbow: its bend about the hinge in the natural direction.
    """
    upper, lower = normalize(upper, dim=-1), normalize(lower, dim=-1)
    normal = torch.linalg.cross(upper, lower)
    bend = torch.atan2(normal.norm(dim=-1), (upper * lower).sum(-1))
    # a knee bends back about +x, a left elbow forward about -y, a right one about +y
    axis = 0 if limb.leg else 1
    sign = 1.0 if limb.leg else -limb.side
    usual = parent[..., axis] - (parent[..., axis] * upper).sum(-1, keepdim=True) * upper
    doubt = (1 - bend / _STRAIGHT).clamp(min=0)[:, None]
    measured = sign * normalize(normal, dim=-1)
    hinge = normalize(measured * (1 - doubt) + doubt * normalize(usual, dim=-1), dim=-1)
    if limb.leg:
        columns = [hinge, -upper, torch.linalg.cross(hinge, -upper)]
    else:
        along = limb.side * upper
        columns = [along, hinge, torch.linalg.cross(along, hinge)]
    frame = torch.stack(columns, dim=-1)
    bone = normalize(rest[limb.second] - rest[limb.first], dim=-1).expand_as(upper)
    swing = shortest_rotation(small_matvec(frame, bone), upper)
    frame = small_matmul(matrix_from_axis_angle(swing), frame)
    second = torch.zeros_like(upper)
    second[:, axis] = sign * bend.clamp(max=_MAX_BEND)
    return small_matmul(parent.transpose(1, 2), frame), second


def shortest_rotation(source: Tensor, target: Tensor) -> Tensor:
    """Return the shortest rotation vectors (N, 3) that turn directions (N, 3) to others."""
    a, b = normalize(source, dim=-1), normalize(target, dim=-1)
    axis = torch.linalg.cross(a, b)
    angle = torch.atan2(axis.norm(dim=-1), (a * b).sum(-1))
    return normalize(axis, dim=-1) * angle[:, None]
