"""Which measurements are believed: nobody turns about or is elsewhere within a frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pymaf_live.body.rotations import matrix_from_axis_angle
from pymaf_live.motion.root_position_filter import seen_from_place
from pymaf_live.takes.take import Take
from pymaf_live.types import Array, Ints, Mask

_FADING = 8.0
"""1/s, at which what is expected of a velocity fades."""
_TURN, _TURN_SPEED = 0.25, 8.0
"""rad, and rad/s since the last one: between a joint's measured and expected rotation."""
_ACROSS, _SPEED = 0.05, 2.0
"""m, and m/s: between the root's measured and expected place across the line of sight."""
_DEPTH, _DEPTH_SPEED = 0.08, 1.5
"""Of the depth, and 1/s."""
_SURE = 0.4
"""Part of these limits within which a measurement counts in full."""
_MOST_WILD = 0.4
"""Part of the joints; if more are wild, the whole frame is."""
_MOST_WILD_TURNED = 0.15
"""The same of a frame that is taken for the body seen the other way round."""
_SOME_WILD = 0.1
"""Part of the joints; if more are wild, or the root is, the place is believed half as far."""
_TURNED_DOUBT = 2.0
"""Factor on the variance of what is told by a body that was turned round."""
_LASTING = 0.11
"""Seconds: wild measurements that last longer, and over more than `_FRAMES`, are real."""
_FRAMES = 3


@dataclass(frozen=True)
class Measured:
    """A person's place and rotations in one frame; J joints."""

    rotations: Array
    """(J, 3, 3)"""
    place: Array
    """(3,) m, of the root joint, camera frame."""
    joint_score: Array
    """(J,) 0..1"""

    def turned_round(self, mirror: Ints) -> Measured:
        """The same with depth the other way round: front for back, and left for right.

        In the picture both look alike, and the network now and then takes the one for the other;
        turned back, such a frame still tells how the limbs lie.

        Parameters
        ----------
        mirror : (J,) array
            Each joint's opposite.
        """
        reflected = _SIDEWAYS @ self.rotations[mirror] @ _SIDEWAYS
        reflected[0] = self.rotations[0] @ _HALF_TURN
        return Measured(reflected, self.place, self.joint_score[mirror])


_SIDEWAYS: Array = np.diag([-1.0, 1.0, 1.0])
_HALF_TURN: Array = np.diag([-1.0, 1.0, -1.0])


@dataclass(frozen=True)
class Verdict:
    """What was believed of a measurement; P = J + 1 parts: the joints, and last the place."""

    taken: Mask
    """(P,) counted."""
    turned_round: bool
    """They counted as `Measured.turned_round` has them."""
    surprising: Mask
    """(P,) was far from what was expected, and counts now: what was known does not hold."""
    lasting: Mask
    """(P,) counted because it had lasted long enough."""
    doubt: Array
    """(P,) factor on the measurement's variance."""


def finite_rows(take: Take) -> Mask:
    """(R,) which of a take's rows are numbers throughout."""
    values = (take.pose, take.shape, take.translation)
    finite = [np.isfinite(value).all(axis=tuple(range(1, value.ndim))) for value in values]
    return np.asarray(np.logical_and.reduce(finite))


class Gate:
    """Compares each measurement with the last one that was believed.

    With that one and not with the filter's expectation, so that it is the same for any strength of
    the smoothing.

    Parameters
    ----------
    measured : Measured
        The first.
    mirror : (J,) array
        Each joint's opposite.
    """

    def __init__(self, measured: Measured, mirror: Ints) -> None:
        self._mirror = mirror
        parts = len(measured.rotations) + 1
        self._turns = np.array(measured.rotations, dtype=np.float64)
        self._seen = seen_from_place(measured.place)
        self._since = np.zeros(parts)
        self._lasted = np.zeros(parts)
        self._wild = np.zeros(parts, dtype=np.int64)
        self._far = np.zeros(parts, dtype=bool)
        # the limits widen with time, so what was beyond them at first may not be any more
        self._stretch = np.zeros(parts, dtype=bool)

    def wait(self, dt: float) -> None:
        """Let dt seconds pass."""
        self._since += dt
        self._lasted += dt

    def judge(self, measured: Measured, turning: Array, moving: Array) -> Verdict:
        """Judge a measurement.

        Parameters
        ----------
        measured : Measured
        turning : (J, 3) array
            rad/s, in the joints' own frames.
        moving : (3,) array
            1/s, of x/z, y/z and log z.
        """
        off = self._off(measured, turning, moving)
        if off[0] > 1 or (off[:-1] > 1).mean() > _SOME_WILD:
            off[-1] *= 2
        wild = off > 1
        whole = bool(wild[:-1].mean() > _MOST_WILD)
        doubted = np.ones_like(wild) if whole else wild
        lasting = doubted & (self._wild >= _FRAMES) & (self._lasted > _LASTING)
        taken = ~doubted | lasting
        self._stretch |= wild
        if (whole or wild[0]) and not taken[0]:
            turned = self._off(measured.turned_round(self._mirror), turning, moving)
            if turned[0] <= 1 and (turned[:-1] > 1).mean() <= _MOST_WILD_TURNED:
                self._far = np.zeros_like(wild)
                doubt = _TURNED_DOUBT * np.maximum(1.0, turned / _SURE) ** 2
                return Verdict(turned <= 1, True, np.zeros_like(wild), lasting, doubt)
        # what is far off a second time is no accident
        far = off > _SURE
        doubt = np.where(self._far | lasting, 1.0, np.maximum(1.0, off / _SURE) ** 2)
        self._far = far & taken
        return Verdict(taken, False, self._stretch & lasting, lasting, doubt)

    def believe(self, measured: Measured, verdict: Verdict) -> None:
        """Measure the next ones by the parts of this one that were taken."""
        taken = verdict.taken
        seen = measured.turned_round(self._mirror) if verdict.turned_round else measured
        self._turns[taken[:-1]] = seen.rotations[taken[:-1]]
        if taken[-1]:
            self._seen = seen_from_place(measured.place)
        self._since[taken] = 0.0
        # who is always seen the other way round is that way
        as_measured = taken & (not verdict.turned_round)
        self._wild = np.where(as_measured, 0, self._wild + 1)
        self._lasted[as_measured] = 0.0
        self._stretch &= ~as_measured

    def _off(self, measured: Measured, turning: Array, moving: Array) -> Array:
        """(P,) distance from what was expected, as a part of the limits."""
        ahead = (1 - np.exp(-_FADING * self._since)) / _FADING
        expected = self._turns @ matrix_from_axis_angle(turning * ahead[:-1, None])
        seen = seen_from_place(measured.place) - self._seen - moving * ahead[-1]
        since = self._since[-1]
        across = np.hypot(seen[0], seen[1]) * np.exp(self._seen[2]) / (_ACROSS + _SPEED * since)
        depth = abs(seen[2]) / (_DEPTH + _DEPTH_SPEED * since)
        # of expected^T measured, from its trace
        angle = np.arccos(np.clip(((expected * measured.rotations).sum((-2, -1)) - 1) / 2, -1, 1))
        return np.append(angle / (_TURN + _TURN_SPEED * self._since[:-1]), max(across, depth))


def by_hindsight(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts of one who knows what came after: what lasted was real from its first frame.

    Parameters
    ----------
    verdicts : sequence of Verdict
        A measured frame each, in order.
    """
    if not verdicts:
        return []
    taken = np.array([verdict.taken for verdict in verdicts])
    turned_round = np.array([verdict.turned_round for verdict in verdicts])
    surprising = np.array([verdict.surprising for verdict in verdicts])
    lasting = np.array([verdict.lasting for verdict in verdicts])
    doubt = np.array([verdict.doubt for verdict in verdicts])
    for index, part in np.argwhere(lasting):
        first = index
        while first > 0 and (turned_round[first - 1] or not taken[first - 1, part]):
            first -= 1
        was = surprising[index, part]
        taken[first:index, part] = True
        doubt[first:index, part] = 1.0
        surprising[index, part] = False
        surprising[first, part] = was
        turned_round[first:index] &= part != 0
    return [
        Verdict(*found)
        for found in zip(taken, turned_round, surprising, lasting, doubt, strict=True)
    ]
