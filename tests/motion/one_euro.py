"""One-Euro filter (Casiez et al., CHI 2012) as the baseline, implemented as well as possible.

Filters rotations in their tangent space with the true time step, and the position in the same
coordinates as the Kalman filter (x/z, y/z, log z), the depth with parameters of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pymaf_live.body.rotations import axis_angle_from_matrix, matrix_from_axis_angle


@dataclass(frozen=True)
class OneEuro:
    """Parameters of the filter."""

    cutoff: float
    """Cut-off frequency at rest, Hz."""
    beta: float
    """Increase of the cut-off frequency with speed, Hz per unit/s."""
    derivative_cutoff: float = 1.0
    """Cut-off frequency of the speed, Hz."""


def _part(cutoff: np.ndarray | float, dt: float) -> np.ndarray | float:
    return 1 / (1 + 1 / (2 * np.pi * cutoff * dt))


def filtered(values: np.ndarray, times: np.ndarray, by: OneEuro) -> np.ndarray:
    """Return filtered values (F, D); the coordinates share their speed."""
    out = np.array(values, dtype=np.float64)
    speed = np.zeros(values.shape[1])
    for index in range(1, len(values)):
        dt = times[index] - times[index - 1]
        change = (values[index] - values[index - 1]) / dt
        speed = speed + _part(by.derivative_cutoff, dt) * (change - speed)
        cutoff = by.cutoff + by.beta * np.linalg.norm(speed)
        out[index] = out[index - 1] + _part(cutoff, dt) * (values[index] - out[index - 1])
    return out


def filtered_rotations(turns: np.ndarray, times: np.ndarray, by: OneEuro) -> np.ndarray:
    """Return filtered rotations (F, J, 3, 3); every joint has a speed of its own."""
    out = np.array(turns, dtype=np.float64)
    steps = axis_angle_from_matrix(np.swapaxes(turns[:-1], -1, -2) @ turns[1:])
    speed = np.zeros(steps.shape[1:])
    for index in range(1, len(turns)):
        dt = times[index] - times[index - 1]
        speed = speed + _part(by.derivative_cutoff, dt) * (steps[index - 1] / dt - speed)
        cutoff = by.cutoff + by.beta * np.linalg.norm(speed, axis=-1, keepdims=True)
        error = axis_angle_from_matrix(np.swapaxes(out[index - 1], -1, -2) @ turns[index])
        out[index] = out[index - 1] @ matrix_from_axis_angle(_part(cutoff, dt) * error)
    return out
