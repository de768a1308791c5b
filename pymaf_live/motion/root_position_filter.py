"""Kalman filter of where a person is, by filterpy, in what a camera tells: direction and size.

State: the root joint's x/z, y/z and log z, and their velocities. So a wrong depth, which is the
network's guess of a size, never moves the body in the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pymaf_live.motion.kalman_import import kalman_filter_class
from pymaf_live.motion.motion_model import NOTHING_KNOWN, START_SPEED, SURPRISE_MEMORY, Model
from pymaf_live.types import Array

State = tuple[Array, Array]
"""(6,) direction, log depth and their velocities; (6, 6) covariance."""

_NEAREST = 0.05
"""Metres; nobody is nearer to a camera."""


def seen_from_place(place: Array) -> Array:
    """(..., 3) m in the camera's frame to x/z, y/z and log z."""
    depth = np.maximum(place[..., 2:], _NEAREST)
    return np.concatenate([place[..., :2] / depth, np.log(depth)], axis=-1)


def place_from_seen(seen: Array) -> Array:
    """Back from `seen_from_place`."""
    depth = np.exp(seen[..., 2:])
    return np.concatenate([seen[..., :2] * depth, depth], axis=-1)


class Place:
    """A root joint's place and its velocity.

    Parameters
    ----------
    place : (3,) array
        First measurement, m in the camera's frame.
    model : Model
    """

    def __init__(self, place: Array, model: Model) -> None:
        self._filter: Any = kalman_filter_class()(dim_x=6, dim_z=3)
        self._filter.H = np.eye(3, 6)
        self._filter.x = np.r_[seen_from_place(place), np.zeros(3)]
        speed = START_SPEED / self._depth
        self._filter.P = np.diag(np.r_[self._variance(model), np.full(3, speed**2)])
        # across and in depth, as `Walk.spread` has it
        self._surprise = np.ones(2)

    @property
    def now(self) -> Array:
        """(3,) m."""
        return place_from_seen(np.array(self._filter.x[:3]))

    @property
    def state(self) -> State:
        """What is believed now."""
        return np.array(self._filter.x), np.array(self._filter.P)

    @property
    def velocity(self) -> Array:
        """(3,) 1/s, of x/z, y/z and log z."""
        return np.array(self._filter.x[3:])

    @property
    def _depth(self) -> float:
        return max(float(np.exp(self._filter.x[2])), _NEAREST)

    def _variance(self, model: Model) -> Array:
        across = model.across_error / self._depth
        return np.array([across, across, model.depth_error]) ** 2

    def go_on(self, dt: float, model: Model) -> None:
        """Go on by dt seconds without a measurement."""
        depth = self._depth
        speed = np.abs(self._filter.x[3:]) * depth
        across = model.across.spread(dt, np.hypot(speed[0], speed[1]), self._surprise[0])
        along = model.depth.spread(dt, speed[2], self._surprise[1])
        spread = np.stack([across, across, along]) / depth**2
        Q = np.zeros((6, 6))
        for axis in range(3):
            Q[axis::3, axis::3] = spread[axis]
        self._filter.predict(F=transition(dt, model), Q=Q)

    def after(self, dt: float, model: Model) -> Array:
        """(3,) m, dt seconds later without a measurement; the state stays."""
        seen = np.array(self._filter.x[:3])
        seen[:2] += model.across.transition(dt)[0, 1] * self._filter.x[3:5]
        seen[2] += model.depth.transition(dt)[0, 1] * self._filter.x[5]
        return place_from_seen(seen)

    def open(self) -> None:
        """Know nothing any more: the person is elsewhere by surprise."""
        self._filter.P = np.kron(NOTHING_KNOWN, np.eye(3))
        self._filter.x[3:] = 0.0

    def correct(self, dt: float, place: Array, model: Model, doubt: float) -> None:
        """Take in a measurement (3,) m, dt seconds after the last, its variance times `doubt`."""
        seen, variance = seen_from_place(place), self._variance(model) * doubt
        off = (seen - self._filter.x[:3]) ** 2 / (np.diag(self._filter.P)[:3] + variance)
        new = 1 - np.exp(-dt / SURPRISE_MEMORY)
        self._surprise = self._surprise + new * (np.r_[off[:2].mean(), off[2]] - self._surprise)
        self._filter.update(seen, R=np.diag(variance))

    def pass_over(self, model: Model) -> None:
        """Be as sure as after a measurement, where there was one that is not believed.

        Grown doubt would have the next one followed all the more: what is seen is a jump.
        """
        P = np.array(self._filter.P)
        gain = P[:, :3] @ np.linalg.inv(P[:3, :3] + np.diag(self._variance(model)))
        self._filter.P = P - gain @ P[:3]


def transition(dt: float, model: Model) -> Array:
    """(6, 6) of the state over dt seconds."""
    F = np.eye(6)
    ways = [model.across.transition(dt)] * 2 + [model.depth.transition(dt)]
    for axis, way in enumerate(ways):
        F[axis, axis + 3], F[axis + 3, axis + 3] = way[0, 1], way[1, 1]
    return F


def smooth_backward(
    before: Sequence[State], after: Sequence[State], transitions: Sequence[Array]
) -> Array:
    """(N, 3) m: Rauch-Tung-Striebel over a filter's states at N times.

    Parameters
    ----------
    before : sequence of states
        As expected at each time ahead of its measurement.
    after : sequence of states
        As believed after it.
    transitions : sequence of (6, 6) arrays
        That led to each time; the first is not used.
    """
    mean = after[-1][0]
    smoothed = [mean[:3]]
    for index in range(len(after) - 2, -1, -1):
        (now, covariance), (expected, prior) = after[index], before[index + 1]
        gain = covariance @ transitions[index + 1].T @ np.linalg.inv(prior)
        mean = now + gain @ (mean - expected)
        smoothed.append(mean[:3])
    return place_from_seen(np.array(smoothed[::-1]))
