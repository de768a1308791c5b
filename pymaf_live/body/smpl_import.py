"""A body that a user brought, in our own layout: what its file lacks comes from the open body.

SMPL's file has mesh, shapes, joints and weights, but neither key points nor parts. Both bodies are
people in a T-pose, so the open body is laid over the other one: each vertex moves with its joints,
which go where the other's are, limbs turned and stretched to its bones. Every vertex then stands
for the nearest of the other body's that faces the same way. A key point keeps its weights on these,
the 24 joints have the regressor of the file itself, and a face the part of the nearest face.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, vstack
from scipy.spatial import cKDTree

from pymaf_live.body.model import Body, Ints, load_body
from pymaf_live.body.normals import vertex_normals
from pymaf_live.body.smpl_file import SmplFile
from pymaf_live.system.atomic_write import atomic_write, make_folder
from pymaf_live.types import Array

_FACING = 0.03
"""Metres that vertices are thought apart which face quite different ways."""
_JOINT = "smpl_"
"""Key points of this name are the joints themselves."""


def write_adopted(path: Path, smpl: SmplFile, open_body: Body) -> Body:
    """Write a body file in our layout, and load it again.

    Parameters
    ----------
    path : Path
        Its folder is made.
    smpl : SmplFile
    open_body : Body
        Where key points and parts come from.

    Raises
    ------
    OutputError
        If it cannot be written.
    ModelError
        If the result is no sound body.
    """
    arrays = _arrays(smpl, open_body)
    make_folder(path.parent)
    with atomic_write(path) as temporary:
        with temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        load_body(temporary)
    return load_body(path)


def read_pose_directions(path: Path) -> Array | None:
    """(V, 3, 9 (J - 1)) pose directions beside an adopted body, which drawing leaves out."""
    with np.load(path, allow_pickle=False) as file:
        return np.asarray(file["posedirs"], np.float64) if "posedirs" in file.files else None


def _arrays(smpl: SmplFile, source: Body) -> dict[str, npt.NDArray[Any]]:
    laid = _laid_over(source, smpl)
    target_normals = vertex_normals(smpl.template, smpl.faces)
    tree = cKDTree(np.hstack([smpl.template, _FACING * target_normals]))
    _, nearest = tree.query(np.hstack([laid, _FACING * vertex_normals(laid, source.faces)]))
    centres = smpl.template[smpl.faces].mean(axis=1)
    _, face = cKDTree(laid[source.faces].mean(axis=1)).query(centres)
    points = _key_points(smpl, source, nearest)
    # in the order of the open body's samples, each vertex once
    _, first = np.unique(nearest[source.sample_vertices], return_index=True)
    samples = nearest[source.sample_vertices][np.sort(first)]
    arrays: dict[str, npt.NDArray[Any]] = {
        "v_template": smpl.template,
        "f": smpl.faces.astype(np.int32),
        "shapedirs": smpl.shape_directions.astype(np.float32),
        "J_regressor": smpl.joint_regressor.toarray(),
        "weights": smpl.weights,
        "kintree_table": np.stack([smpl.parents, np.arange(len(smpl.parents))]),
        "joint_names": np.array(smpl.joint_names),
        "joint_mirror": _mirror(smpl.joint_names),
        "sample_vertices": samples.astype(np.int32),
        "kp_names": np.array(source.keypoint_names),
        "kp_data": points.data,
        "kp_indices": points.indices.astype(np.int32),
        "kp_indptr": points.indptr.astype(np.int32),
        "face_part": source.face_part[face].astype(np.uint8),
    }
    arrays |= {f"kpset_{name}": rows for name, rows in source.keypoint_sets.items()}
    if smpl.pose_directions is not None:
        arrays["posedirs"] = smpl.pose_directions.astype(np.float32)
    return arrays


def _key_points(smpl: SmplFile, source: Body, nearest: Ints) -> csr_matrix:
    rows = []
    for row, name in enumerate(source.keypoint_names):
        joint = name.removeprefix(_JOINT)
        if name.startswith(_JOINT) and joint in smpl.joint_names:
            rows.append(smpl.joint_regressor[smpl.joint_names.index(joint)])
            continue
        given = source.keypoint_regressor[row]
        where = (np.zeros(len(given.indices), dtype=np.int64), nearest[given.indices])
        rows.append(csr_matrix((given.data, where), (1, len(smpl.template))))
    points = csr_matrix(vstack(rows))
    points.sum_duplicates()
    return points


def _laid_over(source: Body, smpl: SmplFile) -> Array:
    """The open body's vertices (V, 3) where they lie once its joints are the other's."""
    joints = source.joint_regressor @ source.template
    theirs = smpl.joint_regressor @ smpl.template
    whole = np.ptp(smpl.template[:, 1]) / np.ptp(source.template[:, 1])
    moved = np.zeros_like(source.template)
    turns: list[Array] = [np.eye(3) for _ in joints]
    places = np.zeros_like(joints)
    scales = np.full(len(joints), whole)
    for joint, name in enumerate(source.joint_names):
        parent = int(source.parents[joint])
        children = np.flatnonzero(source.parents == joint)
        if name not in smpl.joint_names:
            turns[joint], scales[joint] = turns[parent], scales[parent]
            bone = joints[joint] - joints[parent]
            places[joint] = places[parent] + scales[joint] * turns[joint] @ bone
        else:
            places[joint] = theirs[smpl.joint_names.index(name)]
            child = source.joint_names[children[0]] if len(children) == 1 else ""
            if child in smpl.joint_names:
                own = joints[children[0]] - joints[joint]
                other = theirs[smpl.joint_names.index(child)] - places[joint]
                turns[joint] = turn_between(own, other)
                lengths = np.linalg.norm(other), max(float(np.linalg.norm(own)), 1e-6)
                scales[joint] = np.clip(lengths[0] / lengths[1], 0.5 * whole, 2 * whole)
            elif parent >= 0 and not len(children):
                turns[joint] = turns[parent]
        rest = source.template - joints[joint]
        placed = scales[joint] * rest @ turns[joint].T + places[joint]
        moved += source.skin_weights[:, joint, None] * placed
    return moved


def turn_between(first: Array, second: Array) -> Array:
    """The smallest rotation (..., 3, 3) that takes directions (..., 3) to others."""
    a = first / np.maximum(np.linalg.norm(first, axis=-1, keepdims=True), 1e-12)
    b = second / np.maximum(np.linalg.norm(second, axis=-1, keepdims=True), 1e-12)
    a, b = np.broadcast_arrays(a, b)
    # two reflections: across the middle of the two, and across the first
    middle = a + b
    square = (middle * middle).sum(axis=-1)[..., None, None]
    opposite = square < 1e-12
    turn = 2 * middle[..., :, None] * middle[..., None, :] / np.where(opposite, 1, square)
    half = turn - np.eye(3)
    across = 2 * a[..., :, None] * a[..., None, :] - np.eye(3)
    # between opposite directions any half turn about a perpendicular will do
    aside = np.cross(a, np.eye(3)[np.abs(a).argmin(axis=-1)])
    aside /= np.maximum(np.linalg.norm(aside, axis=-1, keepdims=True), 1e-12)
    round_aside = 2 * aside[..., :, None] * aside[..., None, :] - np.eye(3)
    found: Array = np.where(opposite, round_aside, half @ across)
    return found


def _mirror(names: tuple[str, ...]) -> Ints:
    other = {"left": "right", "right": "left"}
    swapped = []
    for name in names:
        side, _, rest = name.partition("_")
        swapped.append(f"{other[side]}_{rest}" if side in other else name)
    return np.array([names.index(name) for name in swapped])
