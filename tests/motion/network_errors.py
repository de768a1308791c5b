"""Motion with errors like the network's, synthesised from errors recorded on the demo.

The network's errors change slowly, are correlated between joints, and have a little jitter on top.
The recorded errors (7 s, tests/data/network_errors.npz) preserve this: their spectra get new random
phases, the same for all joints, so that every clip has errors of its own with the recorded
strength, colour and correlation (surrogate data, Prichard and Theiler 1994).

``python -m tests.motion.network_errors TAKE.npz`` records them again from a take of the demo
that was made with ``--smoothing off``.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from pymaf_live.body import Body, rest_joints
from pymaf_live.body.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from pymaf_live.takes.take import Take
from tests.helpers.paths import DATA
from tests.helpers.take import make_take

DATA = DATA
RECORDED = DATA / "network_errors.npz"
TRUTH = DATA / "demo_truth.npz"


@dataclass(frozen=True)
class Errors:
    """Errors of a network over F frames; J joints."""

    turn: np.ndarray
    """(F, J, 3) rad, rotation from the true to the measured one, in the joint's frame."""
    seen: np.ndarray
    """(F, 3) error of the root's x/z, y/z and log z."""
    shape: np.ndarray
    """(F, S)"""
    joint_score: np.ndarray
    """(F, J)"""

    def like(self, count: int, random: np.random.Generator) -> Errors:
        """Return similar errors for `count` frames, at most as many as there are."""
        rows = len(self.turn)
        flat = np.concatenate([self.turn.reshape(rows, -1), self.seen, self.shape], axis=1)
        mean = flat.mean(axis=0)
        # without the step from the last frame to the first, which would add all frequencies
        line = flat[:1] + np.linspace(0, 1, rows)[:, None] * (flat[-1:] - flat[:1])
        spectrum = np.fft.rfft(flat - line - (flat - line).mean(axis=0), axis=0)
        spectrum *= np.exp(2j * np.pi * random.uniform(size=len(spectrum)))[:, None]
        new = (np.fft.irfft(spectrum, rows, axis=0) + mean)[:count]
        joints = self.turn.shape[1]
        score = self.joint_score[random.integers(rows, size=count)]
        return Errors(
            new[:, : 3 * joints].reshape(count, joints, 3),
            new[:, 3 * joints : 3 * joints + 3],
            new[:, 3 * joints + 3 :],
            score,
        )

    def redrawn(self, some: np.ndarray, random: np.random.Generator) -> Errors:
        """Return errors that differ from these only in some frames (F,).

        The line from the frame before to the frame after stays; the deviation from it is taken from
        as many frames elsewhere.
        """
        rows = len(self.turn)
        parts = (self.turn.reshape(rows, -1), self.seen, self.shape)
        flat = np.concatenate(parts, axis=1)
        new = flat.copy()
        borders = np.flatnonzero(np.diff(np.r_[False, np.asarray(some, bool), False]))
        for first, after in borders.reshape(-1, 2):
            count = after - first
            if first == 0 or after == rows:
                continue
            part = np.arange(1, count + 1)[:, None] / (count + 1)

            def line(at: int, part: np.ndarray = part, count: int = count) -> np.ndarray:
                return np.asarray((1 - part) * flat[at - 1] + part * flat[at + count])

            other = int(random.integers(1, rows - count))
            new[first:after] = line(first) + flat[other : other + count] - line(other)
        turn, seen, shape = np.split(new, np.cumsum([each.shape[1] for each in parts])[:-1], axis=1)
        return Errors(turn.reshape(self.turn.shape), seen, shape, self.joint_score)


def recorded() -> Errors:
    with np.load(RECORDED) as file:
        return Errors(*(file[name].astype(np.float64) for name in
                        ("turn", "seen", "shape", "joint_score")))  # fmt: skip


def measured(body: Body, truth: Take, errors: Errors) -> Take:
    """Return the take of one person that a network with these errors would measure."""
    turns = matrix_from_axis_angle(truth.pose) @ matrix_from_axis_angle(errors.turn)
    seen = _seen(truth.joints[:, 0]) + errors.seen
    shapes = truth.shape + errors.shape
    places = np.c_[seen[:, :2], np.ones(len(seen))] * np.exp(seen[:, 2:])
    places = places - rest_joints(body, shapes)[:, 0]
    take = make_take(body, truth.frame_time, {1: turns}, {1: places}, shapes={1: shapes})
    return replace(take, joint_score=errors.joint_score)


def with_outliers(body: Body, take: Take, random: np.random.Generator) -> tuple[Take, np.ndarray]:
    """Return the take with outliers, left-right confusions and gaps, and the outlier frames.

    Per second one outlier frame (1) and one confusion of one to three frames (2); every three
    seconds a gap of three to six frames.
    """
    turns = matrix_from_axis_angle(take.pose)
    count, wild, there = len(turns), np.zeros(len(turns), int), np.ones(len(turns), bool)
    places = np.array(take.translation)
    for start in range(8, count - 30, 30):
        at = start + random.integers(5)
        joints = random.choice(body.joint_count, size=random.integers(3, 9), replace=False)
        turn = random.normal(size=(len(joints), 3))
        turn *= random.uniform(0.8, 2.5, (len(joints), 1)) / np.linalg.norm(turn, axis=1)[:, None]
        turns[at, joints] = turns[at, joints] @ matrix_from_axis_angle(turn)
        places[at] += random.normal(0, 0.15, 3)
        mixed = np.arange(at + 12, at + 12 + random.integers(1, 4))
        turns[mixed] = depth_flipped(body, turns[mixed])
        wild[at], wild[mixed] = 1, 2
    for start in range(25, count - 12, 90):
        there[start : start + random.integers(3, 7)] = False
    rows = np.flatnonzero(there)
    some = make_take(
        body,
        take.frame_time,
        {1: turns[rows]},
        {1: places[rows]},
        frames={1: rows},
        shapes={1: take.shape[rows]},
    )
    return replace(some, joint_score=take.joint_score[rows]), wild


def depth_flipped(body: Body, turns: np.ndarray) -> np.ndarray:
    """Return the rotations (N, J, 3, 3) that look alike in the image, seen from behind."""
    mirror = np.diag([-1.0, 1.0, 1.0])
    swapped = mirror @ turns[:, body.joint_mirror] @ mirror
    swapped[:, 0] = turns[:, 0] @ Rotation.from_euler("y", np.pi).as_matrix()
    return swapped


def _seen(place: np.ndarray) -> np.ndarray:
    place = np.asarray(place, dtype=np.float64)
    return np.c_[place[:, 0] / place[:, 2], place[:, 1] / place[:, 2], np.log(place[:, 2])]


def _record(path: str) -> None:
    with np.load(TRUTH) as truth, np.load(path) as take:
        true = matrix_from_axis_angle(truth["pose"].astype(np.float64))
        said = matrix_from_axis_angle(take["pose"].astype(np.float64))
        turn = axis_angle_from_matrix(np.swapaxes(true, -1, -2) @ said)
        np.savez_compressed(
            RECORDED,
            turn=turn.astype(np.float16),
            seen=(_seen(take["joints"][:, 0]) - _seen(truth["joints"][:, 0])).astype(np.float32),
            shape=(take["shape"] - truth["shape"]).astype(np.float16),
            joint_score=take["joint_score"].astype(np.float16),
        )


if __name__ == "__main__":
    _record(sys.argv[1])
