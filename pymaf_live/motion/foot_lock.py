"""Foot locking: standing feet stay in place, by moving the body and then bending the legs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import numpy as np

from pymaf_live.body import Body, PointSet
from pymaf_live.body.two_bone import Leg, solve_two_bone
from pymaf_live.motion.contacts import Stance, contact_probability, find_stances
from pymaf_live.motion.posed_segments import (
    PosedSegment,
    posed_segments,
    with_posed_segments,
)
from pymaf_live.motion.sparse_least_squares import SparseLeastSquares
from pymaf_live.motion.steady_view import steadied, unsteadied
from pymaf_live.takes.ground import Ground, ball_heights, ground_of
from pymaf_live.takes.legs import legs_at_rest
from pymaf_live.takes.npz_file import require_body
from pymaf_live.takes.take import Take
from pymaf_live.types import Array, Ints

FootLock = Literal["auto", "always", "never"]

_SIDES = ("left", "right")
_REQUIRED_JOINTS = tuple(f"{s}_{p}" for s in _SIDES for p in ("hip", "knee", "ankle", "foot"))
_MIN_CONFIDENCE = 0.6
"""Smallest mean probability of a stance that 'auto' locks."""
_MAX_SHIFT = 0.2
"""Largest distance that 'auto' moves a foot, m."""
_KNEE_STIFFNESS = 0.05
"""Change of a leg's length per turn of the knee, m/rad, below which the foot gives way rather than
the knee (`solve_two_bone`): it is 0.2 where the knee is bent by 60 degrees, 0.02 at 6."""
_KNEE_EASING = 0.05
"""Time over which changes of a knee's angle are averaged, s; meanwhile the foot gives way."""
_RAMP = 0.15
"""Blend time before and after a stance, s."""
_FOOT_ERROR, _GROUND_ERROR = 0.02, 0.02
"""m: tolerance of a standing foot about its anchor, and of the anchor about the ground."""
_LATERAL_ERROR, _DEPTH_ERROR = 0.01, 0.05
"""m: typical shift of the body across the line of sight, which the image shows well, and along."""
_CORRELATION_TIME = 0.3
"""Time over which errors of the depth are correlated and count once, s."""
_ACCELERATION = 2.0
"""Typical acceleration of the shift, m/s^2."""
_PENETRATION = 0.02
"""Depth in the ground up to which the body is not lifted, m: skin that a floor presses flat."""
_MAX_LIFT = 0.3
"""m"""
_BATCH_ROWS = 64
"""Rows posed at once, to bound memory."""


def lock_feet(take: Take, body: Body, mode: FootLock = "auto") -> Take:
    """Hold standing feet still and on one ground.

    Where the take tells how the camera moves, feet are held still in the world. Stances are found
    from how slow and low the feet are (`contacts`), over the ground of the take, which is the same
    for all people. The body is then shifted, smoothly and mostly in depth, so that standing feet
    stay at fixed anchors on the ground; the legs bend to cover the rest. Where the body would be in
    the ground, it is lifted. Legs at rest (`rest_legs`) do not stand anywhere.

    Parameters
    ----------
    take : Take
        Preferably smoothed.
    body : Body
        Body that the take was made with, with SMPL's joint names.
    mode : {'auto', 'always', 'never'}
        'auto' locks stances with high confidence that move a foot by at most 20 cm, 'always' all
        stances, 'never' returns the take as it is. Takes of separate images stay as they are.

    Raises
    ------
    InputError
        If the take was made with another body.
    """
    require_body(take, body)
    names = {name: index for index, name in enumerate(body.joint_names)}
    if mode == "never" or take.picture_name or not {*_REQUIRED_JOINTS, "neck"} <= names.keys():
        return take
    if take.camera_motion is not None:
        steady = steadied(take)
        return unsteadied(lock_feet(steady, body, mode), take)
    segments = posed_segments(take, body)
    if not segments:
        return take
    ground, resting = ground_of(take, body), legs_at_rest(take)
    locked = []
    for segment in segments:
        shape = np.asarray(take.shape[segment.rows[0]], dtype=np.float64)
        balls = ground.raised(float(ball_heights(shape[None], body).mean()))
        feet = segment.posed(body)[1][:, [names[f"{side}_foot"] for side in _SIDES]]
        contact = contact_probability(feet, segment.times, balls)
        contact[resting[segment.rows]] = 0.0
        stances = find_stances(contact, segment.times)
        held = _locked(segment, stances, balls, body, names, mode)
        locked.append(held if held is segment else _above_ground(held, shape, body, ground, names))
    return with_posed_segments(take, body, locked)


def _locked(
    segment: PosedSegment,
    stances: list[Stance],
    ground: Ground,
    body: Body,
    names: Mapping[str, int],
    mode: FootLock,
) -> PosedSegment:
    """Return the segment with the body shifted and the legs bent for its stances."""
    if mode == "auto":
        stances = [stance for stance in stances if stance.confidence >= _MIN_CONFIDENCE]
    feet = segment.posed(body)[1][:, [names[f"{side}_foot"] for side in _SIDES]]
    while stances:
        shift, anchors = _fit_body_shift(segment, feet, stances, ground)
        if mode == "always":
            break
        # a foot that would have to move far does not stand, whatever its speed and height
        distance = [
            np.abs(anchors[i] - (feet[s.frames, s.foot] + shift[s.frames])).max()
            for i, s in enumerate(stances)
        ]
        if max(distance) <= _MAX_SHIFT:
            break
        stances = [stance for i, stance in enumerate(stances) if i != int(np.argmax(distance))]
    if not stances:
        return segment
    segment = replace(segment, root=segment.root + shift)
    feet = feet + shift[:, None]
    for foot, side in enumerate(_SIDES):
        own = [(s, anchors[i]) for i, s in enumerate(stances) if s.foot == foot]
        if own:
            foot_shift = _foot_shift(feet[:, foot], own, segment.times)
            rotations = _with_leg_bent(segment, foot_shift, side, body, names)
            segment = replace(segment, rotations=rotations)
    return segment


def _above_ground(
    segment: PosedSegment, shape: Array, body: Body, ground: Ground, names: Mapping[str, int]
) -> PosedSegment:
    """Return the segment with feet, then the whole body, lifted out of the ground, smoothly."""
    part = body.skin_weights[body.sample_vertices].argmax(axis=1)
    for side in _SIDES:
        foot = np.isin(part, [names[f"{side}_ankle"], names[f"{side}_foot"]])
        if not foot.any():
            continue
        lift = _lift(segment, shape, body, ground, np.asarray(body.sample_vertices)[foot])
        if lift.any():
            bent = _with_leg_bent(segment, lift[:, None] * ground.up, side, body, names)
            segment = replace(segment, rotations=bent)
    lift = _lift(segment, shape, body, ground, np.asarray(body.sample_vertices))
    return replace(segment, root=segment.root + lift[:, None] * ground.up)


def _lift(segment: PosedSegment, shape: Array, body: Body, ground: Ground, vertices: Ints) -> Array:
    """Return by how much (N,) m to lift these vertices so that none is deep in the ground."""
    from scipy.ndimage import maximum_filter1d, uniform_filter1d

    points = PointSet.vertices(body, vertices)
    lowest = np.empty(len(segment.rows))
    for rows in np.array_split(np.arange(len(lowest)), -(-len(lowest) // _BATCH_ROWS)):
        shapes = np.broadcast_to(shape, (len(rows), len(shape)))
        posed = points.pose(
            segment.rotations[rows], shapes, segment.root[rows] - segment.rest[rows, 0]
        )
        lowest[rows] = ground.height_above(posed).min(axis=-1)
    lift = np.maximum(-lowest - _PENETRATION, 0.0)
    lift[lift > _MAX_LIFT] = 0.0  # on another floor, or the pose is wrong
    rate = (len(lift) - 1) / (segment.times[-1] - segment.times[0])
    size = 2 * max(1, round(_RAMP * rate)) + 1
    # the mean of windows that all contain a frame is at least its own lift
    smooth = uniform_filter1d(maximum_filter1d(lift, size, mode="nearest"), size, mode="nearest")
    return np.asarray(smooth)


def _fit_body_shift(
    segment: PosedSegment, feet: Array, stances: list[Stance], ground: Ground
) -> tuple[Array, Array]:
    """Return the shift of the body (N, 3) m and the anchors (S, 3) m of the stances.

    Sparse least squares over the distances of standing feet from their anchors, of the anchors from
    the ground, the shift itself and its acceleration, each relative to its typical size.
    """
    count = len(feet)
    system = SparseLeastSquares(3 * (count + len(stances)))
    for index, stance in enumerate(stances):
        frames = np.arange(stance.first, stance.last + 1)
        anchor = 3 * (count + index) + np.arange(3)
        columns = np.stack(
            np.broadcast_arrays(3 * frames[:, None] + np.arange(3), anchor), axis=-1
        ).reshape(-1, 2)
        target = -feet[frames, stance.foot].ravel()
        system.add(columns, np.broadcast_to([1.0, -1.0], columns.shape), target, _FOOT_ERROR)
        error = _GROUND_ERROR / np.sqrt(len(frames))
        system.add(anchor[None], ground.up[None], np.array([ground.height]), error)
    every = 3 * np.arange(count)[:, None, None] + np.arange(3)
    _add_shift_penalty(system, every, segment)
    _add_acceleration_penalty(system, every, segment.times)
    solution = system.solve().reshape(-1, 3)
    return solution[:count], solution[count:]


def _add_shift_penalty(system: SparseLeastSquares, every: Ints, segment: PosedSegment) -> None:
    rays = segment.root / np.linalg.norm(segment.root, axis=1, keepdims=True)
    count, times = len(rays), segment.times
    rate = (count - 1) / (times[-1] - times[0])
    correlated = max(1.0, float(np.sqrt(_CORRELATION_TIME * rate)))
    across, along = 1 / _LATERAL_ERROR, 1 / (_DEPTH_ERROR * correlated)
    weight = across * np.eye(3) + (along - across) * rays[:, :, None] * rays[:, None]
    columns = np.broadcast_to(every, weight.shape).reshape(-1, 3)
    system.add(columns, weight.reshape(-1, 3), np.zeros(3 * count), 1.0)


def _add_acceleration_penalty(system: SparseLeastSquares, every: Ints, times: Array) -> None:
    steps = np.diff(times)
    before, after = steps[:-1], steps[1:]
    middle = (before + after) / 2
    second = np.stack([1 / before, -1 / before - 1 / after, 1 / after], axis=1) / middle[:, None]
    columns = every[1:-1, 0, :, None] + np.array([-3, 0, 3])
    values = np.broadcast_to(second[:, None], columns.shape).reshape(-1, 3)
    target = np.zeros(3 * (len(times) - 2))
    system.add(columns.reshape(-1, 3), values, target, _ACCELERATION)


def _foot_shift(foot: Array, stances: list[tuple[Stance, Array]], times: Array) -> Array:
    """Return the vectors (N, 3) in m that move a foot (N, 3) onto its anchors.

    In full during a stance, fading out before and after.
    """
    shift = np.zeros_like(foot)
    stances = sorted(stances, key=lambda pair: pair[0].first)
    for stance, anchor in stances:
        shift[stance.frames] = anchor - foot[stance.frames]
    full = shift.copy()
    for index, (stance, _) in enumerate(stances):
        start, end = times[stance.first], times[stance.last]
        previous = times[stances[index - 1][0].last] if index else -np.inf
        following = times[stances[index + 1][0].first] if index + 1 < len(stances) else np.inf
        ramp = min(_RAMP, (start - previous) / 2)
        rising = np.flatnonzero((times < start) & (times > start - ramp))
        weight = _smoothstep(1 - (start - times[rising]) / ramp)
        shift[rising] += full[stance.first] * weight[:, None]
        ramp = min(_RAMP, (following - end) / 2)
        falling = np.flatnonzero((times > end) & (times < end + ramp))
        weight = _smoothstep(1 - (times[falling] - end) / ramp)
        shift[falling] += full[stance.last] * weight[:, None]
    return shift


def _smoothstep(fraction: Array) -> Array:
    return np.asarray(fraction**2 * (3 - 2 * fraction))


def _with_leg_bent(
    segment: PosedSegment, shift: Array, side: str, body: Body, names: Mapping[str, int]
) -> Array:
    """Return rotations (N, J, 3, 3) that move one ankle by `shift` (N, 3) m.

    The foot keeps its orientation.
    """
    hip, knee, ankle = (names[f"{side}_{part}"] for part in ("hip", "knee", "ankle"))
    world, positions = segment.posed(body)
    leg = Leg(
        positions[:, hip], positions[:, knee], positions[:, ankle], world[:, hip], world[:, knee]
    )
    rate = (len(shift) - 1) / (segment.times[-1] - segment.times[0])
    target = positions[:, ankle] + shift
    thigh, shank = solve_two_bone(leg, target, _KNEE_STIFFNESS, _KNEE_EASING * rate)
    rotations = np.array(segment.rotations)
    rotations[:, hip] = _inverse(world[:, body.parents[hip]]) @ thigh
    rotations[:, knee] = _inverse(thigh) @ shank
    rotations[:, ankle] = _inverse(shank) @ world[:, ankle]
    return rotations


def _inverse(rotations: Array) -> Array:
    return np.swapaxes(rotations, -1, -2)
