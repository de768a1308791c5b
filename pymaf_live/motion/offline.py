"""Offline smoothing of a whole take: it knows later frames and therefore has no delay."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pymaf_live.body import Body, pose_joints, project, rest_joints
from pymaf_live.body.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from pymaf_live.errors import InputError, UsageError
from pymaf_live.motion.forward_backward import smooth_forward_backward
from pymaf_live.motion.motion_model import MAX_COAST, RESET_GAP, MotionModel
from pymaf_live.motion.outlier_gate import Measurement, finite_row_mask
from pymaf_live.takes.editing import select_rows
from pymaf_live.takes.npz_file import require_body
from pymaf_live.takes.take import Take
from pymaf_live.types import Array, Camera, Ints, Mask


def smooth_offline(take: Take, body: Body, strength: float = 0.5) -> Take:
    """Smooth a take forward and backward with the live filter's model.

    Each person gets one shape (the mean, weighted by the score). Gaps of up to 0.25 s are filled
    (`predicted`); gaps of more than 0.5 s split the motion. Rows that are predicted or not finite
    count as not measured and are recomputed or dropped.

    Parameters
    ----------
    take : Take
        As measured, not smoothed yet.
    body : Body
        Body that the take was made with.
    strength : float
        0..1; see `Smoother`. 0 returns the take as it is.

    Raises
    ------
    InputError
        If the take was made with another body, or has a person twice in a frame.
    UsageError
        If the strength is not in 0..1.
    """
    if not 0 <= strength <= 1:
        raise UsageError(f"the smoothing strength must be in 0..1, not {strength:g}")
    require_body(take, body)
    if strength == 0:
        return take
    model = MotionModel.offline(strength)
    segments = []
    usable = ~take.predicted & finite_row_mask(take)
    for person in np.unique(take.person):
        rows = np.flatnonzero((take.person == person) & usable)
        if (np.diff(take.frame[rows]) <= 0).any():
            raise InputError(f"the take has two people with the number {person} in one frame")
        if not len(rows):
            continue
        weight = np.maximum(np.asarray(take.score[rows], dtype=np.float64), 1e-3)
        shape = np.average(take.shape[rows], axis=0, weights=weight)
        times = np.asarray(take.frame_time)[take.frame[rows]]
        for part in np.split(rows, np.flatnonzero(np.diff(times) > RESET_GAP) + 1):
            segments.append(_smooth_segment(take, body, part, shape, model))  # noqa: PERF401
    return _joined(take, body, segments)


@dataclass(frozen=True)
class _Segment:
    """Smoothed stretch of one person's motion; N rows of the new take."""

    row: Ints
    """(N,) row of the old take; for a filled gap, the one before the gap."""
    frame: Ints
    """(N,)"""
    rotations: Array
    """(N, J, 3, 3)"""
    shape: Array
    """(N, S)"""
    position: Array
    """(N, 3) m, root joint."""
    score_scale: Array
    """(N,) factor on the row's scores."""
    predicted: Mask
    """(N,)"""


def _smooth_segment(
    take: Take, body: Body, rows: Ints, shape: Array, model: MotionModel
) -> _Segment:
    frames = np.arange(take.frame[rows[0]], take.frame[rows[-1]] + 1)
    times = np.asarray(take.frame_time, dtype=np.float64)[frames]
    row_of_frame = np.searchsorted(take.frame[rows], frames, side="right") - 1
    measured = take.frame[rows][row_of_frame] == frames

    shapes = np.asarray(take.shape[rows], dtype=np.float64)
    # the body with the mean shape stands where it appears as large as the measured one
    size_ratio = _skeleton_size(body, shape) / _skeleton_size(body, shapes)
    root = np.asarray(take.translation[rows]) + rest_joints(body, shapes)[:, 0]
    positions = root * size_ratio[:, None]
    rotations = matrix_from_axis_angle(take.pose[rows])
    measurements = [
        Measurement(rotations[row], positions[row], take.joint_score[rows[row]]) if there else None
        for row, there in zip(row_of_frame, measured, strict=True)
    ]
    smooth_rotations, smooth_positions = smooth_forward_backward(
        measurements, times, body.joint_mirror, model
    )

    measured_times = np.asarray(take.frame_time, dtype=np.float64)[take.frame[rows]]
    gap = np.append(np.diff(measured_times), 0.0)[row_of_frame]
    keep = measured | (gap <= MAX_COAST)
    age = (times - measured_times[row_of_frame])[keep]
    return _Segment(
        row=rows[row_of_frame][keep],
        frame=frames[keep],
        rotations=smooth_rotations[keep],
        shape=np.broadcast_to(shape, (int(keep.sum()), len(shape))),
        position=smooth_positions[keep],
        score_scale=1 - age / RESET_GAP,
        predicted=~measured[keep],
    )


def _skeleton_size(body: Body, shape: Array) -> Array:
    """Return the summed bone lengths (...) in m of shapes (..., S): apparent size at a depth."""
    rest = rest_joints(body, shape)
    child = np.flatnonzero(body.parents >= 0)
    bones = rest[..., child, :] - rest[..., body.parents[child], :]
    return np.asarray(np.linalg.norm(bones, axis=-1).sum(axis=-1))


def _joined(take: Take, body: Body, segments: list[_Segment]) -> Take:
    if not segments:
        return replace(select_rows(take, np.zeros(0, dtype=np.int64)), smoothing="offline")
    row = np.concatenate([segment.row for segment in segments])
    frame = np.concatenate([segment.frame for segment in segments])
    order = np.lexsort((take.person[row], frame))
    row, frame = row[order], frame[order]
    rotations = np.concatenate([segment.rotations for segment in segments])[order]
    shape = np.concatenate([segment.shape for segment in segments])[order]
    position = np.concatenate([segment.position for segment in segments])[order]
    score_scale = np.concatenate([segment.score_scale for segment in segments])[order]
    translation = position - rest_joints(body, shape)[:, 0]
    joints = pose_joints(body, rotations, shape, translation)
    camera = Camera(take.focal_length, np.asarray(take.principal_point), take.frame_size)
    joints_2d = project(joints, camera)
    return replace(
        select_rows(take, row),
        frame=frame,
        pose=axis_angle_from_matrix(rotations),
        shape=shape,
        translation=translation,
        joints=joints,
        joints_2d=joints_2d,
        box=np.concatenate([joints_2d.min(axis=1), joints_2d.max(axis=1)], axis=1),
        score=take.score[row] * score_scale,
        joint_score=take.joint_score[row] * score_scale[:, None],
        predicted=np.concatenate([segment.predicted for segment in segments])[order],
        smoothing="offline",
    )
