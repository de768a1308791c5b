"""Motion of the body as the retargeting reads it, and which joint moves which bone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from pymaf_live.body import Body, joint_transforms
from pymaf_live.errors import InputError
from pymaf_live.types import Array

SPINE = ("spine1", "spine2", "spine3")
"""Joints of the body's spine, from the pelvis up."""
_SIDED = {
    "Shoulder": "collar",
    "UpperArm": "shoulder",
    "LowerArm": "elbow",
    "Hand": "wrist",
    "UpperLeg": "hip",
    "LowerLeg": "knee",
    "Foot": "ankle",
    "Toes": "foot",
}
JOINTS: Mapping[str, str] = MappingProxyType(
    {
        "hips": "pelvis",
        "neck": "neck",
        "head": "head",
        **{
            f"{side}{bone}": f"{side}_{joint}"
            for side in ("left", "right")
            for bone, joint in _SIDED.items()
        },
    }
)
"""Joint of the body that each bone follows."""


@dataclass(frozen=True, eq=False)
class BodyMotion:
    """N poses of a shaped body in a world with y up; J joints, by name."""

    index: Mapping[str, int]
    """Joint number by name."""
    rest: Array
    """(J, 3) m, T-pose, body frame."""
    lowest: float
    """Height of the sole at rest, body frame, m."""
    world: Array
    """(N, J, 3, 3) world rotations; the identity at rest."""
    joints: Array
    """(N, J, 3) m, world."""

    def turn(self, joint: str) -> Array:
        """Return a joint's world rotations (N, 3, 3)."""
        return np.asarray(self.world[:, self.index[joint]])

    def at(self, joint: str) -> Array:
        """Return a joint's positions (N, 3)."""
        return np.asarray(self.joints[:, self.index[joint]])

    def at_rest(self, joint: str) -> Array:
        """Return a joint's rest position (3,)."""
        return np.asarray(self.rest[self.index[joint]])

    @property
    def leg(self) -> float:
        """Length from hip over knee to ankle plus the ankle's height, mean of both sides, m."""
        total = 0.0
        for side in ("left", "right"):
            hip, knee, ankle = (self.at_rest(f"{side}_{j}") for j in ("hip", "knee", "ankle"))
            total += float(np.linalg.norm(knee - hip) + np.linalg.norm(ankle - knee))
            total += float(ankle[1]) - self.lowest
        return total / 2

    @property
    def arm(self) -> float:
        """Length from shoulder over elbow to wrist, mean of both sides, m."""
        total = 0.0
        for side in ("left", "right"):
            shoulder, elbow, wrist = (
                self.at_rest(f"{side}_{j}") for j in ("shoulder", "elbow", "wrist")
            )
            total += float(np.linalg.norm(elbow - shoulder) + np.linalg.norm(wrist - elbow))
        return total / 2


def body_motion(
    body: Body, rotations: Array, rest: Array, lowest: float, root: Array
) -> BodyMotion:
    """Return the motion of a body.

    Parameters
    ----------
    body : Body
    rotations : (N, J, 3, 3) array
        Relative to the parent; the root's rotates the rest body into the world.
    rest : (J, 3) array
        Joints of the shape at rest, m, body frame.
    lowest : float
        Height of the shape's lowest point at rest, m, body frame.
    root : (N, 3) array
        Position of the root joint, m, world.

    Raises
    ------
    InputError
        If the body lacks joints that a humanoid has.
    """
    index = {name: number for number, name in enumerate(body.joint_names)}
    missing = [name for name in (*JOINTS.values(), *SPINE) if name not in index]
    if missing:
        raise InputError(f"the body has no joint {missing[0]} and cannot move a character")
    world, joints = joint_transforms(body, rotations, rest)
    joints = joints + (root - joints[:, 0])[:, None]
    return BodyMotion(index, rest, lowest, world, joints)
