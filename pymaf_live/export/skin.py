"""Skin weights per vertex in the layout of file formats."""

from __future__ import annotations

import numpy as np

from pymaf_live.export.scene import Scene
from pymaf_live.types import Array, Ints

_MIN_WEIGHT = 1e-6


def influences(scene: Scene, multiple_of: int = 1) -> tuple[Ints, Array]:
    """Return the bones that move each vertex, strongest first.

    Parameters
    ----------
    scene : Scene
    multiple_of : int
        The number of influences K is a multiple of this; unused ones have bone 0 and weight 0.

    Returns
    -------
    bone : (V, K) array
    weight : (V, K) array
        Rows sum to 1.
    """
    weights = np.where(scene.body.skin_weights > _MIN_WEIGHT, scene.body.skin_weights, 0.0)
    count = int((weights > 0).sum(axis=1).max())
    count = min(-(-count // multiple_of) * multiple_of, weights.shape[1])
    order = np.argsort(-weights, axis=1, kind="stable")[:, :count]
    weight = np.take_along_axis(weights, order, axis=1)
    weight /= weight.sum(axis=1, keepdims=True)
    bone = np.where(weight > 0, scene.joint_bones[order], 0)
    missing = -count % multiple_of
    if missing:
        bone = np.pad(bone, ((0, 0), (0, missing)))
        weight = np.pad(weight, ((0, 0), (0, missing)))
    return bone, weight
