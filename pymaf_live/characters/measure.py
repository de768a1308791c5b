"""Measures of a character at rest: its frame, its proportions, its rest pose.

Up leads from the feet to the head, left from the right limbs to the left ones; where they are
within `_SNAP` of the file's axes they are those. So it does not matter which axes and unit the file
states.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pymaf_live.body.rotations import axis_angle_from_matrix
from pymaf_live.body.vectors import unit_vectors
from pymaf_live.characters.mapping import BoneMapping, require_mapping
from pymaf_live.characters.model import Character
from pymaf_live.characters.skinning import rest_vertices
from pymaf_live.errors import InputError
from pymaf_live.types import Array

_SNAP = np.cos(np.radians(20.0))
_A_POSE = np.radians(20.0)
"""Angle of the arms below the horizontal from which a rest pose is an A-pose."""
_UNIFORM = 1.02
"""Largest ratio of the scales of a bone's axes."""
_BIND_TOLERANCE = np.radians(5.0)
"""Turn of a bone between rest and bind pose from which the bind pose is measured instead."""
_ON_FOOT = 0.5
"""Weight of foot and toes from which a vertex belongs to the sole."""


@dataclass(frozen=True, eq=False)
class Measures:
    """Character at rest in its own frame: y up, facing +z, its left at +x, file units."""

    axes: Array
    """(3, 3) rotation from the file world to the character's frame."""
    rest: Array
    """(B, 4, 4) measured rest transforms in the file world: the file's, or the bind pose's."""
    rotations: Array
    """(B, 3, 3) rest rotations in the character's frame."""
    positions: Array
    """(B, 3) rest positions in the character's frame."""
    soles: Array
    """(2,) height of the left and the right sole."""
    leg: float
    """Length from hip over knee to ankle, plus the ankle's height."""
    arm: float
    """Length from shoulder over elbow to wrist."""
    arm_angle: float
    """Angle of the upper arms below the horizontal, radians."""

    @property
    def rest_pose(self) -> Literal["T", "A"]:
        """Kind of the rest pose."""
        return "A" if self.arm_angle > _A_POSE else "T"


def measure(character: Character, mapping: BoneMapping) -> Measures:
    """Measure a character.

    Raises
    ------
    InputError
        If required bones are missing, a limb has no length, or bones are scaled differently along
        their axes or mirrored.
    """
    require_mapping(character, mapping)
    _require_uniform(character, mapping)
    rest = measured_rest(character, mapping)
    bones, points = mapping.bones, rest[:, :3, 3]

    def centre(bone: str) -> Array:
        return np.asarray((points[bones[f"left{bone}"]] + points[bones[f"right{bone}"]]) / 2)

    up = points[bones["head"]] - centre("Foot")
    left = points[bones["leftUpperLeg"]] - points[bones["rightUpperLeg"]]
    left = unit_vectors(left) + unit_vectors(
        points[bones["leftUpperArm"]] - points[bones["rightUpperArm"]]
    )
    axes = _frame(character, left, up)
    linear = rest[:, :3, :3] / np.cbrt(np.abs(np.linalg.det(rest[:, :3, :3])))[:, None, None]
    rotations, positions = axes @ _orthogonal(linear), points @ axes.T
    soles = _soles(character, mapping, rest, axes, positions)
    leg = arm = drop = 0.0
    for index, side in enumerate(("left", "right")):
        hip, knee, ankle = (positions[bones[side + b]] for b in ("UpperLeg", "LowerLeg", "Foot"))
        shoulder, elbow, wrist = (
            positions[bones[side + b]] for b in ("UpperArm", "LowerArm", "Hand")
        )
        for start, end in ((hip, knee), (knee, ankle), (shoulder, elbow), (elbow, wrist)):
            if not np.linalg.norm(end - start) > 1e-3 * np.ptp(positions[:, 1]):
                raise InputError(f"{character.path}: a bone of its {side} limbs has no length")
        leg += float(np.linalg.norm(knee - hip) + np.linalg.norm(ankle - knee)) / 2
        leg += max(float(ankle[1] - soles[index]), 0.0) / 2
        arm += float(np.linalg.norm(elbow - shoulder) + np.linalg.norm(wrist - elbow)) / 2
        drop += float(np.arctan2(shoulder[1] - wrist[1], abs(wrist[0] - shoulder[0]))) / 2
    return Measures(axes, rest, rotations, positions, soles, leg, arm, drop)


def measured_rest(character: Character, mapping: BoneMapping) -> Array:
    """Return the rest transforms (B, 4, 4) to measure, in the file world.

    They are the nodes' own, unless the file stores its nodes in another pose than the one that the
    meshes were bound in (such as a frame of an animation): then they are the bind pose's, placed so
    that the hips agree.
    """
    bound = character.rest.copy()
    known = np.zeros(len(bound), dtype=bool)
    hips = mapping.bones["hips"]
    for mesh in character.meshes:
        at = np.flatnonzero(mesh.nodes == hips)
        if not mesh.skinned or not len(at):
            continue
        space = character.rest[hips] @ mesh.inverse_bind[at[0]]
        usable = np.abs(np.linalg.det(mesh.inverse_bind[:, :3, :3])) > 1e-30
        new = np.flatnonzero(usable & ~known[mesh.nodes])
        bound[mesh.nodes[new]] = space @ np.linalg.inv(mesh.inverse_bind[new])
        known[mesh.nodes[new]] = True
    used = np.array([n for n in mapping.bones.values() if known[n]], dtype=np.int64)
    if not len(used):
        return character.rest
    turn = np.swapaxes(_orthogonal(character.rest[used, :3, :3]), 1, 2) @ _orthogonal(
        bound[used, :3, :3]
    )
    if np.linalg.norm(axis_angle_from_matrix(turn), axis=-1).max() < _BIND_TOLERANCE:
        return character.rest
    for node, parent in enumerate(character.parents):
        if not known[node] and parent >= 0:
            bound[node] = bound[parent] @ character.local[node]
    return bound


def _frame(character: Character, left: Array, up: Array) -> Array:
    """Return the rotation (3, 3) from the file world to x left, y up, z forward."""
    if np.linalg.norm(up) < 1e-12 or np.linalg.norm(left) < 1e-12:
        raise InputError(f"{character.path}: its head and feet, or its sides, are at one place")
    up = _snapped(unit_vectors(up))
    left = unit_vectors(left - (left @ up) * up)
    left = _snapped(left)
    left = left - (left @ up) * up
    if np.linalg.norm(left) < 1e-6:
        raise InputError(f"{character.path}: its left and right cannot be told apart")
    left = unit_vectors(left)
    return np.stack([left, up, np.cross(left, up)])


def _snapped(vector: Array) -> Array:
    """Return the file's axis nearest to a unit vector if it is close, else the vector."""
    axis = int(np.abs(vector).argmax())
    if abs(float(vector[axis])) < _SNAP:
        return vector
    snapped = np.zeros(3)
    snapped[axis] = np.sign(vector[axis])
    return snapped


def _orthogonal(linear: Array) -> Array:
    """Return the rotations (B, 3, 3) nearest to matrices."""
    u, _, vt = np.linalg.svd(linear)
    sign = np.sign(np.linalg.det(u @ vt))
    u[:, :, 2] *= sign[:, None]
    return np.asarray(u @ vt)


def _soles(
    character: Character, mapping: BoneMapping, rest: Array, axes: Array, positions: Array
) -> Array:
    """Return the height (2,) of each foot's lowest vertex, in the character's frame."""
    soles = np.empty(2)
    placed = [
        (mesh, rest_vertices(mesh, rest) @ axes.T) for mesh in character.meshes if mesh.skinned
    ]
    for index, side in enumerate(("left", "right")):
        foot = mapping.bones[f"{side}Foot"]
        own = np.zeros(len(character.parents), dtype=bool)
        own[foot] = True
        for node, parent in enumerate(character.parents):
            own[node] |= parent >= 0 and own[parent]
        lowest = float(positions[own, 1].min())
        for mesh, vertices in placed:
            share = (mesh.weights * own[mesh.nodes][mesh.joints]).sum(axis=1)
            if (share > _ON_FOOT).any():
                lowest = min(lowest, float(vertices[share > _ON_FOOT, 1].min()))
        soles[index] = lowest
    return soles


def _require_uniform(character: Character, mapping: BoneMapping) -> None:
    checked: set[int] = set()
    for node in mapping.bones.values():
        while node >= 0 and node not in checked:
            checked.add(node)
            linear = character.local[node, :3, :3]
            name = character.names[node]
            scales = np.linalg.svd(linear, compute_uv=False)
            if scales[2] <= 0 or scales[0] > _UNIFORM * scales[2]:
                raise InputError(
                    f"{character.path}: bone {name} is scaled differently along its axes; apply "
                    "the scale in the program that made the file"
                )
            if np.linalg.det(linear) < 0:
                raise InputError(
                    f"{character.path}: bone {name} is mirrored; apply the scale in the program "
                    "that made the file"
                )
            node = int(character.parents[node])
