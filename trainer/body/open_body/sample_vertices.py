"""Vertices spread over the surface, at whose projections the network samples features."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from pymaf_live.types import Array
from trainer.body.open_body.geometry import directed_edges
from trainer.body.open_body.half_mesh import HalfMesh
from trainer.body.open_body.skeleton import JOINT_ROW

SAMPLED = 431
"""Number of vertices, as in the published network."""

_INITIAL = (
    "head_top",
    "left_middle_tip",
    "left_heel",
    "left_big_toe_tip",
    "nose",
    "left_thumb_tip",
)
_HAND_DENSITY, _END_DENSITY = 1.5, 1.2
"""Factors on the distance on hands, and on feet and head, which get more vertices."""


def build_sample_vertices(
    half: HalfMesh, template: Array, weights: Array, landmarks: dict[str, int]
) -> NDArray[np.int32]:
    """Select vertices by farthest-point sampling on the surface's graph, in mirrored pairs.

    A last single vertex lies on the midline.

    Parameters
    ----------
    half : HalfMesh
    template : (V, 3) array
        Metres.
    weights : (V, 24) array
        Skin weights.
    landmarks : dict of str to int
        Named vertices, some of which are selected first.

    Returns
    -------
    (431,) int32 array
        Sorted.
    """
    edges = directed_edges(half.faces)
    length = np.linalg.norm(template[edges[:, 0]] - template[edges[:, 1]], axis=1)
    graph = csr_matrix((length, (edges[:, 0], edges[:, 1])), (half.count, half.count))
    selected: list[int] = []
    distance = np.full(half.count, np.inf)

    def add(vertex: int) -> None:
        nonlocal distance
        for own in {vertex, int(half.mirror[vertex])}:
            selected.append(own)
            distance = np.minimum(distance, dijkstra(graph, indices=own, limit=0.5))

    for name in _INITIAL:
        add(landmarks[name])
    density = np.ones(half.count)
    hands = [JOINT_ROW[side + name] for name in ("wrist", "hand") for side in ("left_", "right_")]
    ends = [JOINT_ROW[side + name] for name in ("ankle", "foot") for side in ("left_", "right_")]
    density[weights[:, hands].sum(1) > 0.5] = _HAND_DENSITY
    density[weights[:, [*ends, JOINT_ROW["head"]]].sum(1) > 0.5] = _END_DENSITY
    while len(selected) < SAMPLED:
        score = distance * density
        if SAMPLED - len(selected) == 1:
            score = np.where(half.mirror == np.arange(half.count), score, -1)
        add(int(score.argmax()))
    return np.array(sorted(selected[:SAMPLED]), np.int32)
