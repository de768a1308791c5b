"""Poses of one body carried to another with the same kinds of joints.

Joint rotations go over as they are, each turned by how the two bodies' bones lie at rest, onto a
body whose shape has bones as long as can be. The joints then miss each other by what the skeletons
differ in; walking the tree from the root, each bone is turned by the least that points it where the
other body's joint is, which keeps its twist.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pymaf_live.body.kinematics import joint_transforms, pose_joints, rest_joints
from pymaf_live.body.model import Body
from pymaf_live.body.rotations import rotation_between
from pymaf_live.errors import ModelError
from pymaf_live.types import Array, Ints

_LEAST_SHARED = 10
_BONE_OFF = 0.01
"""Metres that a bone may differ for a shape coefficient of one."""
_ROUNDS = 3
_STAYS = 0.3
"""Weight of the rotation that was carried over, where several bones meet, against one bone's."""


@dataclass(frozen=True)
class Retargeted:
    """Poses on the other body; N rows, J of its joints, S of its shapes."""

    rotations: Array
    """(N, J, 3, 3) relative to the parent."""
    shape: Array
    """(N, S)"""
    translation: Array
    """(N, 3) m"""
    joints: Array
    """(N, J, 3) m"""
    error: Array
    """(N,) m: mean distance of the joints that both bodies have."""


def retargeted(
    source: Body, target: Body, rotations: Array, shape: Array, translation: Array
) -> Retargeted:
    """Carry poses of `source` over to `target`.

    Parameters
    ----------
    source, target : Body
        Joints are matched by name.
    rotations : (N, J, 3, 3) array
        Of the source, relative to the parent.
    shape : (N, S) array
    translation : (N, 3) array
        Metres.

    Raises
    ------
    ModelError
        If the bodies have too few joints in common.
    """
    own, other = _shared(source, target)
    rotations = np.asarray(rotations, dtype=np.float64)
    shape = np.asarray(shape, dtype=np.float64)
    wanted = pose_joints(source, rotations, shape, translation)
    rest_before = rest_joints(source, shape)
    coefficients = _fitted_shape(target, rest_before, own, other)
    rest = rest_joints(target, coefficients)
    turned, _ = joint_transforms(source, rotations, rest_before)
    placed = np.full((len(wanted), target.joint_count, 3), np.nan)
    placed[:, other] = wanted[:, own]
    bones = [[int(c) for c in np.flatnonzero(target.parents == j) if c in other]
             for j in range(target.joint_count)]  # fmt: skip
    world = _carried(target, turned, rest_before, rest, own, other, bones)
    moved = placed[:, other[0]] - rest[:, other[0]]
    for _ in range(_ROUNDS):
        world = _pointed(target, world, rest, moved, placed, bones)
        relative = _relative(target, world)
        found = pose_joints(target, relative, coefficients, moved)
        moved = moved + (placed - found)[:, other].mean(axis=1)
    found = pose_joints(target, relative, coefficients, moved)
    error = np.linalg.norm((placed - found)[:, other], axis=-1).mean(axis=1)
    return Retargeted(relative, coefficients, moved, found, error)


def _shared(source: Body, target: Body) -> tuple[Ints, Ints]:
    names = [name for name in target.joint_names if name in source.joint_names]
    own = np.array([source.joint_names.index(name) for name in names], dtype=np.int64)
    other = np.array([target.joint_names.index(name) for name in names], dtype=np.int64)
    if len(names) < _LEAST_SHARED or own[0] != 0 or other[0] != 0:
        raise ModelError(f"the bodies have only {len(names)} joints in common")
    return own, other


def _fitted_shape(target: Body, rest: Array, own: Ints, other: Ints) -> Array:
    """(N, S): the likeliest shape with bones as long as the source's at rest (N, J, 3)."""
    place = {int(theirs): int(ours) for ours, theirs in zip(own, other, strict=True)}
    pairs = [(c, int(p)) for c, p in enumerate(target.parents) if c in place and int(p) in place]
    child, parent = np.array(pairs).T
    before = rest[:, [place[c] for c in child]] - rest[:, [place[p] for p in parent]]
    lengths = np.linalg.norm(before, axis=-1)
    flat = target.shape_directions.reshape(len(target.template), -1)
    moves = (target.joint_regressor @ flat).reshape(target.joint_count, 3, -1)
    moves = moves[child] - moves[parent]
    mean = rest_joints(target, np.zeros(target.shape_count))
    along = mean[child] - mean[parent]
    long = np.linalg.norm(along, axis=-1)
    matrix = np.einsum("bcs,bc->bs", moves, along / np.maximum(long, 1e-6)[:, None]) / _BONE_OFF
    normal = matrix.T @ matrix + np.eye(target.shape_count)
    fitted: Array = np.linalg.solve(normal, matrix.T @ ((lengths - long) / _BONE_OFF).T).T
    return fitted


def _carried(
    target: Body,
    turned: Array,
    rest_before: Array,
    rest: Array,
    own: Ints,
    other: Ints,
    bones: list[list[int]],
) -> Array:
    """World rotations (N, J, 3, 3) of the target that hold its bones as the source's are held."""
    place = {int(theirs): int(ours) for ours, theirs in zip(own, other, strict=True)}
    world = np.empty((len(turned), target.joint_count, 3, 3))
    for joint in range(target.joint_count):
        if joint not in place:
            world[:, joint] = world[:, int(target.parents[joint])]
            continue
        world[:, joint] = turned[:, place[joint]]
        if len(bones[joint]) == 1:
            (child,) = bones[joint]
            theirs = rest[:, child] - rest[:, joint]
            ours = rest_before[:, place[child]] - rest_before[:, place[joint]]
            world[:, joint] = world[:, joint] @ rotation_between(theirs, ours)
    return world


def _pointed(
    target: Body, world: Array, rest: Array, moved: Array, placed: Array, bones: list[list[int]]
) -> Array:
    """World rotations whose bones point at where the joints are wanted, from the root on."""
    world, places = world.copy(), np.empty_like(rest)
    for joint, parent in enumerate(target.parents):
        if parent < 0:
            places[:, joint] = rest[:, joint] + moved
        else:
            bone = (world[:, parent] @ (rest[:, joint] - rest[:, parent])[..., None])[..., 0]
            places[:, joint] = places[:, parent] + bone
        children = bones[joint]
        if not children:
            continue
        held = (rest[:, children] - rest[:, joint, None]) @ world[:, joint].swapaxes(-1, -2)
        aims = placed[:, children] - places[:, joint, None]
        if len(children) == 1:
            turn = rotation_between(held[:, 0], aims[:, 0])
        else:
            turn = _nearest_turn(held, aims)
        world[:, joint] = turn @ world[:, joint]
    return world


def _nearest_turn(held: Array, aims: Array) -> Array:
    """(N, 3, 3): what turns several bones (N, C, 3) nearest to others, and little besides."""
    length = (held * held).sum(axis=-1).mean(axis=-1)[:, None, None]
    spread = np.einsum("nci,ncj->nij", aims, held) + _STAYS * length * np.eye(3)
    u, _, vt = np.linalg.svd(spread)
    u[..., 2] *= np.sign(np.linalg.det(u @ vt))[:, None]
    turn: Array = u @ vt
    return turn


def _relative(target: Body, world: Array) -> Array:
    relative = world.copy()
    below = np.flatnonzero(target.parents >= 0)
    above = world[:, target.parents[below]]
    relative[:, below] = above.swapaxes(-1, -2) @ world[:, below]
    return relative
