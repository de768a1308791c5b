"""Sparse linear least squares, assembled block by block."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from pymaf_live.types import Array, Ints


class SparseLeastSquares:
    """Normal equations of a sparse linear least-squares problem.

    Parameters
    ----------
    unknowns : int
        Number of unknowns, U.
    """

    def __init__(self, unknowns: int) -> None:
        self._normal = csr_matrix((unknowns, unknowns))
        self._right = np.zeros(unknowns)

    def add(self, columns: Ints, values: Array, target: Array, error: float) -> None:
        """Add M equations with K unknowns each.

        Parameters
        ----------
        columns : (M, K) array
            Indices of the unknowns.
        values : (M, K) array
            Their coefficients.
        target : (M,) array
            Right-hand sides.
        error : float
            Standard deviation of the residuals.
        """
        rows = np.repeat(np.arange(len(columns)), columns.shape[1])
        shape = (len(columns), len(self._right))
        block = csr_matrix((np.ravel(values) / error, (rows, np.ravel(columns))), shape)
        self._normal = self._normal + block.T @ block
        self._right += block.T @ (target / error)

    def solve(self) -> Array:
        """Return the unknowns (U,)."""
        # imported here: a twentieth of the program's start time that most commands do not need
        from scipy.sparse.linalg import spsolve

        return np.asarray(spsolve(self._normal.tocsc(), self._right))
