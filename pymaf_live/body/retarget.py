"""Retargeting of poses to another body with the same kinds of joints.

Joint rotations are transferred, corrected by the difference of the two bodies' bones at rest, to a
body whose shape has bones of similar length. The remaining joint errors come from the different
skeletons: walking the tree from the root, each bone is rotated by the smallest rotation that points
it at the other body's joint, which keeps its twist.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pymaf_live.body.kinematics import joint_transforms, pose_joints, rest_joints
from pymaf_live.body.model import Body
from pymaf_live.body.rotations import rotation_between
from pymaf_live.errors import ModelError
from pymaf_live.types import Array, Ints

_MIN_COMMON_JOINTS = 10
_BONE_ERROR = 0.01
"""Bone length difference, m, that weighs as much as a shape coefficient of 1."""
_ITERATIONS = 3
_REGULARISATION = 0.3
"""Weight of the transferred rotation, relative to one bone, at joints where several bones meet."""


@dataclass(frozen=True)
class RetargetedPoses:
    """Poses on the target body; N rows, J of its joints, S of its shape coefficients."""

    rotations: Array
    """(N, J, 3, 3) relative to the parent."""
    shape: Array
    """(N, S)"""
    translation: Array
    """(N, 3) m"""
    joints: Array
    """(N, J, 3) m"""
    error: Array
    """(N,) mean distance of the joints that both bodies have, m."""


def retarget_poses(
    source: Body, target: Body, rotations: Array, shape: Array, translation: Array
) -> RetargetedPoses:
    """Transfer poses of `source` to `target`.

    Parameters
    ----------
    source, target : Body
        Joints are matched by name.
    rotations : (N, J, 3, 3) array
        Rotations of the source, relative to the parent.
    shape : (N, S) array
    translation : (N, 3) array
        Metres.

    Raises
    ------
    ModelError
        If the bodies have too few joints in common.
    """
    own, other = _common_joints(source, target)
    rotations = np.asarray(rotations, dtype=np.float64)
    shape = np.asarray(shape, dtype=np.float64)
    source_joints = pose_joints(source, rotations, shape, translation)
    source_rest = rest_joints(source, shape)
    coefficients = _fitted_shape(target, source_rest, own, other)
    rest = rest_joints(target, coefficients)
    source_world, _ = joint_transforms(source, rotations, source_rest)
    goals = np.full((len(source_joints), target.joint_count, 3), np.nan)
    goals[:, other] = source_joints[:, own]
    bones = [[int(c) for c in np.flatnonzero(target.parents == j) if c in other]
             for j in range(target.joint_count)]  # fmt: skip
    world = _transferred(target, source_world, source_rest, rest, own, other, bones)
    shift = goals[:, other[0]] - rest[:, other[0]]
    for _ in range(_ITERATIONS):
        world = _aimed(target, world, rest, shift, goals, bones)
        local = _local_rotations(target, world)
        joints = pose_joints(target, local, coefficients, shift)
        shift = shift + (goals - joints)[:, other].mean(axis=1)
    joints = pose_joints(target, local, coefficients, shift)
    error = np.linalg.norm((goals - joints)[:, other], axis=-1).mean(axis=1)
    return RetargetedPoses(local, coefficients, shift, joints, error)


def _common_joints(source: Body, target: Body) -> tuple[Ints, Ints]:
    """Return the indices (C,) of the common joints in source and target."""
    names = [name for name in target.joint_names if name in source.joint_names]
    own = np.array([source.joint_names.index(name) for name in names], dtype=np.int64)
    other = np.array([target.joint_names.index(name) for name in names], dtype=np.int64)
    if len(names) < _MIN_COMMON_JOINTS or own[0] != 0 or other[0] != 0:
        raise ModelError(f"the bodies have only {len(names)} joints in common")
    return own, other


def _fitted_shape(target: Body, rest: Array, own: Ints, other: Ints) -> Array:
    """Return the likeliest shape (N, S) with bones as long as in the source's rest (N, J, 3)."""
    source_joint = {int(theirs): int(ours) for ours, theirs in zip(own, other, strict=True)}
    pairs = [
        (child, int(parent))
        for child, parent in enumerate(target.parents)
        if child in source_joint and int(parent) in source_joint
    ]
    child, parent = np.array(pairs).T
    source_bones = (
        rest[:, [source_joint[c] for c in child]] - rest[:, [source_joint[p] for p in parent]]
    )
    goal_lengths = np.linalg.norm(source_bones, axis=-1)
    flat = target.shape_directions.reshape(len(target.template), -1)
    derivative = (target.joint_regressor @ flat).reshape(target.joint_count, 3, -1)
    derivative = derivative[child] - derivative[parent]
    mean = rest_joints(target, np.zeros(target.shape_count))
    bones = mean[child] - mean[parent]
    lengths = np.linalg.norm(bones, axis=-1)
    directions = bones / np.maximum(lengths, 1e-6)[:, None]
    matrix = np.einsum("bcs,bc->bs", derivative, directions) / _BONE_ERROR
    normal = matrix.T @ matrix + np.eye(target.shape_count)
    right = matrix.T @ ((goal_lengths - lengths) / _BONE_ERROR).T
    fitted: Array = np.linalg.solve(normal, right).T
    return fitted


def _transferred(
    target: Body,
    source_world: Array,
    source_rest: Array,
    rest: Array,
    own: Ints,
    other: Ints,
    bones: list[list[int]],
) -> Array:
    """Return world rotations (N, J, 3, 3) of the target with its bones parallel to the source's."""
    source_joint = {int(theirs): int(ours) for ours, theirs in zip(own, other, strict=True)}
    world = np.empty((len(source_world), target.joint_count, 3, 3))
    for joint in range(target.joint_count):
        if joint not in source_joint:
            world[:, joint] = world[:, int(target.parents[joint])]
            continue
        world[:, joint] = source_world[:, source_joint[joint]]
        if len(bones[joint]) == 1:
            (child,) = bones[joint]
            bone = rest[:, child] - rest[:, joint]
            source_bone = source_rest[:, source_joint[child]] - source_rest[:, source_joint[joint]]
            world[:, joint] = world[:, joint] @ rotation_between(bone, source_bone)
    return world


def _aimed(
    target: Body, world: Array, rest: Array, shift: Array, goals: Array, bones: list[list[int]]
) -> Array:
    """Return world rotations whose bones point at the goals, from the root on."""
    world, positions = world.copy(), np.empty_like(rest)
    for joint, parent in enumerate(target.parents):
        if parent < 0:
            positions[:, joint] = rest[:, joint] + shift
        else:
            bone = (world[:, parent] @ (rest[:, joint] - rest[:, parent])[..., None])[..., 0]
            positions[:, joint] = positions[:, parent] + bone
        children = bones[joint]
        if not children:
            continue
        current = (rest[:, children] - rest[:, joint, None]) @ world[:, joint].swapaxes(-1, -2)
        aims = goals[:, children] - positions[:, joint, None]
        if len(children) == 1:
            correction = rotation_between(current[:, 0], aims[:, 0])
        else:
            correction = _best_rotation(current, aims)
        world[:, joint] = correction @ world[:, joint]
    return world


def _best_rotation(bones: Array, aims: Array) -> Array:
    """Return rotations (N, 3, 3) that bring several bones (N, C, 3) closest to aims (Kabsch).

    Regularised towards the identity.
    """
    length = (bones * bones).sum(axis=-1).mean(axis=-1)[:, None, None]
    covariance = np.einsum("nci,ncj->nij", aims, bones) + _REGULARISATION * length * np.eye(3)
    u, _, vt = np.linalg.svd(covariance)
    u[..., 2] *= np.sign(np.linalg.det(u @ vt))[:, None]
    rotation: Array = u @ vt
    return rotation


def _local_rotations(target: Body, world: Array) -> Array:
    local = world.copy()
    inner = np.flatnonzero(target.parents >= 0)
    parents = world[:, target.parents[inner]]
    local[:, inner] = parents.swapaxes(-1, -2) @ world[:, inner]
    return local
