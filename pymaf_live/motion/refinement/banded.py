"""Solution of the banded normal equations of a trajectory."""

from __future__ import annotations

import numpy as np

from pymaf_live.types import Array


def solve_banded(blocks: Array, links: Array, right: Array, damping: float) -> Array:
    """Solve normal equations in which a frame is tied to itself and to the next two.

    Parameters
    ----------
    blocks : (N, D, D) array
        Symmetric, within a frame.
    links : (2, N, D) array
        Between equal unknowns of a frame and the next, and the one after that.
    right : (N, D) array
    damping : float
        Part of the diagonal that is added to it (Levenberg-Marquardt).

    Returns
    -------
    (N, D) array
    """
    # imported here: a part of the program's start time that most commands do not need
    from scipy.linalg import solveh_banded

    count, width, _ = blocks.shape
    # lower form: band[i - j, j] = A[i, j]
    band = np.zeros((2 * width + 1, count, width))
    for offset in range(width):
        inside = np.arange(width - offset)
        band[offset, :, : width - offset] = blocks[:, inside + offset, inside]
    band[0] *= 1 + damping
    band[0] += 1e-9
    band[width], band[2 * width] = links
    flat = band.reshape(2 * width + 1, -1)
    solution = solveh_banded(flat, right.ravel(), lower=True, overwrite_ab=True, check_finite=False)
    return np.asarray(solution).reshape(count, width)
