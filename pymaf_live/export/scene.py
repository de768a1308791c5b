"""One person's motion on the bones of a rig: the input of every format with a skeleton."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from pymaf_live.body import Body, PointSet, joint_transforms
from pymaf_live.export.options import ExportOptions, Rig
from pymaf_live.export.person_motion import PersonMotion
from pymaf_live.export.rigs import Skeleton, rig_skeleton, unique_names
from pymaf_live.export.world import WorldTransform
from pymaf_live.types import Array, Camera, Ints, Mask


@dataclass(frozen=True)
class Scene:
    """Content of one person's file; metres, y up; N frames, B bones, J joints of the body."""

    body: Body
    shape: Array
    """(S,)"""
    bones: Skeleton
    rate: Fraction
    """Frames per second."""
    rotations: Array
    """(N, B, 3, 3) relative to the parent bone."""
    root: Array
    """(N, 3) m, position of the first bone."""
    hips: Array | None
    """(N, 3) m, position of the hip bone in the axes of the first bone; None if it is the first."""
    joints: Array
    """(N, J, 3) m, positions of the body's joints, computed independently of the bones to verify
    them."""
    seen: Mask
    """(N,) True where the person was measured; elsewhere interpolated or held."""
    vertices: Array
    """(V, 3) m, mesh in the rig's rest pose."""
    rest_joints: Array
    """(J, 3) m, rest joints of the shape, with the origin of the body file."""
    transform: WorldTransform
    """From the camera frame to the world."""
    camera: Camera
    """Camera of the take; of separate images, that of the first one."""
    name: str
    """Name of the person; '' without one."""

    @property
    def frames(self) -> int:
        """Number of frames, N."""
        return len(self.root)

    @property
    def joint_bones(self) -> Ints:
        """(J,) bone of each of the body's joints."""
        return np.flatnonzero(self.bones.joint >= 0)

    def moving(self) -> list[tuple[int, Array]]:
        """Return the bones with animated positions, each with its positions (N, 3) in m.

        Positions are relative to the parent bone.
        """
        return [(0, self.root), *([] if self.hips is None else [(self.bones.hips, self.hips)])]


def build_scene(
    body: Body, motion: PersonMotion, options: ExportOptions, *, plain_axes: bool = False
) -> Scene:
    """Put a person's motion on a rig.

    Parameters
    ----------
    body : Body
    motion : PersonMotion
    options : ExportOptions
        Uses `rig`, `in_place` and `rest_first`; `motion` already contains the others.
    plain_axes : bool
        See `rigs.rig_skeleton`.
    """
    shaped = body.template + body.shape_directions @ motion.shape
    lowest = float(shaped[:, 1].min())
    bones = rig_skeleton(body, motion.rest, lowest, options.rig, plain_axes=plain_axes)
    vertices = PointSet.vertices(body).pose(bones.body_rotations, motion.shape)
    vertices = vertices - [motion.rest[0, 0], lowest, motion.rest[0, 2]]

    world, joints = joint_transforms(body, motion.rotations, motion.rest)
    position = motion.root.copy()
    if options.in_place:
        position[:, [0, 2]] = 0.0
    joints += (position - joints[:, 0])[:, None]
    rotations = _local_rotations(world, bones)
    del world  # large for long takes
    seen = motion.seen
    if options.rest_first:
        # where the motion starts, standing on the ground
        standing = bones.rest_position[bones.joint >= 0]
        start = [position[0, 0], bones.rest_position[bones.hips, 1], position[0, 2]]
        standing = standing + (start - standing[0])
        joints = np.concatenate([standing[None], joints])
        rotations = np.concatenate([bones.rest_local_rotation[None], rotations])
        position = np.concatenate([[start], position])
        seen = np.r_[False, seen]
    root, hips = position, None
    if bones.hips != 0:
        root = position * [1.0, 0.0, 1.0]
        hips = (position - root) @ bones.axes[0]
    return Scene(
        body=body,
        shape=motion.shape,
        bones=bones,
        rate=motion.rate,
        rotations=rotations,
        root=root,
        hips=hips,
        joints=joints,
        seen=seen,
        vertices=vertices,
        rest_joints=motion.rest,
        transform=motion.transform,
        camera=motion.camera,
        name=motion.name,
    )


def with_distinct_bones(scenes: Sequence[Scene], rig: Rig) -> list[Scene]:
    """Return scenes for one file, whose bones have the person's name before theirs.

    Programs such as three.js and assimp find the bone of a curve by its name. The separator is that
    of name spaces, except on the rig without colons.
    """
    separator = "_" if rig == "mixamo-plain" else ":"
    distinct = []
    prefixes = unique_names(tuple(scene.name for scene in scenes))
    for scene, prefix in zip(scenes, prefixes, strict=True):
        names = tuple(f"{prefix}{separator}{name}" for name in scene.bones.names)
        distinct.append(replace(scene, bones=replace(scene.bones, names=names)))
    return distinct


def _local_rotations(world: Array, bones: Skeleton) -> Array:
    """Return the bones' rotations (N, B, 3, 3) relative to the parent."""
    oriented = np.broadcast_to(bones.axes, (len(world), *bones.axes.shape)).copy()
    with_joint = np.flatnonzero(bones.joint >= 0)
    oriented[:, with_joint] = world[:, bones.joint[with_joint]] @ bones.axes[with_joint]
    local = oriented.copy()
    for bone in np.flatnonzero(bones.parents >= 0):
        local[:, bone] = np.swapaxes(oriented[:, bones.parents[bone]], 1, 2) @ oriented[:, bone]
    return local
