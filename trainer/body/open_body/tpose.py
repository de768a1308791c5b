"""Posing of MakeHuman's half bodies in the pose of SMPL's template, by rigid bone groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pymaf_live.body.vectors import unit_vectors
from pymaf_live.types import Array, Ints
from trainer.body.open_body.geometry import (
    frames,
    rotate_vectors,
    rotation_x,
    rotations_about,
    rotations_z,
    shortest_rotations,
)
from trainer.body.open_body.half_mesh import HalfMesh
from trainer.body.open_body.rig import Rig, bone_and_side
from trainer.body.open_body.skeleton import MIRROR

_CENTRAL = ("body", "neck", "head")
_LATERAL = (
    "clavicle", "shoulder", "upper_arm", "forearm_upper", "forearm_lower", "hand", "thigh", "shin",
    "foot",
)  # fmt: skip
_GROUPS = (*_CENTRAL, *(group + side for side in (".L", ".R") for group in _LATERAL))
"""Bone groups that move rigidly."""

# prefix of a bone's name -> its group
_GROUP_OF_BONE = (
    ("clavicle", "clavicle"), ("shoulder01", "shoulder"), ("upperarm01", "upper_arm"),
    ("upperarm02", "upper_arm"), ("lowerarm01", "forearm_upper"), ("lowerarm02", "forearm_lower"),
    ("wrist", "hand"), ("metacarpal", "hand"), ("finger", "hand"), ("upperleg", "thigh"),
    ("lowerleg", "shin"), ("foot", "foot"), ("toe", "foot"),
)  # fmt: skip

# prefix of a joint cube's name -> the group that moves it; the others do not move
_GROUP_OF_CUBE = (
    ("l-finger", "hand"), ("l-hand", "hand"), ("l-toe", "foot"), ("l-foot", "foot"),
    ("l-ankle", "foot"), ("l-eye", "head"),
)  # fmt: skip
_GROUP_OF_ONE_CUBE = {
    "head": "neck", "head-2": "head", "jaw": "head", "mouth": "head", "l-knee": "thigh",
    "l-elbow": "upper_arm", "l-shoulder": "shoulder", "l-scapula": "clavicle",
}  # fmt: skip

# directions in the T-pose: along the axes, with the small deviations of a natural pose
_UPPER_ARM = unit_vectors(np.array([1, -0.03, -0.06]))
_FOREARM = unit_vectors(np.array([1, 0.02, 0.0]))
_HAND = unit_vectors(np.array([1, -0.02, 0.0]))
_THIGH = unit_vectors(np.array([0.035, -1, -0.012]))
_SHIN = unit_vectors(np.array([0.005, -1, -0.085]))
_PALM = [0, -0.12, 1.0]
"""From the little finger to the index finger."""
_LEAN = np.deg2rad(4.0)
"""Radians: MakeHuman's rest pose leans forward, SMPL's T-pose leans back."""
_CLAVICLE_RAISED, _SHOULDER_RAISED = 7, 11
"""Degrees."""
_TWIST_UPPER, _TWIST_LOWER = 0.30, 0.75
"""Shares of the hand's twist applied to the two halves of the forearm."""

Motion = tuple[Array, Array]
"""Rotations (S, 3, 3) and translations (S, 3): x -> R x + t."""


@dataclass(frozen=True)
class TPosed:
    """Half bodies in the T-pose; S bodies."""

    points: Array
    """(S, H, 3) m."""
    cubes: dict[str, Array]
    """MakeHuman's joint cubes of the left side and the midline, (S, 3) m each."""
    twist: Array
    """(S,) twist of the hand relative to the forearm, rad."""

    def relative_to(self, origin: Array) -> TPosed:
        """Return the bodies relative to origins (S, 3)."""
        cubes: dict[str, Array] = {
            name: positions - origin for name, positions in self.cubes.items()
        }
        return TPosed(self.points - origin[:, None], cubes, self.twist)


class TPose:
    """Moves half bodies into the T-pose.

    Parameters
    ----------
    rig : Rig
    half : HalfMesh
    """

    def __init__(self, rig: Rig, half: HalfMesh) -> None:
        self._half = half
        self._weights = group_weights(rig, half.base_vertex)

    def __call__(self, points: Array, cubes: dict[str, Array]) -> TPosed:
        """Pose half bodies (S, H, 3) m with their joint cubes (S, 3)."""
        # the whole body leans back about the hips; feet and head compensate
        hips = cubes["l-upper-leg"] * [0, 1, 1]
        back = rotation_x(-_LEAN).T
        points = (points.copy() - hips[:, None]) @ back + hips[:, None]
        leaned: dict[str, Array] = {
            name: (positions.astype(np.float64) - hips) @ back + hips
            for name, positions in cubes.items()
        }
        motions, twist = _motions(leaned)
        posed = self._blended(points, motions)
        posed[:, self._half.on_midline, 0] = 0
        moved = {name: _move_cube(name, cube, motions) for name, cube in leaned.items()}
        return TPosed(posed, moved, twist)

    def _blended(self, points: Array, motions: dict[str, Motion]) -> Array:
        """Skin the half bodies: blend the motions of the groups by their weights."""
        both = {group: motions[group] for group in _CENTRAL}
        for group, (rotation, shift) in motions.items():
            if group not in both:
                both[group + ".L"] = (rotation, shift)
                both[group + ".R"] = (rotation * MIRROR[:, None] * MIRROR[None, :], shift * MIRROR)
        rotations = np.stack([both[group][0] for group in _GROUPS], 1)
        shifts = np.stack([both[group][1] for group in _GROUPS], 1)
        posed = np.empty_like(points)
        for body in range(len(points)):
            blended = np.tensordot(self._weights, rotations[body], 1)
            posed[body] = np.einsum("vij,vj->vi", blended, points[body])
            posed[body] += self._weights @ shifts[body]
        return posed


def group_weights(rig: Rig, vertices: Ints) -> Array:
    """Return the weight (N, groups) of every rigid group in some vertices (N,)."""
    weights = np.zeros((len(vertices), len(_GROUPS)))
    for column, bone in enumerate(rig.bones):
        weights[:, _GROUPS.index(_group(bone))] += rig.weights[vertices, column]
    return weights


def _group(bone: str) -> str:
    name, side = bone_and_side(bone)
    for prefix, group in _GROUP_OF_BONE:
        if name.startswith(prefix):
            return group + side
    if name.startswith("neck"):
        return "neck"
    is_body = name in ("root", "pelvis", "breast") or name.startswith("spine")
    return "body" if is_body else "head"


def _motions(cubes: dict[str, Array]) -> tuple[dict[str, Motion], Array]:
    """Return the motion of each central and left group, and the hand's twist (S,)."""
    count = len(cubes["neck"])
    motions: dict[str, Motion] = {"body": (_repeated(np.eye(3), count), np.zeros((count, 3)))}

    def attach(group: str, parent: str, pivot: str, rotations: Array) -> None:
        """Rotate a group; its pivot stays attached to the parent."""
        parent_rotation, parent_shift = motions[parent]
        head = rotate_vectors(parent_rotation, cubes[pivot]) + parent_shift
        motions[group] = rotations, head - rotate_vectors(rotations, cubes[pivot])

    attach("neck", "body", "neck", _repeated(rotation_x(_LEAN / 2), count))
    attach("head", "neck", "head", _repeated(rotation_x(_LEAN), count))
    for group, parent, pivot, degrees in (
        ("clavicle", "body", "l-clavicle", _CLAVICLE_RAISED),
        ("shoulder", "clavicle", "l-scapula", _SHOULDER_RAISED),
    ):
        attach(group, parent, pivot, rotations_z(np.full(count, np.deg2rad(degrees))))
    upper_arm, forearm, hand, twist = _arm_rotations(cubes)
    along = np.tile(_FOREARM, (count, 1))
    attach("upper_arm", "shoulder", "l-shoulder", upper_arm)
    for group, share in (("forearm_upper", _TWIST_UPPER), ("forearm_lower", _TWIST_LOWER)):
        attach(group, "upper_arm", "l-elbow", rotations_about(along, share * twist) @ forearm)
    attach("hand", "forearm_upper", "l-hand", hand)
    hip, knee, ankle = cubes["l-upper-leg"], cubes["l-knee"], cubes["l-ankle"]
    thigh = shortest_rotations(knee - hip, np.tile(_THIGH, (count, 1)))
    attach("thigh", "body", "l-upper-leg", thigh)
    attach("shin", "thigh", "l-knee", shortest_rotations(ankle - knee, np.tile(_SHIN, (count, 1))))
    # the feet stay flat
    attach("foot", "shin", "l-ankle", _repeated(rotation_x(_LEAN), count))
    return motions, twist


def _arm_rotations(cubes: dict[str, Array]) -> tuple[Array, Array, Array, Array]:
    """Return rotations (S, 3, 3) of upper arm, straight forearm and hand, and the twist (S,)."""
    shoulder, elbow, wrist = cubes["l-shoulder"], cubes["l-elbow"], cubes["l-hand"]
    count = len(shoulder)
    upper, lower = elbow - shoulder, wrist - elbow
    # the elbow's axis of flexion points to -y in SMPL's T-pose
    axis = np.cross(unit_vectors(upper), unit_vectors(lower))
    target = frames(np.tile(_UPPER_ARM, (count, 1)), np.tile([0, -1.0, 0], (count, 1)))
    upper_arm = target @ np.swapaxes(frames(upper, axis), 1, 2)
    # straighten the forearm about that axis
    bent = rotate_vectors(upper_arm, unit_vectors(lower))
    along = np.tile(_FOREARM, (count, 1))
    turn = np.cross(bent, along)
    angle = np.arctan2(np.linalg.norm(turn, axis=1), (bent * along).sum(1))
    forearm = rotations_about(turn, angle) @ upper_arm
    # turn the palm down
    middle_finger = cubes["l-finger-3-1"] - wrist
    across = cubes["l-finger-2-1"] - cubes["l-finger-5-1"]
    target = frames(np.tile(_HAND, (count, 1)), np.tile(_PALM, (count, 1)))
    hand = target @ np.swapaxes(frames(middle_finger, across), 1, 2)

    def perpendicular(vectors: Array) -> Array:
        return unit_vectors(vectors - (vectors * along).sum(1, keepdims=True) * along)

    before, after = (
        perpendicular(rotate_vectors(forearm, across)),
        perpendicular(rotate_vectors(hand, across)),
    )
    sine = (np.cross(before, after) * along).sum(1)
    twist = np.arctan2(sine, (before * after).sum(1))
    return upper_arm, forearm, hand, twist


def _move_cube(name: str, positions: Array, motions: dict[str, Motion]) -> Array:
    group = _GROUP_OF_ONE_CUBE.get(name)
    for prefix, carrier in _GROUP_OF_CUBE:
        if name.startswith(prefix):
            group = carrier
    if group is None:
        return positions
    rotation, shift = motions[group]
    return rotate_vectors(rotation, positions) + shift


def _repeated(rotation: Array, count: int) -> Array:
    return np.tile(rotation, (count, 1, 1))
