"""Metrics of smoothness, delay and accuracy; F frames, J joints, metres, camera frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pymaf_live.body import project
from pymaf_live.takes.take import Take

FURTHEST = 8
"""Largest delay that is searched, frames."""


def joint_error(joints: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean root-relative distance of joints (F, J, 3) in mm."""
    off = (joints - joints[:, :1]) - (truth - truth[:, :1])
    return float(1000 * np.linalg.norm(off, axis=-1).mean())


def acceleration_error(joints: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean acceleration error in mm/frame^2 (ACCEL of VIBE, SmoothNet)."""
    return float(1000 * np.linalg.norm(np.diff(joints - truth, 2, axis=0), axis=-1).mean())


def delay(pairs: Sequence[tuple[np.ndarray, np.ndarray]], rate: float) -> float:
    """Return the delay of motions behind their truths in ms: the peak of the cross-correlation.

    Parameters
    ----------
    pairs : sequence of (motion, truth)
        (F, ...) each; clips count by how much they move.
    rate : float
        Frames per second.
    """
    scores = np.zeros((2 * FURTHEST + 1, 3))
    for motion, truth in pairs:
        flat, true = (np.reshape(part, (len(part), -1)) for part in (motion, truth))
        kept = true[FURTHEST:-FURTHEST] - true[FURTHEST:-FURTHEST].mean(axis=0)
        for index, late in enumerate(range(-FURTHEST, FURTHEST + 1)):
            moved = flat[FURTHEST + late : len(flat) - FURTHEST + late]
            moved = moved - moved.mean(axis=0)
            scores[index] += (moved * kept).sum(), (moved**2).sum(), (kept**2).sum()
    correlation = scores[:, 0] / np.sqrt(scores[:, 1] * scores[:, 2])
    peak = int(correlation.argmax())
    if peak in (0, 2 * FURTHEST):
        return 1000 * (peak - FURTHEST) / rate
    before, at, after = correlation[peak - 1 : peak + 2]
    part = 0.5 * (before - after) / (before - 2 * at + after)
    return float(1000 * (peak - FURTHEST + part) / rate)


def at_true_depth(joints: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return joints with the root moved along the line of sight to its true depth.

    This leaves the pose and the position in the image. Depth is measured separately, because it is
    a guess from size with ten times larger errors, and a filter that freezes it would look good.
    """
    root = joints[:, :1] * (truth[:, :1, 2:] / joints[:, :1, 2:])
    return np.asarray(joints - joints[:, :1] + root)


def contacts(truth: np.ndarray, feet: Sequence[int], up: np.ndarray, rate: float) -> np.ndarray:
    """Return which of K foot joints stand (F, K) in the truth: low and slower than 0.15 m/s."""
    places = truth[:, feet]
    speed = np.linalg.norm(np.gradient(places, axis=0), axis=-1) * rate
    height = places @ up
    return (speed < 0.15) & (height < np.percentile(height, 10) + 0.06)


def foot_slide(joints: np.ndarray, feet: Sequence[int], standing: np.ndarray) -> float:
    """Return the mean movement in mm per frame of foot joints that stand (F, K) in truth."""
    step = 1000 * np.linalg.norm(np.diff(joints[:, feet], axis=0), axis=-1)
    both = standing[1:] & standing[:-1]
    return float(step[both].mean()) if both.any() else float("nan")


def reprojection_error(seen: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean distance in px of joints (F, J, 2) from the true ones in the image."""
    return float(np.linalg.norm(seen - truth, axis=-1).mean())


def fast_wrist_error(joints: np.ndarray, truth: Take) -> float:
    """Return the 95th percentile of the wrists' error in the fastest tenth of the frames, px.

    Fast in the image, where a viewer sees an arm that trails behind.

    Parameters
    ----------
    joints : (F, J, 3) array
        Metres, camera frame.
    truth : Take
        One person in every frame.
    """
    wrists = [truth.joint_names.index(name) for name in ("left_wrist", "right_wrist")]
    true = project(np.asarray(truth.joints), truth.camera)[:, wrists]
    speed = np.linalg.norm(np.diff(true, axis=0, prepend=true[:1]), axis=-1)
    error = np.linalg.norm(project(joints, truth.camera)[:, wrists] - true, axis=-1)
    return float(np.percentile(error[speed >= np.percentile(speed, 90)], 95))
