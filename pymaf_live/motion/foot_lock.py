"""Feet that stand stay where they are: first by where the body is, then by bending the legs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from scipy.sparse import csr_matrix

from pymaf_live.body import Body, joint_transforms, pose_joints, project, rest_joints
from pymaf_live.body.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from pymaf_live.motion.contacts import Stance, contact_probability, stances
from pymaf_live.motion.ground import Ground, ground_under, up_of_standing
from pymaf_live.motion.motion_model import RESET_GAP
from pymaf_live.motion.outlier_gate import finite_rows
from pymaf_live.motion.two_bone import Leg, reach
from pymaf_live.takes.npz_file import require_body
from pymaf_live.takes.take import Take
from pymaf_live.types import Array, Camera, Ints

FootLock = Literal["auto", "always", "never"]

_SIDES = ("left", "right")
_NEEDED = tuple(f"{s}_{p}" for s in _SIDES for p in ("hip", "knee", "ankle", "foot"))
_SURE = 0.6
"""Mean probability of a stance that 'auto' locks."""
_FAR = 0.2
"""m that 'auto' moves a foot by at most."""
_RAMP = 0.15
"""s over which a foot is let go, and caught."""
_FOOT, _ON_GROUND = 0.02, 0.02
"""m: how firmly the body's place holds standing feet, and these the ground."""
_ACROSS, _DEPTH = 0.01, 0.05
"""m that the body may be moved by, across the line of sight (the picture tells well) and along."""
_ALIKE = 0.3
"""s in which the depth's errors are alike: so long a stretch counts once."""
_CHANGE = 2.0
"""m/s^2 that this may bring in."""


@dataclass(frozen=True)
class _Walk:
    """A stretch of one person's rows without a gap; N of them."""

    rows: Ints
    times: Array
    rotations: Array
    """(N, J, 3, 3)"""
    rest: Array
    """(N, J, 3)"""
    root: Array
    """(N, 3) m"""


def lock_feet(take: Take, body: Body, mode: FootLock = "auto") -> Take:
    """Hold standing feet still and on one ground.

    For takes of a camera that does not move. When feet stand is found from how slow they are in
    the picture and how low (`contacts`). The body's place is then moved, smoothly and mostly in
    depth, so that standing feet stay in their places on the ground; the legs take up the rest.

    Parameters
    ----------
    take : Take
        Better smoothed before.
    body : Body
        The one the take was made with; joints named as SMPL's.
    mode : {'auto', 'always', 'never'}
        'auto' holds feet that surely stand and would be moved by at most 20 cm, 'always' all that
        seem to stand, 'never' returns the take as it is. Separate pictures stay as they are.

    Raises
    ------
    InputError
        If the take was made with another body.
    """
    require_body(take, body)
    names = {name: index for index, name in enumerate(body.joint_names)}
    if mode == "never" or take.picture_name or not {*_NEEDED, "neck"} <= names.keys():
        return take
    walks = _walks_of(take, body)
    if not walks:
        return take
    up = up_of_standing(np.concatenate([_posed(body, walk)[1] for walk in walks]), names)
    found = []
    resting = []
    for walk in walks:
        feet = _posed(body, walk)[1][:, [names["left_foot"], names["right_foot"]]]
        probability, _ = contact_probability(feet, walk.times, up)
        own = stances(probability, walk.times)
        found.append(own)
        resting += [np.median(feet[s.frames, s.foot], axis=0) for s in own]
    if not resting:
        return take
    ground = ground_under(np.array(resting), up)
    locked = [
        _locked(walk, own, ground, body, names, mode)
        for walk, own in zip(walks, found, strict=True)
    ]
    return _retold(take, body, locked)


def _walks_of(take: Take, body: Body) -> list[_Walk]:
    walks = []
    times = np.asarray(take.frame_time, dtype=np.float64)
    finite = finite_rows(take)
    for person in np.unique(take.person):
        rows = np.flatnonzero((take.person == person) & finite)
        own = times[take.frame[rows]]
        for part in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(own) > RESET_GAP) + 1):
            if len(part) < 3 or (np.diff(own[part]) <= 0).any():
                continue
            chosen = rows[part]
            rest = rest_joints(body, np.asarray(take.shape[chosen], dtype=np.float64))
            walks.append(
                _Walk(
                    chosen,
                    own[part],
                    matrix_from_axis_angle(take.pose[chosen]),
                    rest,
                    np.asarray(take.translation[chosen], dtype=np.float64) + rest[:, 0],
                )
            )
    return walks


def _posed(body: Body, walk: _Walk) -> tuple[Array, Array]:
    """World rotations (N, J, 3, 3) and places (N, J, 3) m of the joints."""
    world, places = joint_transforms(body, walk.rotations, walk.rest)
    return world, places + (walk.root - walk.rest[:, 0])[:, None]


def _locked(
    walk: _Walk,
    found: list[Stance],
    ground: Ground,
    body: Body,
    names: Mapping[str, int],
    mode: FootLock,
) -> _Walk:
    feet_of = [names[f"{side}_foot"] for side in _SIDES]
    if mode == "auto":
        found = [stance for stance in found if stance.sure >= _SURE]
    feet = _posed(body, walk)[1][:, feet_of]
    while found:
        moved, anchors = _place(walk, feet, found, ground)
        if mode == "always":
            break
        # a foot that would have to be moved far does not stand, whatever it looks like
        off = [
            np.abs(anchors[i] - (feet[s.frames, s.foot] + moved[s.frames])).max()
            for i, s in enumerate(found)
        ]
        if max(off) <= _FAR:
            break
        found = [stance for i, stance in enumerate(found) if i != int(np.argmax(off))]
    if not found:
        return walk
    walk = replace(walk, root=walk.root + moved)
    feet = feet + moved[:, None]
    rotations = np.array(walk.rotations)
    for foot, side in enumerate(_SIDES):
        own = [(s, anchors[i]) for i, s in enumerate(found) if s.foot == foot]
        if own:
            shift = _shift(feet[:, foot], own, walk.times)
            rotations = _bent(replace(walk, rotations=rotations), shift, side, body, names)
    return replace(walk, rotations=rotations)


def _place(walk: _Walk, feet: Array, found: list[Stance], ground: Ground) -> tuple[Array, Array]:
    """Shift of the body (N, 3) m and places (S, 3) of the stances, by sparse least squares.

    Minimises, each in units of what is usual, the distances of standing feet from their stance's
    place, of these places from the ground, the shift and its acceleration.
    """
    count, stands = len(feet), len(found)
    system = _System(3 * (count + stands))
    for index, stance in enumerate(found):
        frames = np.arange(stance.first, stance.last + 1)
        place = 3 * (count + index) + np.arange(3)
        columns = np.stack(
            np.broadcast_arrays(3 * frames[:, None] + np.arange(3), place), axis=-1
        ).reshape(-1, 2)
        wanted = -feet[frames, stance.foot].ravel()
        system.add(columns, np.broadcast_to([1.0, -1.0], columns.shape), wanted, _FOOT)
        firmness = _ON_GROUND / np.sqrt(len(frames))
        system.add(place[None], ground.up[None], np.array([ground.height]), firmness)
    every = 3 * np.arange(count)[:, None, None] + np.arange(3)
    rays = walk.root / np.linalg.norm(walk.root, axis=1, keepdims=True)
    per_second = (count - 1) / (walk.times[-1] - walk.times[0])
    alike = max(1.0, float(np.sqrt(_ALIKE * per_second)))
    across, along = 1 / _ACROSS, 1 / (_DEPTH * alike)
    weight = across * np.eye(3) + (along - across) * rays[:, :, None] * rays[:, None]
    columns = np.broadcast_to(every, weight.shape).reshape(-1, 3)
    system.add(columns, weight.reshape(-1, 3), np.zeros(3 * count), 1.0)
    steps = np.diff(walk.times)
    before, after = steps[:-1], steps[1:]
    middle = (before + after) / 2
    bend = np.stack([1 / before, -1 / before - 1 / after, 1 / after], axis=1) / middle[:, None]
    columns = every[1:-1, 0, :, None] + np.array([-3, 0, 3])
    bends = np.broadcast_to(bend[:, None], columns.shape).reshape(-1, 3)
    system.add(columns.reshape(-1, 3), bends, np.zeros(3 * (count - 2)), _CHANGE)
    answer = system.solve().reshape(-1, 3)
    return answer[:count], answer[count:]


class _System:
    """Sparse least squares, put together block by block."""

    def __init__(self, unknowns: int) -> None:
        self._normal = csr_matrix((unknowns, unknowns))
        self._wanted = np.zeros(unknowns)

    def add(self, columns: Ints, values: Array, wanted: Array, error: float) -> None:
        """Equations (M,): sums of `values` (M, K) times the unknowns `columns` (M, K)."""
        rows = np.repeat(np.arange(len(columns)), columns.shape[1])
        shape = (len(columns), len(self._wanted))
        block = csr_matrix((np.ravel(values) / error, (rows, np.ravel(columns))), shape)
        self._normal = self._normal + block.T @ block
        self._wanted += block.T @ (wanted / error)

    def solve(self) -> Array:
        # its import takes a twentieth of the program's start, which needs none of this
        from scipy.sparse.linalg import spsolve

        return np.asarray(spsolve(self._normal.tocsc(), self._wanted))


def _shift(foot: Array, own: list[tuple[Stance, Array]], times: Array) -> Array:
    """Vectors (N, 3) in m by which a foot (N, 3) is moved.

    Onto its places while it stands, less and less before and after.
    """
    shift = np.zeros_like(foot)
    own = sorted(own, key=lambda pair: pair[0].first)
    for stance, place in own:
        shift[stance.frames] = place - foot[stance.frames]
    edges = shift.copy()
    for index, (stance, _) in enumerate(own):
        start, end = times[stance.first], times[stance.last]
        last = times[own[index - 1][0].last] if index else -np.inf
        following = times[own[index + 1][0].first] if index + 1 < len(own) else np.inf
        ramp = min(_RAMP, (start - last) / 2)
        rising = np.flatnonzero((times < start) & (times > start - ramp))
        shift[rising] += edges[stance.first] * _ease(1 - (start - times[rising]) / ramp)[:, None]
        ramp = min(_RAMP, (following - end) / 2)
        falling = np.flatnonzero((times > end) & (times < end + ramp))
        shift[falling] += edges[stance.last] * _ease(1 - (times[falling] - end) / ramp)[:, None]
    return shift


def _ease(part: Array) -> Array:
    return np.asarray(part**2 * (3 - 2 * part))


def _bent(walk: _Walk, shift: Array, side: str, body: Body, names: Mapping[str, int]) -> Array:
    """Rotations (N, J, 3, 3) with one ankle moved by `shift` (N, 3) m; the foot turns not."""
    hip, knee, ankle = (names[f"{side}_{part}"] for part in ("hip", "knee", "ankle"))
    world, places = _posed(body, walk)
    leg = Leg(places[:, hip], places[:, knee], places[:, ankle], world[:, hip], world[:, knee])
    thigh, shank = reach(leg, places[:, ankle] + shift)
    rotations = np.array(walk.rotations)
    rotations[:, hip] = _inverse(world[:, body.parents[hip]]) @ thigh
    rotations[:, knee] = _inverse(thigh) @ shank
    rotations[:, ankle] = _inverse(shank) @ world[:, ankle]
    moved = (shift != 0).any(axis=1)
    return np.where(moved[:, None, None, None], rotations, walk.rotations)


def _inverse(rotations: Array) -> Array:
    return np.swapaxes(rotations, -1, -2)


def _retold(take: Take, body: Body, walks: list[_Walk]) -> Take:
    """The take with other rotations and places, and what follows from them."""
    camera = Camera(take.focal_length, np.asarray(take.principal_point), take.frame_size)
    changed: dict[str, Any] = {
        name: np.array(getattr(take, name))
        for name in ("pose", "translation", "joints", "joints_2d", "box")
    }
    for walk in walks:
        shape = np.asarray(take.shape[walk.rows], dtype=np.float64)
        translation = walk.root - walk.rest[:, 0]
        joints = pose_joints(body, walk.rotations, shape, translation)
        joints_2d = project(joints, camera)
        changed["pose"][walk.rows] = axis_angle_from_matrix(walk.rotations)
        changed["translation"][walk.rows] = translation
        changed["joints"][walk.rows] = joints
        changed["joints_2d"][walk.rows] = joints_2d
        changed["box"][walk.rows] = np.concatenate(
            [joints_2d.min(axis=1), joints_2d.max(axis=1)], axis=1
        )
    return replace(take, **changed)
