"""One person's motion as the bones of a rig: what every format with a skeleton writes."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from pymaf_live.body import Body, PointSet, joint_transforms
from pymaf_live.export.options import ExportOptions
from pymaf_live.export.person_motion import PersonMotion
from pymaf_live.export.rigs import Skeleton, rig_skeleton
from pymaf_live.types import Array, Ints, Mask


@dataclass(frozen=True)
class Scene:
    """A person's file, before it is written: metres, y up; N frames, B bones, J joints."""

    body: Body
    shape: Array
    """(S,)"""
    bones: Skeleton
    rate: Fraction
    rotations: Array
    """(N, B, 3, 3) relative to the parent bone."""
    root: Array
    """(N, 3) m, place of the first bone."""
    hips: Array | None
    """(N, 3) m, place of the hips' bone in the axes of the first; None where it is the first."""
    joints: Array
    """(N, J, 3) m, where the body's joints are: computed without the bones, to check them by."""
    seen: Mask
    """(N,) measured; elsewhere interpolated or held."""
    vertices: Array
    """(V, 3) m, the body in the rig's rest pose."""
    rest_joints: Array
    """(J, 3) m, joints of the shape at rest, where the body file has its origin."""
    name: str
    """The person's; '' without one."""

    @property
    def frames(self) -> int:
        """N."""
        return len(self.root)

    @property
    def joint_bones(self) -> Ints:
        """(J,) the bone of each of the body's joints."""
        return np.flatnonzero(self.bones.joint >= 0)

    def moving(self) -> list[tuple[int, Array]]:
        """The bones whose place changes, each with its places (N, 3) relative to its parent."""
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
        Of which rig, in_place and rest_first count here; the others are in `motion` already.
    plain_axes : bool
        As `rigs.rig_skeleton`.
    """
    shaped = body.template + body.shape_directions @ motion.shape
    lowest = float(shaped[:, 1].min())
    bones = rig_skeleton(body, motion.rest, lowest, options.rig, plain_axes=plain_axes)
    vertices = PointSet.vertices(body).pose(bones.body_rotations, motion.shape)
    vertices = vertices - [motion.rest[0, 0], lowest, motion.rest[0, 2]]

    world, joints = joint_transforms(body, motion.rotations, motion.rest)
    place = motion.root.copy()
    if options.in_place:
        place[:, [0, 2]] = 0.0
    joints += (place - joints[:, 0])[:, None]
    turns = _local_turns(world, bones)
    del world
    seen = motion.seen
    if options.rest_first:
        # where the motion starts, standing on the ground
        standing = bones.rest_position[bones.joint >= 0]
        start = [place[0, 0], bones.rest_position[bones.hips, 1], place[0, 2]]
        standing = standing + (start - standing[0])
        joints = np.concatenate([standing[None], joints])
        turns = np.concatenate([bones.rest_local_rotation[None], turns])
        place = np.concatenate([[start], place])
        seen = np.r_[False, seen]
    root, hips = place, None
    if bones.hips != 0:
        root = place * [1.0, 0.0, 1.0]
        hips = (place - root) @ bones.axes[0]
    return Scene(
        body=body,
        shape=motion.shape,
        bones=bones,
        rate=motion.rate,
        rotations=turns,
        root=root,
        hips=hips,
        joints=joints,
        seen=seen,
        vertices=vertices,
        rest_joints=motion.rest,
        name=motion.name,
    )


def _local_turns(world: Array, bones: Skeleton) -> Array:
    oriented = np.broadcast_to(bones.axes, (len(world), *bones.axes.shape)).copy()
    of_body = np.flatnonzero(bones.joint >= 0)
    oriented[:, of_body] = world[:, bones.joint[of_body]] @ bones.axes[of_body]
    turns = oriented.copy()
    for bone in np.flatnonzero(bones.parents >= 0):
        turns[:, bone] = np.swapaxes(oriented[:, bones.parents[bone]], 1, 2) @ oriented[:, bone]
    return turns
