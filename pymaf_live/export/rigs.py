"""Skeletons with the bone names, rest poses and bone axes of other programs.

A rig preset (`rig_presets`) is a table of bone names, a rest pose (T, or A with the arms down) and
a rule for the axes of the bones at rest. The positions of the bones are always the body's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pymaf_live.body import Body, joint_transforms
from pymaf_live.body.rotations import about_z
from pymaf_live.export.options import Rig
from pymaf_live.export.rig_presets import PRESETS, AxesRule, RigPreset
from pymaf_live.types import Array, Ints

_ARM_ANGLE = np.radians(45.0)
"""Angle of the arms below the horizontal in an A-pose."""
_FORWARD: Array = np.array([0.0, 0.0, 1.0])
_UP: Array = np.array([0.0, 1.0, 0.0])
_GROUND_AXES: Array = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""z up, like the mannequin's root. With y up it would point at the hips, and Blender's FBX importer
connects a bone to a parent that ends where it begins: the hips could not move."""
_MAX_FORWARD = np.cos(np.radians(45.0))
"""Forward component of a bone's direction from which it is a foot."""


@dataclass(frozen=True)
class Skeleton:
    """Bones at rest, parents before children; B bones."""

    names: tuple[str, ...]
    """Unique names without spaces."""
    parents: Ints
    """(B,) -1 at the first."""
    joint: Ints
    """(B,) joint of the body that a bone follows; -1 for the bone on the ground."""
    axes: Array
    """(B, 3, 3) axes of the bone as columns while the body stands in its T-pose, body frame."""
    rest_rotation: Array
    """(B, 3, 3) axes of the bone as columns in the rig's rest pose."""
    rest_position: Array
    """(B, 3) m, in the rest pose; the body stands on y = 0 with its hips over the origin."""
    body_rotations: Array
    """(J, 3, 3) local rotations of the body's joints in the rig's rest pose."""

    @property
    def hips(self) -> int:
        """Bone of the body's root joint."""
        return int(np.flatnonzero(self.joint == 0)[0])

    @property
    def offsets(self) -> Array:
        """(B, 3) m, rest position relative to the parent, in the parent's axes.

        The first bone's is its position.
        """
        offsets = self.rest_position.copy()
        inner = self.parents >= 0
        parents = self.parents[inner]
        difference = self.rest_position[inner] - self.rest_position[parents]
        offsets[inner] = np.einsum("bji,bj->bi", self.rest_rotation[parents], difference)
        return offsets

    @property
    def rest_local_rotation(self) -> Array:
        """(B, 3, 3) rest rotations relative to the parent."""
        local = self.rest_rotation.copy()
        inner = self.parents >= 0
        local[inner] = np.swapaxes(self.rest_rotation[self.parents[inner]], 1, 2) @ local[inner]
        return local


def unique_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return names that every format supports: without spaces, no two alike."""
    used: set[str] = set()
    result = []
    for index, name in enumerate(names):
        word = "_".join(name.split()) or f"joint{index}"
        choice, number = word, 1
        while choice in used:
            number += 1
            choice = f"{word}_{number}"
        used.add(choice)
        result.append(choice)
    return tuple(result)


def rig_skeleton(
    body: Body, rest: Array, lowest: float, rig: Rig, *, plain_axes: bool = False
) -> Skeleton:
    """Return the skeleton of a shaped body in a rig.

    Parameters
    ----------
    body : Body
    rest : (J, 3) array
        Joints of the shaped body at rest, metres.
    lowest : float
        Height of the shaped body's lowest point at rest, in the frame of `rest`.
    rig : str
    plain_axes : bool
        Give every bone the world's axes in the rig's rest pose, for formats without rest rotations
        (BVH).
    """
    preset = PRESETS[rig]
    rotations = _rest_pose(body, preset)
    world, positions = joint_transforms(body, rotations, rest)
    positions = positions - [rest[0, 0], lowest, rest[0, 2]]
    if plain_axes:
        axes = np.swapaxes(world, 1, 2)
    elif preset.axes == "world":
        axes = np.tile(np.eye(3), (body.joint_count, 1, 1))
    else:
        axes = np.stack(_bone_axes(body, rest, preset.axes))
    names = unique_names(tuple(preset.names.get(name, name) for name in body.joint_names))
    joint = np.arange(body.joint_count)
    parents = np.asarray(body.parents).copy()
    rest_rotation = world @ axes
    if preset.ground_bone:
        names = unique_names((preset.ground_bone, *names))
        joint = np.r_[-1, joint]
        parents = np.r_[-1, parents + 1]
        ground_axes = np.eye(3) if plain_axes else _GROUND_AXES
        axes = np.concatenate([ground_axes[None], axes])
        rest_rotation = np.concatenate([ground_axes[None], rest_rotation])
        positions = np.concatenate([np.zeros((1, 3)), positions])
    return Skeleton(names, parents, joint, axes, rest_rotation, positions, rotations)


def _rest_pose(body: Body, preset: RigPreset) -> Array:
    rotations = np.tile(np.eye(3), (body.joint_count, 1, 1))
    if preset.rest == "A":
        for name, angle in (("left_shoulder", -_ARM_ANGLE), ("right_shoulder", _ARM_ANGLE)):
            if name in body.joint_names:
                rotations[body.joint_names.index(name)] = about_z(angle)
    return rotations


def _bone_axes(body: Body, rest: Array, rule: AxesRule) -> list[Array]:
    """Return the axes (3, 3), as columns, of every joint's bone in the T-pose."""
    directions = _bone_directions(body, rest)
    frames: list[Array] = []
    for joint, direction in enumerate(directions):
        parent = int(body.parents[joint])
        if abs(direction @ _FORWARD) < _MAX_FORWARD:
            # right-handed, y along the bone and z as far forward as possible
            z = _perpendicular(_FORWARD, direction)
            frame = np.stack([np.cross(direction, z), direction, z], axis=1)
        else:  # a foot: the sideways axis of its shank
            side = frames[parent][:, 0] if parent >= 0 else np.array([1.0, 0.0, 0.0])
            x = _perpendicular(side, direction)
            frame = np.stack([x, direction, np.cross(x, direction)], axis=1)
        frames.append(frame)
    if rule == "mixamo":
        return frames
    return [_unreal_axes(body, joint, frame) for joint, frame in enumerate(frames)]


def _unreal_axes(body: Body, joint: int, frame: Array) -> Array:
    """Convert axes with y along the bone and z forward to the mannequin's.

    The mannequin's trunk has x along the bone and y backward (in a right-handed file), and so has
    its left arm; its left leg has x against the bone and y forward; the right side is the mirror
    image of the left with all axes reversed, which makes it right-handed again.
    """
    name = body.joint_names[joint]
    leg = any(part in name for part in ("hip", "knee", "ankle", "foot"))
    along, forward = frame[:, 1], frame[:, 2]
    sign = -1.0 if leg else 1.0
    if name.startswith("right_"):
        sign = -sign
    x, y = sign * along, -sign * forward
    return np.stack([x, y, np.cross(x, y)], axis=1)


def _bone_directions(body: Body, rest: Array) -> Array:
    """Return unit vectors (J, 3) along the bones: to the only child, or away from the parent."""
    directions = np.tile(_UP, (body.joint_count, 1))
    for joint in range(body.joint_count):
        children = np.flatnonzero(body.parents == joint)
        parent = int(body.parents[joint])
        if len(children) == 1:
            vector = rest[children[0]] - rest[joint]
        elif len(children) > 1:  # hips and chest: along the trunk
            middle = min(children, key=lambda child: abs(float(rest[child, 0] - rest[joint, 0])))
            vector = rest[middle] - rest[joint]
        else:
            vector = rest[joint] - rest[parent] if parent >= 0 else _UP
        length = float(np.linalg.norm(vector))
        if length > 1e-9:
            directions[joint] = vector / length
        elif parent >= 0:
            directions[joint] = directions[parent]
    return directions


def _perpendicular(vector: Array, direction: Array) -> Array:
    """Return the component of `vector` perpendicular to a unit vector, scaled to length 1."""
    rest = vector - (vector @ direction) * direction
    return np.asarray(rest / np.linalg.norm(rest))
