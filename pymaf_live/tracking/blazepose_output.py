"""Layout of the output of BlazePose's landmark networks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pymaf_live.types import Array

BODY_POINTS = 33
"""Number of body points; the network's further points describe the next region."""

POINTS_OUTPUT, PRESENCE_OUTPUT, WORLD_OUTPUT = "Identity", "Identity_1", "Identity_4"
"""Names of the outputs: points, presence of a person, and points in metres."""

_VALUES_PER_POINT = 5
"""x, y, z, visibility, presence."""


def decode_points(output: npt.NDArray[np.floating]) -> tuple[Array, Array]:
    """Return the points and their visibility from a network's `Identity` output.

    Parameters
    ----------
    output : array of K * 5 values

    Returns
    -------
    points : (K, 3) array
        x, y, z in crop pixels with pixel centres at integers; z has the scale of x.
    visibility : (K,) array
        0..1
    """
    values = np.array(output, dtype=np.float64).reshape(-1, _VALUES_PER_POINT)
    points = values[:, :3].copy()
    # the network measures from the crop's edge
    points[:, :2] -= 0.5
    return points, 1 / (1 + np.exp(-np.clip(values[:, 3], -50, 50)))
