"""Smoothing of a whole take, which knows what comes and therefore has no delay."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pymaf_live.body import Body, pose_joints, project, rest_joints
from pymaf_live.body.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from pymaf_live.errors import InputError, UsageError
from pymaf_live.motion.forward_backward import forward_and_backward
from pymaf_live.motion.motion_model import COAST, RESET_GAP, Model
from pymaf_live.motion.outlier_gate import Measured, finite_rows
from pymaf_live.takes.npz_file import require_body
from pymaf_live.takes.take import Take
from pymaf_live.types import Array, Camera, Ints, Mask


def smooth_offline(take: Take, body: Body, strength: float = 0.5) -> Take:
    """Smooth a take forward and backward with the live filter's model.

    A person's shape becomes one (the mean, weighted by the score). Gaps of up to 0.25 s are filled
    (`predicted`); a gap of more than 0.5 s parts the motion in two. Rows that were predicted, or
    are not all numbers, count as not measured and are made anew or left out.

    Parameters
    ----------
    take : Take
        As measured, not smoothed yet.
    body : Body
        The one the take was made with.
    strength : float
        As `Smoother`'s; 0 returns the take as it is.

    Raises
    ------
    InputError
        If the take was made with another body, or has a person twice in a frame.
    UsageError
        If the strength is not in 0..1.
    """
    if not 0 <= strength <= 1:
        raise UsageError(f"the strength of the smoothing is {strength:g}, not in 0..1")
    require_body(take, body)
    if strength == 0:
        return take
    model = Model.in_hindsight(strength)
    parts = []
    usable = ~take.predicted & finite_rows(take)
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
            parts.append(_smooth_part(take, body, part, shape, model))  # noqa: PERF401
    return _joined(take, body, parts)


@dataclass(frozen=True)
class _Part:
    """A stretch of one person's motion; N rows to be."""

    row: Ints
    """(N,) the take's row it comes from; a filled gap's is the one before the gap."""
    frame: Ints
    rotations: Array
    shape: Array
    place: Array
    score_part: Array
    """(N,) factor on the row's scores."""
    predicted: Mask


def _smooth_part(take: Take, body: Body, rows: Ints, shape: Array, model: Model) -> _Part:
    frames = np.arange(take.frame[rows[0]], take.frame[rows[-1]] + 1)
    times = np.asarray(take.frame_time, dtype=np.float64)[frames]
    row_of = np.searchsorted(take.frame[rows], frames, side="right") - 1
    measured = take.frame[rows][row_of] == frames

    shapes = np.asarray(take.shape[rows], dtype=np.float64)
    # the mean-shaped body stands where it looks as large as the measured one
    sizes = _skeleton_size(body, shape) / _skeleton_size(body, shapes)
    root = np.asarray(take.translation[rows]) + rest_joints(body, shapes)[:, 0]
    places = root * sizes[:, None]
    turns = matrix_from_axis_angle(take.pose[rows])
    seen = [
        Measured(turns[row], places[row], take.joint_score[rows[row]]) if there else None
        for row, there in zip(row_of, measured, strict=True)
    ]
    smooth_turns, smooth_places = forward_and_backward(seen, times, body.joint_mirror, model)

    seen_times = np.asarray(take.frame_time, dtype=np.float64)[take.frame[rows]]
    gap = np.append(np.diff(seen_times), 0.0)[row_of]
    keep = measured | (gap <= COAST)
    gone = (times - seen_times[row_of])[keep]
    return _Part(
        row=rows[row_of][keep],
        frame=frames[keep],
        rotations=smooth_turns[keep],
        shape=np.broadcast_to(shape, (int(keep.sum()), len(shape))),
        place=smooth_places[keep],
        score_part=1 - gone / RESET_GAP,
        predicted=~measured[keep],
    )


def _skeleton_size(body: Body, shape: Array) -> Array:
    """(...,) m, summed lengths of the bones: how large a body (..., S) looks at a given depth."""
    rest = rest_joints(body, shape)
    child = np.flatnonzero(body.parents >= 0)
    bones = rest[..., child, :] - rest[..., body.parents[child], :]
    return np.asarray(np.linalg.norm(bones, axis=-1).sum(axis=-1))


def _joined(take: Take, body: Body, parts: list[_Part]) -> Take:
    if not parts:
        nothing = np.zeros(len(take.frame), dtype=bool)
        return replace(_rows(take, np.flatnonzero(nothing)), smoothing="offline")
    row = np.concatenate([part.row for part in parts])
    frame = np.concatenate([part.frame for part in parts])
    order = np.lexsort((take.person[row], frame))
    row, frame = row[order], frame[order]
    rotations = np.concatenate([part.rotations for part in parts])[order]
    shape = np.concatenate([part.shape for part in parts])[order]
    place = np.concatenate([part.place for part in parts])[order]
    score_part = np.concatenate([part.score_part for part in parts])[order]
    translation = place - rest_joints(body, shape)[:, 0]
    joints = pose_joints(body, rotations, shape, translation)
    camera = Camera(take.focal_length, np.asarray(take.principal_point), take.frame_size)
    joints_2d = project(joints, camera)
    return replace(
        _rows(take, row),
        frame=frame,
        pose=axis_angle_from_matrix(rotations),
        shape=shape,
        translation=translation,
        joints=joints,
        joints_2d=joints_2d,
        box=np.concatenate([joints_2d.min(axis=1), joints_2d.max(axis=1)], axis=1),
        score=take.score[row] * score_part,
        joint_score=take.joint_score[row] * score_part[:, None],
        predicted=np.concatenate([part.predicted for part in parts])[order],
        smoothing="offline",
    )


def _rows(take: Take, rows: Ints) -> Take:
    names = ("frame", "person", "pose", "shape", "translation", "joints", "joints_2d", "box",
             "score", "joint_score", "predicted")  # fmt: skip
    return replace(take, **{name: getattr(take, name)[rows] for name in names})
