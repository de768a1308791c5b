"""Retargeting: the body's motion on a character's skeleton.

Everything happens in the character's frame (`measure`), scaled so that its legs are as long as the
body's: hips and feet then go where the body's go. A bone's rotation is the body's world rotation
from its own rest pose, after the turn from the character's rest pose (A or T) to the body's T-pose.
The feet's places are kept by two-bone inverse kinematics (`reach`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pymaf_live.body.rotations import (
    axis_angle_from_rotation,
    matrix_from_axis_angle,
    rotation_between,
)
from pymaf_live.body.vectors import unit_vectors
from pymaf_live.characters.body_motion import JOINTS, SPINE, BodyMotion
from pymaf_live.characters.mapping import BoneMapping, chains, path_between
from pymaf_live.characters.measure import measure
from pymaf_live.characters.model import Character
from pymaf_live.characters.reach import Limb, reach_with_feet, reach_with_hands
from pymaf_live.types import Array, Ints

_LIMB_BONES = {
    "UpperArm": "LowerArm",
    "LowerArm": "Hand",
    "UpperLeg": "LowerLeg",
    "LowerLeg": "Foot",
}
"""Bones that are turned into the body's T-pose by their directions, each with the next bone."""
_TWIST_SHARE = 0.5
"""Part of a limb's twist that a twist bone takes."""


@dataclass(frozen=True, eq=False)
class CharacterMotion:
    """N poses of a character; A animated nodes, parents first."""

    nodes: Ints
    """(A,)"""
    rotations: Array
    """(N, A, 3, 3) relative to the parent node."""
    hips: int
    """Node whose position is animated."""
    hips_position: Array
    """(N, 3) relative to the parent node, file units."""
    world: Array
    """(4, 4) from the file world to the world of the body's motion, metres; the character stands
    there with legs as long as the body's."""

    @property
    def size(self) -> float:
        """Metres of the body's world per file unit."""
        return float(np.cbrt(np.linalg.det(self.world[:3, :3])))

    def local(self, character: Character, frames: slice | Ints) -> Array:
        """Return the local transforms (K, B, 4, 4) of all nodes in some frames."""
        chosen = self.rotations[frames]
        local = np.tile(character.local, (len(chosen), 1, 1, 1))
        stretch = np.swapaxes(_rotations(character.local), 1, 2) @ character.local[:, :3, :3]
        local[:, self.nodes, :3, :3] = chosen @ stretch[self.nodes]
        local[:, self.hips, :3, 3] = self.hips_position[frames]
        return local


class Retargeter:
    """Converter of body motion to a character.

    Parameters
    ----------
    character : Character
    mapping : BoneMapping

    Raises
    ------
    InputError
        If the mapping or the skeleton cannot be used; see `measure.measure`.
    """

    def __init__(self, character: Character, mapping: BoneMapping) -> None:
        self.character = character
        self.mapping = mapping
        self.measures = measure(character, mapping)
        self._chains = chains(character, mapping)
        bones, parents = mapping.bones, character.parents
        forearms = {
            f"{side}LowerArm": path_between(
                parents, bones[f"{side}LowerArm"], bones[f"{side}Hand"]
            )[:-1]
            for side in ("left", "right")
        }
        self._twists = {
            bone: (*nodes, *forearms.get(bone, ())) for bone, nodes in self._chains.twists.items()
        }
        animated = {*bones.values(), *self._chains.spine, *self._chains.neck}
        animated |= {node for nodes in self._twists.values() for node in nodes}
        self._animated = np.array(sorted(animated), dtype=np.int64)
        relevant = set(animated)
        for node in animated:
            while (node := int(parents[node])) >= 0:
                relevant.add(node)
        self._relevant = sorted(relevant)
        self._file_rotations = _rotations(character.local)
        self._scales = np.cbrt(np.abs(np.linalg.det(character.rest[:, :3, :3])))

    @property
    def spine(self) -> tuple[int, ...]:
        """Nodes of the spine above the hips."""
        return self._chains.spine

    def retarget(self, motion: BodyMotion) -> CharacterMotion:
        """Return the character's motion."""
        size = motion.leg / self.measures.leg
        goals = self._goals(motion)
        hips = self._hips_position(motion, size)
        turned, placed = self._forward(goals, hips, size)
        limbs = {
            f"{side}{kind}": self._limb(f"{side}{kind}", motion, turned, placed)
            for side in ("left", "right")
            for kind in ("Leg", "Arm")
        }
        reach_with_feet(limbs, motion, self.measures, size, self.mapping)
        arm_ratio = size * self.measures.arm / motion.arm
        reach_with_hands(limbs, motion, placed[self.mapping.bones["head"]], arm_ratio)
        for limb in limbs.values():
            for node, rotation in ((limb.upper, limb.upper_turn), (limb.lower, limb.lower_turn)):
                goals[node] = rotation @ self.measures.rotations[node].T
        self._add_twists(goals)
        turned, placed = self._forward(goals, hips, size)
        return self._motion(turned, placed, hips, size)

    def _goals(self, motion: BodyMotion) -> dict[int, Array]:
        """Return the world rotations (N, 3, 3) from rest of the mapped nodes."""
        bones = self.mapping.bones
        goals: dict[int, Array] = {
            node: motion.turn(JOINTS[bone]) @ self._to_t_pose(bone, motion)
            for bone, node in bones.items()
        }
        trunk = [motion.turn(joint) for joint in ("pelvis", *SPINE)]
        for number, node in enumerate(self._chains.spine):
            goals[node] = _along(trunk, (number + 1) / len(self._chains.spine))
        neck = [motion.turn(joint) for joint in (SPINE[-1], "neck")]
        for number, node in enumerate(self._chains.neck):
            goals[node] = _along(neck, (number + 1) / len(self._chains.neck))
        return goals

    def _to_t_pose(self, bone: str, motion: BodyMotion) -> Array:
        """Return the rotation (3, 3) from the character's rest pose to the body's T-pose."""
        side = "left" if bone.startswith("left") else "right"
        name = bone.removeprefix(side)
        if name == "Hand":  # keeps its angle to the lower arm
            name = "LowerArm"
        if name not in _LIMB_BONES or bone in ("hips", "neck", "head"):
            return np.eye(3)
        start, end = f"{side}{name}", f"{side}{_LIMB_BONES[name]}"
        nodes, points = self.mapping.bones, self.measures.positions
        own = points[nodes[end]] - points[nodes[start]]
        bodys = motion.at_rest(JOINTS[end]) - motion.at_rest(JOINTS[start])
        return rotation_between(own, bodys)

    def _hips_position(self, motion: BodyMotion, size: float) -> Array:
        """Return the position (N, 3) of the hips node, which places the middle of the hip joints.

        The hips node may be anywhere above the legs.
        """
        bones, points = self.mapping.bones, self.measures.positions
        middle = (points[bones["leftUpperLeg"]] + points[bones["rightUpperLeg"]]) / 2
        offset = (points[bones["hips"]] - middle) * size
        target = (motion.at("left_hip") + motion.at("right_hip")) / 2
        return np.asarray(target + motion.turn("pelvis") @ offset)

    def _forward(
        self, goals: dict[int, Array], hips: Array, size: float
    ) -> tuple[dict[int, Array], dict[int, Array]]:
        """Return the world rotations (N, 3, 3) and positions (N, 3) of the relevant nodes."""
        character, axes = self.character, self.measures.axes
        turned: dict[int, Array] = {}
        placed: dict[int, Array] = {}
        for node in self._relevant:
            parent = int(character.parents[node])
            above = turned[parent] if parent >= 0 else axes
            if node in goals:
                turned[node] = goals[node] @ self.measures.rotations[node]
            else:
                turned[node] = above @ self._file_rotations[node]
            scale = size * (self._scales[parent] if parent >= 0 else 1.0)
            offset = above @ (character.local[node, :3, 3] * scale)
            placed[node] = offset + (placed[parent] if parent >= 0 else 0.0)
            if node == self.mapping.bones["hips"]:
                placed[node] = hips
        return turned, placed

    def _limb(
        self, name: str, motion: BodyMotion, turned: dict[int, Array], placed: dict[int, Array]
    ) -> Limb:
        side = "left" if name.startswith("left") else "right"
        kind = name.removeprefix(side)
        end = "Foot" if kind == "Leg" else "Hand"
        upper, lower, last = (
            self.mapping.bones[side + bone] for bone in (f"Upper{kind}", f"Lower{kind}", end)
        )
        # in the body's T-pose a knee bends about x, the left elbow about -y, the right about y
        joint = motion.turn(JOINTS[f"{side}Lower{kind}"])
        if kind == "Leg":
            hinge = joint[..., 0]
        else:
            hinge = joint[..., 1] * (-1.0 if side == "left" else 1.0)
        return Limb(
            upper=upper,
            lower=lower,
            places=(placed[upper], placed[lower], placed[last]),
            upper_turn=turned[upper],
            lower_turn=turned[lower],
            hinge=hinge,
        )

    def _add_twists(self, goals: dict[int, Array]) -> None:
        bones, points = self.mapping.bones, self.measures.positions
        for bone, nodes in self._twists.items():
            if not nodes:
                continue
            side = "left" if bone.startswith("left") else "right"
            name = bone.removeprefix(side)
            node, end = bones[bone], bones[f"{side}{_LIMB_BONES[name]}"]
            axis = unit_vectors(points[end] - points[node])
            if name.startswith("Upper"):
                above = self._above(bone, side)
                angle = -_TWIST_SHARE * _twist(goals[above], goals[node], axis)
            else:
                angle = _TWIST_SHARE * _twist(goals[node], goals[end], axis)
            turn = goals[node] @ matrix_from_axis_angle(axis * angle[:, None])
            for twist in nodes:
                goals[twist] = turn

    def _above(self, bone: str, side: str) -> int:
        """Return the mapped node that carries an upper arm or leg."""
        bones = self.mapping.bones
        if bone.endswith("Leg"):
            return bones["hips"]
        spine = self._chains.spine
        return bones.get(f"{side}Shoulder", spine[-1] if spine else bones["hips"])

    def _motion(
        self, turned: dict[int, Array], placed: dict[int, Array], hips: Array, size: float
    ) -> CharacterMotion:
        parents, axes = self.character.parents, self.measures.axes
        count = len(hips)
        rotations = np.empty((count, len(self._animated), 3, 3))
        for number, node in enumerate(self._animated):
            parent = int(parents[node])
            above = turned[parent] if parent >= 0 else axes
            rotations[:, number] = np.swapaxes(above, -1, -2) @ turned[int(node)]
        node = self.mapping.bones["hips"]
        parent = int(parents[node])
        above = turned[parent] if parent >= 0 else axes
        offset = hips - placed[parent] if parent >= 0 else hips
        scale = size * (float(self._scales[parent]) if parent >= 0 else 1.0)
        # above.T @ offset
        local = np.einsum("...ji,...j->...i", above, offset) / scale
        world = np.eye(4)
        world[:3, :3] = axes * size
        return CharacterMotion(self._animated, rotations, node, local, world)


def _along(turns: list[Array], place: float) -> Array:
    """Return rotations (N, 3, 3) at a place 0..1 along a sequence of them, interpolated."""
    step = place * (len(turns) - 1)
    lower = min(int(step + 1e-9), len(turns) - 2)
    rest = step - lower
    if abs(rest - 1) < 1e-9:
        return turns[lower + 1]
    if abs(rest) < 1e-9:
        return turns[lower]
    relative = np.swapaxes(turns[lower], -1, -2) @ turns[lower + 1]
    step_turn = matrix_from_axis_angle(axis_angle_from_rotation(relative) * rest)
    return np.asarray(turns[lower] @ step_turn)


def _twist(above: Array, below: Array, axis: Array) -> Array:
    """Return the angle (N,) about `axis` of the rotation between two nodes, radians."""
    relative = np.swapaxes(above, -1, -2) @ below
    vector = axis_angle_from_rotation(relative)
    angle = np.linalg.norm(vector, axis=-1)
    along = (vector @ axis) / np.maximum(angle, 1e-12) * np.sin(angle / 2)
    twist = 2 * np.arctan2(along, np.cos(angle / 2))
    return np.asarray((twist + np.pi) % (2 * np.pi) - np.pi)


def _rotations(transforms: Array) -> Array:
    """Return the rotations (B, 3, 3) in transforms (B, 4, 4), whatever their scale."""
    u, _, vt = np.linalg.svd(transforms[:, :3, :3])
    u[:, :, 2] *= np.sign(np.linalg.det(u @ vt))[:, None]
    return np.asarray(u @ vt)
