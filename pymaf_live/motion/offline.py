"""Offline smoothing of a whole take: it knows later frames and therefore has no delay."""

from __future__ import annotations

from pymaf_live.body import Body
from pymaf_live.motion.forward_backward import smooth_forward_backward
from pymaf_live.motion.motion_model import MotionModel
from pymaf_live.motion.outlier_gate import Measurement
from pymaf_live.motion.take_segments import MeasuredSegment, smoothed_take
from pymaf_live.takes.take import Take
from pymaf_live.types import Array


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

    def smooth(segment: MeasuredSegment) -> tuple[Array, Array]:
        model = MotionModel.offline(strength)
        score = take.joint_score[segment.rows]
        measurements = [
            Measurement(segment.rotations[row], segment.positions[row], score[row])
            if there
            else None
            for row, there in zip(segment.row_of_frame, segment.measured, strict=True)
        ]
        return smooth_forward_backward(measurements, segment.times, body.joint_mirror, model)

    return smoothed_take(take, body, strength, "offline", smooth)
