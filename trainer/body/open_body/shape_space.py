"""Shape space: ten principal components of the sampled bodies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pymaf_live.types import Array
from trainer.body.open_body.geometry import mesh_volume
from trainer.body.open_body.half_mesh import HalfMesh

SHAPES = 10


@dataclass(frozen=True)
class ShapeSpace:
    """Mean body and shape directions of one standard deviation; H half and V whole vertices."""

    mean: Array
    """(H, 3) m, half body."""
    template: Array
    """(V, 3) m, whole body."""
    directions: Array
    """(V, 3, 10) m per unit of each coefficient."""
    variance: Array
    """(S,) variances of all components, m2 summed over the vertices."""
    error: Array
    """(S, H) m reconstruction error of each sampled vertex with ten components."""


def build_shape_space(points: Array, half: HalfMesh) -> ShapeSpace:
    """Compute the components of sampled half bodies (S, H, 3) in the T-pose, m.

    The sign of the first component makes the body taller, the signs of the others add volume.
    """
    count = len(points)
    mean = points.mean(0)
    # off the midline a half vertex represents two
    weight = np.where(half.on_midline, 1.0, np.sqrt(2.0))[:, None]
    centred = ((points - mean) * weight).reshape(count, -1)
    left, singular, right = np.linalg.svd(centred, full_matrices=False)
    variance = singular**2 / (count - 1)
    shape = (SHAPES, half.half_count, 3)
    components = (right[:SHAPES].reshape(shape) / weight) * np.sqrt(variance[:SHAPES])[
        :, None, None
    ]
    scores = left[:, :SHAPES] * np.sqrt(count - 1)
    for row in range(SHAPES):
        more, less = mean + components[row], mean - components[row]
        if row == 0:
            gain = np.ptp(more[:, 1]) - np.ptp(less[:, 1])
        else:
            gain = mesh_volume(more, half.half_faces) - mesh_volume(less, half.half_faces)
        if gain < 0:
            components[row] *= -1
            scores[:, row] *= -1
    reconstructed = np.einsum("sk,kvc->svc", scores, components) + mean
    return ShapeSpace(
        mean=mean,
        template=half.whole(mean),
        directions=np.stack([half.whole(component) for component in components], -1),
        variance=variance,
        error=np.linalg.norm(reconstructed - points, axis=2),
    )
