"""Stretches of one person's motion in a take, between long gaps; smoothing works on each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from pymaf_live.body import Body, pose_joints, project, rest_joints
from pymaf_live.body.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from pymaf_live.errors import InputError, UsageError
from pymaf_live.motion.motion_model import MAX_COAST, RESET_GAP
from pymaf_live.motion.outlier_gate import finite_row_mask
from pymaf_live.system.reporter import SILENT, Reporter
from pymaf_live.takes.editing import select_rows
from pymaf_live.takes.npz_file import require_body
from pymaf_live.takes.take import Take
from pymaf_live.types import Array, Camera, Ints, Mask

_JUMP, _JUMP_RATIO = 1.0, 2.0
"""Body lengths that a person is elsewhere, and change of the apparent size, after a cut."""
_STEADY_ROWS = 3
"""Rows on each side whose median is compared: an outlier is not a cut."""


@dataclass(frozen=True)
class MeasuredSegment:
    """Stretch of one person's measurements, M rows in N frames."""

    rows: Ints
    """(M,) rows of the take, by increasing frame."""
    frames: Ints
    """(N,) all frames from the first to the last row's."""
    times: Array
    """(N,) s"""
    row_of_frame: Ints
    """(N,) index into `rows`: the frame's own, or the last one before a gap's frame."""
    measured: Mask
    """(N,) False in gaps."""
    shape: Array
    """(S,) shape of the person."""
    rotations: Array
    """(M, J, 3, 3)"""
    positions: Array
    """(M, 3) m, root joint of the body with `shape`, where it appears as large as measured."""


@dataclass(frozen=True)
class SmoothedSegment:
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


def smoothed_take(
    take: Take,
    body: Body,
    strength: float,
    smoothing: str,
    smooth: Callable[[MeasuredSegment], tuple[Array, Array]],
    reporter: Reporter = SILENT,
) -> Take:
    """Return a measured take with every stretch of it smoothed.

    Parameters
    ----------
    take : Take
        As measured, not smoothed yet.
    body : Body
        Body that the take was made with.
    strength : float
        0 returns the take as it is.
    smoothing : str
        Name of the smoothing, for the new take.
    smooth : callable
        Returns rotations (N, J, 3, 3) and positions (N, 3) m of a stretch of N frames.
    reporter : Reporter
        Only its progress is used.

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
    segments = measured_segments(take, body)
    done = []
    for number, segment in enumerate(segments):
        reporter.progress(number / len(segments), "smoothing the motion")
        done.append(with_motion(segment, *smooth(segment)))
    return join_segments(take, body, done, smoothing)


def measured_segments(take: Take, body: Body) -> list[MeasuredSegment]:
    """Return the stretches of a take, split at gaps of more than `RESET_GAP` and at shot cuts.

    Rows that are predicted or not finite count as not measured.

    Raises
    ------
    InputError
        If the take has a person twice in a frame.
    """
    segments = []
    usable = ~take.predicted & finite_row_mask(take)
    times = np.asarray(take.frame_time, dtype=np.float64)
    for person in np.unique(take.person):
        rows = np.flatnonzero((take.person == person) & usable)
        if (np.diff(take.frame[rows]) <= 0).any():
            raise InputError(f"the take has two people with the number {person} in one frame")
        if not len(rows):
            continue
        weight = np.maximum(np.asarray(take.score[rows], dtype=np.float64), 1e-3)
        shape = np.average(take.shape[rows], axis=0, weights=weight)
        breaks = np.diff(times[take.frame[rows]]) > RESET_GAP
        gaps = np.flatnonzero(breaks | _jumps(take.box[rows]))
        segments += [_segment(take, body, part, shape, times) for part in np.split(rows, gaps + 1)]
    return segments


def _jumps(boxes: Array) -> Mask:
    """Return (M - 1,) True between rows where a person is suddenly elsewhere and stays there.

    No one moves by their own length within a frame: that is another shot. Single outliers are left
    to the smoothing, which rejects them.
    """
    values = np.asarray(boxes, dtype=np.float64)
    center = (values[:, :2] + values[:, 2:]) / 2
    size = np.maximum((values[:, 2:] - values[:, :2]).max(axis=1), 1.0)
    state = np.column_stack([center, size])
    count = len(state) - 1
    jumps = np.zeros(max(count, 0), dtype=bool)
    # compared first from row to row, which is cheap
    steps = np.linalg.norm(np.diff(center, axis=0), axis=1) / np.minimum(size[1:], size[:-1])
    ratios = np.maximum(size[1:], size[:-1]) / np.minimum(size[1:], size[:-1])
    for index in np.flatnonzero((steps > _JUMP) | (ratios > _JUMP_RATIO)):
        before = np.median(state[max(0, index + 1 - _STEADY_ROWS) : index + 1], axis=0)
        after = np.median(state[index + 1 : index + 1 + _STEADY_ROWS], axis=0)
        smaller = min(before[2], after[2])
        moved = np.linalg.norm(after[:2] - before[:2]) / smaller
        jumps[index] = moved > _JUMP or max(before[2], after[2]) / smaller > _JUMP_RATIO
    return jumps


def _segment(take: Take, body: Body, rows: Ints, shape: Array, times: Array) -> MeasuredSegment:
    frames = np.arange(take.frame[rows[0]], take.frame[rows[-1]] + 1)
    row_of_frame = np.searchsorted(take.frame[rows], frames, side="right") - 1
    shapes = np.asarray(take.shape[rows], dtype=np.float64)
    # the body with the mean shape stands where it appears as large as the measured one
    size_ratio = _skeleton_size(body, shape) / _skeleton_size(body, shapes)
    root = np.asarray(take.translation[rows]) + rest_joints(body, shapes)[:, 0]
    return MeasuredSegment(
        rows=rows,
        frames=frames,
        times=times[frames],
        row_of_frame=row_of_frame,
        measured=take.frame[rows][row_of_frame] == frames,
        shape=shape,
        rotations=matrix_from_axis_angle(take.pose[rows]),
        positions=root * size_ratio[:, None],
    )


def _skeleton_size(body: Body, shape: Array) -> Array:
    """Return the summed bone lengths (...) in m of shapes (..., S): apparent size at a depth."""
    rest = rest_joints(body, shape)
    child = np.flatnonzero(body.parents >= 0)
    bones = rest[..., child, :] - rest[..., body.parents[child], :]
    return np.asarray(np.linalg.norm(bones, axis=-1).sum(axis=-1))


def with_motion(segment: MeasuredSegment, rotations: Array, positions: Array) -> SmoothedSegment:
    """Return a segment with smoothed motion: gaps up to `MAX_COAST` are filled, others left out.

    Parameters
    ----------
    segment : MeasuredSegment
    rotations : (N, J, 3, 3) array
    positions : (N, 3) array
        Root joint, m.
    """
    measured_times = segment.times[segment.measured]
    gap = np.append(np.diff(measured_times), 0.0)[segment.row_of_frame]
    keep = segment.measured | (gap <= MAX_COAST)
    age = (segment.times - measured_times[segment.row_of_frame])[keep]
    return SmoothedSegment(
        row=segment.rows[segment.row_of_frame][keep],
        frame=segment.frames[keep],
        rotations=rotations[keep],
        shape=np.broadcast_to(segment.shape, (int(keep.sum()), len(segment.shape))),
        position=positions[keep],
        score_scale=1 - age / RESET_GAP,
        predicted=~segment.measured[keep],
    )


def join_segments(take: Take, body: Body, segments: list[SmoothedSegment], smoothing: str) -> Take:
    """Return the take with the rows of the smoothed segments and all that follows from them."""
    if not segments:
        return replace(select_rows(take, np.zeros(0, dtype=np.int64)), smoothing=smoothing)
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
        smoothing=smoothing,
    )
