"""Refinement of a whole take: choice between stories, then one least-squares fit per person."""

from __future__ import annotations

import numpy as np

from pymaf_live.body import Body
from pymaf_live.body.rotations import axis_angle_from_rotation, matrix_from_axis_angle
from pymaf_live.motion.motion_model import MotionModel
from pymaf_live.motion.refinement.hypotheses import Choice, choose_poses
from pymaf_live.motion.refinement.trajectory import (
    HingeLimit,
    Measurements,
    Trajectory,
    TrajectoryFit,
)
from pymaf_live.motion.root_position_filter import bearing_from_position, position_from_bearing
from pymaf_live.motion.take_segments import MeasuredSegment, smoothed_take
from pymaf_live.system.reporter import SILENT, Reporter
from pymaf_live.takes.take import Take
from pymaf_live.types import Array

_JOINT_2D_ERROR = 0.04
"""Standard deviation of a joint's image position, relative to the trunk's length in the image, with
score 1; up to three times as large with score 0."""
_MIN_TRUNK_2D = 8.0
"""Smallest length of the trunk in the image that is used, px."""
_ROUNDS, _ITERATIONS = 3, 4
"""Fits with the process noise of the last one's speeds, and Gauss-Newton iterations of each."""
_WINDOW, _OVERLAP = 400, 60
"""Frames that are fitted at once, which bounds the memory, and frames shared by two windows."""
_MIN_FRAMES = 3
"""Shorter stretches have no acceleration and stay as measured."""
_HINGES = (
    ("left_knee", 0, -0.1, 2.7), ("right_knee", 0, -0.1, 2.7),
    ("left_elbow", 1, -2.7, 0.1), ("right_elbow", 1, -0.1, 2.7),
)  # fmt: skip
"""Joint, axis in SMPL's frame, and range in rad of that component of the rotation vector."""


def refine_take(take: Take, body: Body, strength: float = 0.5, reporter: Reporter = SILENT) -> Take:
    """Refine a measured take, knowing all of it.

    For each person, contradictory stretches are first decided over the whole motion
    (`choose_poses`). Then one robust fit balances the network's rotations, the image positions of
    its joints, and smooth motion (`TrajectoryFit`). Gaps of up to 0.25 s are
    filled (`predicted`); gaps of more
    than 0.5 s split the motion. Rows that are predicted or not finite count as not measured.

    Parameters
    ----------
    take : Take
        As measured, not smoothed yet.
    body : Body
        Body that the take was made with.
    strength : float
        0..1; see `Smoother`. 0 returns the take as it is.
    reporter : Reporter
        Only its progress is used.

    Raises
    ------
    InputError
        If the take was made with another body, or has a person twice in a frame.
    UsageError
        If the strength is not in 0..1.
    """
    return smoothed_take(
        take,
        body,
        strength,
        "refine",
        lambda segment: _refined(take, body, segment, MotionModel.refined(strength)),
        reporter,
    )


def _refined(
    take: Take, body: Body, segment: MeasuredSegment, model: MotionModel
) -> tuple[Array, Array]:
    """Return the refined rotations (N, J, 3, 3) and positions (N, 3) of a segment."""
    chosen = choose_poses(body, segment.rotations, segment.times[segment.measured])
    start = Trajectory(*_interpolated(segment, chosen.rotations))
    if len(segment.times) < _MIN_FRAMES:
        return start.rotations, position_from_bearing(start.bearing)
    measured = _measurements(take, body, segment, chosen, model)
    fit = TrajectoryFit(body, segment.shape, take.camera, model, _hinge_limits(body))
    windows = _windows(len(segment.times))
    fitted = [_fit_window(fit, measured, start, window) for window in windows]
    whole = _blended(fitted, windows)
    return whole.rotations, position_from_bearing(whole.bearing)


def _measurements(
    take: Take, body: Body, segment: MeasuredSegment, chosen: Choice, model: MotionModel
) -> Measurements:
    rows, at = segment.rows, segment.row_of_frame
    joint_score = np.take_along_axis(
        np.asarray(take.joint_score[rows], dtype=np.float64), chosen.source, axis=1
    )
    present = segment.measured[:, None]
    bearing = bearing_from_position(segment.positions)
    lateral = np.exp(bearing[:, 2]) / model.lateral_error
    depth = np.full(len(rows), 1 / model.depth_error)
    joints_2d = np.take_along_axis(
        np.asarray(take.joints_2d[rows], dtype=np.float64), chosen.source[..., None], axis=1
    )
    error = _JOINT_2D_ERROR * _trunk_2d(joints_2d, body)
    doubt = 1 + 2 * (1 - np.clip(np.nan_to_num(joint_score), 0.0, 1.0))
    usable = np.asarray(np.isfinite(joints_2d).all(axis=-1))
    usable[:, 0] = False  # the root's own bearing is measured
    weight_2d = np.where(usable, 1 / (error * doubt), 0.0)
    return Measurements(
        times=segment.times,
        rotations=chosen.rotations[at],
        rotation_weight=np.where(present, 1 / np.sqrt(model.rotation_variance(joint_score))[at], 0),
        bearing=bearing[at],
        bearing_weight=np.where(present, np.stack([lateral, lateral, depth], axis=1)[at], 0),
        joints_2d=np.nan_to_num(joints_2d)[at],
        joint_2d_weight=np.where(present, weight_2d[at], 0),
    )


def _trunk_2d(joints_2d: Array, body: Body) -> float:
    """Return the typical length of the trunk in the image, px; of a strange body, of all of it."""
    names = {name: index for index, name in enumerate(body.joint_names)}
    if {"neck", "left_hip", "right_hip"} <= names.keys():
        hips = (joints_2d[:, names["left_hip"]] + joints_2d[:, names["right_hip"]]) / 2
        lengths = np.linalg.norm(joints_2d[:, names["neck"]] - hips, axis=-1)
    else:
        lengths = np.ptp(joints_2d, axis=1).max(axis=-1) / 3
    return max(float(np.nan_to_num(np.nanmedian(lengths))), _MIN_TRUNK_2D)


def _hinge_limits(body: Body) -> tuple[HingeLimit, ...]:
    names = list(body.joint_names)
    return tuple(
        HingeLimit(names.index(name), axis, low, high)
        for name, axis, low, high in _HINGES
        if name in names
    )


def _interpolated(segment: MeasuredSegment, rotations: Array) -> tuple[Array, Array]:
    """Return rotations (N, J, 3, 3) and bearings (N, 3) with gaps interpolated."""
    before = segment.row_of_frame
    after = np.minimum(before + ~segment.measured, len(segment.rows) - 1)
    own = segment.times[segment.measured]
    span = own[after] - own[before]
    part = np.where(span > 0, (segment.times - own[before]) / np.where(span > 0, span, 1.0), 0.0)
    turn = axis_angle_from_rotation(np.swapaxes(rotations[before], -1, -2) @ rotations[after])
    bearing = bearing_from_position(segment.positions)
    return (
        rotations[before] @ matrix_from_axis_angle(part[:, None, None] * turn),
        bearing[before] + part[:, None] * (bearing[after] - bearing[before]),
    )


def _windows(count: int) -> list[slice]:
    """Return overlapping windows that cover `count` frames."""
    starts = range(0, max(count - _OVERLAP, 1), _WINDOW - _OVERLAP)
    return [slice(start, min(start + _WINDOW, count)) for start in starts]


def _fit_window(
    fit: TrajectoryFit, measured: Measurements, start: Trajectory, window: slice
) -> Trajectory:
    part, state = measured.cut(window), start.cut(window)
    for _ in range(_ROUNDS):
        state = fit.solve(part, state, _ITERATIONS)
    return state


def _blended(parts: list[Trajectory], windows: list[slice]) -> Trajectory:
    """Return the trajectory of all windows; where two overlap, the one fades into the other."""
    whole = parts[0]
    for part, window in zip(parts[1:], windows[1:], strict=True):
        shared = len(whole.bearing) - window.start
        weight = (np.arange(shared) + 0.5) / shared
        old, new = whole.cut(slice(window.start, None)), part.cut(slice(shared))
        turn = axis_angle_from_rotation(np.swapaxes(old.rotations, -1, -2) @ new.rotations)
        rotations = old.rotations @ matrix_from_axis_angle(weight[:, None, None] * turn)
        bearing = old.bearing + weight[:, None] * (new.bearing - old.bearing)
        before, after = whole.cut(slice(window.start)), part.cut(slice(shared, None))
        whole = Trajectory(
            np.concatenate([before.rotations, rotations, after.rotations]),
            np.concatenate([before.bearing, bearing, after.bearing]),
        )
    return whole
