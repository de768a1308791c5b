"""Conversion of an SMPL file to this program's body file.

SMPL files contain mesh, shapes, joints and weights, but neither key points nor body parts; these
are transferred from the open body. Both bodies stand in a T-pose, so the open body is fitted to the
other one: each vertex moves with its joints to where the other's joints are, with limbs rotated and
scaled to its bones. Every vertex then corresponds to the nearest vertex of the other body that
faces the same way. A key point keeps its weights on these vertices, the 24 joints use the file's
own regressor, and each face gets the part of the nearest face.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, vstack
from scipy.spatial import cKDTree

from pymaf_live.body.model import Body, load_body
from pymaf_live.body.normals import vertex_normals
from pymaf_live.body.rotations import rotation_between
from pymaf_live.body.smpl_file import SmplFile
from pymaf_live.system.atomic_write import atomic_write, make_folder
from pymaf_live.types import Array, Ints

_NORMAL_WEIGHT = 0.03
"""Weight of the unit normals in the search for the nearest vertex, metres."""
_JOINT_PREFIX = "smpl_"
"""Prefix of the key points that are the joints themselves."""


def write_body(path: Path, smpl: SmplFile, open_body: Body) -> Body:
    """Write a body file in this program's layout and load it.

    Parameters
    ----------
    path : Path
        Its folder is created.
    smpl : SmplFile
    open_body : Body
        Source of key points and body parts.

    Raises
    ------
    OutputError
        If the file cannot be written.
    ModelError
        If the result is not a valid body.
    """
    arrays = _arrays(smpl, open_body)
    make_folder(path.parent)
    with atomic_write(path) as temporary:
        with temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        load_body(temporary)
    return load_body(path)


def _arrays(smpl: SmplFile, source: Body) -> dict[str, npt.NDArray[Any]]:
    fitted = _fit(source, smpl)
    target_normals = vertex_normals(smpl.template, smpl.faces)
    tree = cKDTree(np.hstack([smpl.template, _NORMAL_WEIGHT * target_normals]))
    fitted_normals = vertex_normals(fitted, source.faces)
    _, nearest = tree.query(np.hstack([fitted, _NORMAL_WEIGHT * fitted_normals]))
    centres = smpl.template[smpl.faces].mean(axis=1)
    _, face = cKDTree(fitted[source.faces].mean(axis=1)).query(centres)
    keypoints = _keypoint_regressor(smpl, source, nearest)
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
        "kp_data": keypoints.data,
        "kp_indices": keypoints.indices.astype(np.int32),
        "kp_indptr": keypoints.indptr.astype(np.int32),
        "face_part": source.face_part[face].astype(np.uint8),
    }
    arrays |= {f"kpset_{name}": rows for name, rows in source.keypoint_sets.items()}
    if smpl.pose_directions is not None:
        arrays["posedirs"] = smpl.pose_directions.astype(np.float32)
    return arrays


def _keypoint_regressor(smpl: SmplFile, source: Body, nearest: Ints) -> csr_matrix:
    """Return the regressor (K, V) of the open body's key points on the other body's vertices."""
    rows = []
    for row, name in enumerate(source.keypoint_names):
        joint = name.removeprefix(_JOINT_PREFIX)
        if name.startswith(_JOINT_PREFIX) and joint in smpl.joint_names:
            rows.append(smpl.joint_regressor[smpl.joint_names.index(joint)])
            continue
        weights = source.keypoint_regressor[row]
        indices = (np.zeros(len(weights.indices), dtype=np.int64), nearest[weights.indices])
        rows.append(csr_matrix((weights.data, indices), (1, len(smpl.template))))
    regressor = csr_matrix(vstack(rows))
    regressor.sum_duplicates()
    return regressor


def _fit(source: Body, smpl: SmplFile) -> Array:
    """Return the open body's vertices (V, 3) with its joints moved to the other body's."""
    joints = source.joint_regressor @ source.template
    targets = smpl.joint_regressor @ smpl.template
    overall_scale = np.ptp(smpl.template[:, 1]) / np.ptp(source.template[:, 1])
    vertices = np.zeros_like(source.template)
    rotations: list[Array] = [np.eye(3) for _ in joints]
    positions = np.zeros_like(joints)
    scales = np.full(len(joints), overall_scale)
    for joint, name in enumerate(source.joint_names):
        parent = int(source.parents[joint])
        children = np.flatnonzero(source.parents == joint)
        if name not in smpl.joint_names:
            rotations[joint], scales[joint] = rotations[parent], scales[parent]
            bone = joints[joint] - joints[parent]
            positions[joint] = positions[parent] + scales[joint] * rotations[joint] @ bone
        else:
            positions[joint] = targets[smpl.joint_names.index(name)]
            child = source.joint_names[children[0]] if len(children) == 1 else ""
            if child in smpl.joint_names:
                bone = joints[children[0]] - joints[joint]
                target_bone = targets[smpl.joint_names.index(child)] - positions[joint]
                rotations[joint] = rotation_between(bone, target_bone)
                ratio = np.linalg.norm(target_bone) / max(float(np.linalg.norm(bone)), 1e-6)
                scales[joint] = np.clip(ratio, 0.5 * overall_scale, 2 * overall_scale)
            elif parent >= 0 and not len(children):
                rotations[joint] = rotations[parent]
        rest = source.template - joints[joint]
        moved = scales[joint] * rest @ rotations[joint].T + positions[joint]
        vertices += source.skin_weights[:, joint, None] * moved
    return vertices


def _mirror(names: tuple[str, ...]) -> Ints:
    other = {"left": "right", "right": "left"}
    swapped = []
    for name in names:
        side, _, rest = name.partition("_")
        swapped.append(f"{other[side]}_{rest}" if side in other else name)
    return np.array([names.index(name) for name in swapped])
