"""Kalman filter of where a person is, by filterpy."""

from __future__ import annotations

from typing import Any

import numpy as np

from pymaf_live.motion.model import (
    Noise,
    doubt,
    place_spread,
    place_start,
    place_transition,
)
from pymaf_live.types import Array


class Place:
    """A root joint's place (3,) m in the camera's frame, and its velocity.

    Parameters
    ----------
    place : (3,) array
        First measurement.
    noise : Noise
    """

    def __init__(self, place: Array, noise: Noise) -> None:
        # 1.2 s, because it imports matplotlib
        from filterpy.kalman import KalmanFilter

        self._noise = noise
        self._filter: Any = KalmanFilter(dim_x=6, dim_z=3)
        self._filter.H = np.eye(3, 6)
        self._filter.x = np.r_[place, np.zeros(3)]
        self._filter.P = place_start(noise.place_covariance(place))

    @property
    def now(self) -> Array:
        """(3,) m."""
        return np.array(self._filter.x[:3])

    @property
    def state(self) -> tuple[Array, Array]:
        """(6,) place and velocity, (6, 6) covariance."""
        return np.array(self._filter.x), np.array(self._filter.P)

    def carried(self, seconds: float) -> Array:
        """(3,) m after going on for so many seconds at the present velocity."""
        return np.array(self._filter.x[:3] + seconds * self._filter.x[3:])

    def step(self, dt: float, measured: Array | None) -> None:
        """Go on by dt seconds and take in a measurement (3,) m, where there is one."""
        self._filter.predict(F=place_transition(dt), Q=place_spread(dt))
        if measured is None:
            return
        R = self._noise.place_covariance(measured)
        off = measured - self._filter.x[:3]
        deviations = np.sqrt(off @ np.linalg.solve(self._filter.P[:3, :3] + R, off))
        self._filter.update(measured, R=R * float(doubt(deviations)))

    def smooth_backward(self, states: list[tuple[Array, Array]], times: Array) -> Array:
        """(N, 3) m: Rauch-Tung-Striebel over the states after each of N times."""
        steps = np.diff(times, prepend=times[0])
        smoothed, *_ = self._filter.rts_smoother(
            np.array([mean for mean, _ in states]),
            np.array([covariance for _, covariance in states]),
            Fs=[place_transition(float(dt)) for dt in steps],
            Qs=[place_spread(float(dt)) for dt in steps],
        )
        return np.asarray(smoothed[:, :3])
