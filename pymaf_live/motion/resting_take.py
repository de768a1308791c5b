"""Legs at rest in a finished take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pymaf_live.body import Body
from pymaf_live.motion.leg_rest import (
    BLEND_TIME,
    HeldHips,
    LegObservation,
    LowerBody,
    RestPose,
    is_resting,
    is_seated,
    observe_legs,
    smooth_step,
    upright_frame,
)
from pymaf_live.motion.posed_segments import posed_segments, with_posed_segments
from pymaf_live.takes.ground import UP_OF_LEVEL_CAMERA
from pymaf_live.takes.legs import LEGS_SEEN, leg_evidence
from pymaf_live.takes.npz_file import require_body
from pymaf_live.takes.take import Take
from pymaf_live.types import Array, Legs, Mask

_EVIDENCE_TIME = 0.8
"""Window in which the evidence is averaged, s."""
_SPEED_TIME = 0.3
"""Averaging time of the speed of the hips, s; both directions of time are combined."""
_SAME_TIME = 1e-6
"""s"""


def rest_legs(take: Take, body: Body, legs: Legs = "auto") -> Take:
    """Put legs that are not seen to rest, and hold the hips above them.

    The scores of knees, ankles and feet become 0 where the legs are at rest (`legs_at_rest`). Takes
    of separate images stay as they are, and so do legs of people who lie.

    Parameters
    ----------
    take : Take
        Smoothed; with a ground, its up direction is used, otherwise the camera is level.
    body : Body
        Body that the take was made with; without SMPL's joint names the take stays as it is.
    legs : {'auto', 'standing', 'seated', 'measured'}
        Pose of rest; 'measured' returns the take as it is.

    Raises
    ------
    InputError
        If the take was made with another body.
    """
    require_body(take, body)
    lower = LowerBody(body)
    if legs == "measured" or take.picture_name or not lower.complete:
        return take
    evidence = leg_evidence(take.joint_names, take.joint_score, take.joints_2d, take.frame_size)
    up = UP_OF_LEVEL_CAMERA if take.ground is None else np.asarray(take.ground[:3], np.float64)
    joint_score = np.array(take.joint_score)
    changed = []
    for segment in posed_segments(take, body):
        seen = observe_legs(
            lower, evidence[segment.rows], segment.rotations, segment.rest, segment.root, up
        )
        pose = _without_delay(seen, segment.times, up, legs)
        if not pose.weight.any():
            continue
        rotations, root = lower.put_to_rest(segment.rotations, segment.root, segment.rest, pose)
        changed.append(replace(segment, rotations=rotations, root=root))
        joint_score[segment.rows] = lower.faded(joint_score[segment.rows], pose.weight)
    if not changed:
        return take
    return replace(with_posed_segments(take, body, changed), joint_score=joint_score)


def _without_delay(seen: Sequence[LegObservation], times: Array, up: Array, legs: Legs) -> RestPose:
    """Return the poses of rest of N frames, which know the later ones."""
    evidence = np.array([each.evidence_for(legs) for each in seen])
    resting = _resting(_mean_around(evidence, times, _EVIDENCE_TIME))
    seated = np.zeros(len(seen))
    flexion = np.array([each.flexion for each in seen])
    for frames in _runs(resting):
        seated[frames] = is_seated(float(np.median(flexion[frames])), legs, False)
    hips, front = (
        (forward + backward[::-1]) / 2
        for forward, backward in zip(
            _held(seen, times), _held(seen[::-1], -times[::-1]), strict=True
        )
    )
    # from one pose to another while the legs are measured
    known = np.flatnonzero(resting)
    # the blend is over before the first invented leg
    around = _mean_around(resting.astype(np.float64), times, BLEND_TIME) > 0
    return RestPose(
        frame=upright_frame(front, up),
        hips=hips,
        seated=np.interp(times, times[known], seated[known]) if len(known) else seated,
        weight=smooth_step(_mean_around(around.astype(np.float64), times, BLEND_TIME)),
    )


def _resting(evidence: Array) -> Mask:
    resting = np.zeros(len(evidence), dtype=bool)
    before = bool(evidence[0] < LEGS_SEEN)
    for index, each in enumerate(evidence):
        before = resting[index] = is_resting(float(each), before)
    return resting


def _runs(mask: Mask) -> list[slice]:
    """Return the slices of successive True values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [slice(int(first), int(end)) for first, end in edges.reshape(-1, 2)]


def _mean_around(values: Array, times: Array, duration: float) -> Array:
    """Return the mean (N,) of values in a window of a duration (s) about each time."""
    total = np.append(0.0, np.cumsum(values))
    first = np.searchsorted(times, times - duration / 2 - _SAME_TIME)
    last = np.searchsorted(times, times + duration / 2 + _SAME_TIME, side="right")
    return np.asarray((total[last] - total[first]) / (last - first))


def _held(seen: Sequence[LegObservation], times: Array) -> tuple[Array, Array]:
    """Return places (N, 3) m and fronts (N, 3) of the hips, held one frame after the other."""
    held = HeldHips(_SPEED_TIME)
    steps = np.diff(times, prepend=times[0])
    hips, front = zip(*map(held.update, steps.tolist(), seen), strict=True)
    return np.stack(hips), np.stack(front)
