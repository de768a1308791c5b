"""Vector helpers."""

from __future__ import annotations

import numpy as np

from pymaf_live.types import Array

_MIN_LENGTH = 1e-12


def unit_vectors(vectors: Array) -> Array:
    """Return vectors (..., 3) scaled to length 1; zero vectors stay zero."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, _MIN_LENGTH))


def angle_between(first: Array, second: Array) -> Array:
    """Return the angles (...) in radians between vectors (..., 3)."""
    cosine = (unit_vectors(first) * unit_vectors(second)).sum(axis=-1)
    return np.asarray(np.arccos(np.clip(cosine, -1.0, 1.0)))
