"""Conversion of the built body to arrays, and the body file."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from pymaf_live.system.atomic_write import atomic_write
from pymaf_live.types import Array
from trainer.body.open_body.charts import TexturedMesh
from trainer.body.open_body.half_mesh import HalfMesh
from trainer.body.open_body.keypoints import KEYPOINT_SETS, KeypointRows
from trainer.body.open_body.parts import PARTS, SIX_PARTS, parts_of_vertices, six_parts
from trainer.body.open_body.shape_space import ShapeSpace
from trainer.body.open_body.skeleton import JOINT_MIRROR, JOINTS, PARENTS

LICENSE = "CC0-1.0 (derived from MakeHuman/MPFB2 CC0 assets)"

_NO_PARENT = 4294967295
"""Parent of the root as in SMPL's file: -1 as an unsigned 32-bit number."""
_VARIANCES = 20


@dataclass(frozen=True)
class BodyParts:
    """Contents of the body file."""

    half: HalfMesh
    shape_space: ShapeSpace
    regressor: Array
    """(24, V)"""
    weights: Array
    """(V, 24)"""
    face_part: NDArray[np.uint8]
    """(F,) 1..24"""
    textured: TexturedMesh
    keypoints: KeypointRows
    sample_vertices: NDArray[np.int32]
    landmarks: dict[str, int]
    """Named vertices of both sides."""


def body_arrays(body: BodyParts) -> dict[str, NDArray[Any]]:
    """Return the arrays of the file by name, in their order."""
    half, shape_space = body.half, body.shape_space
    names = list(body.keypoints.rows)
    keypoints = csr_matrix(np.stack([body.keypoints.rows[name] for name in names]))
    kinematic_tree = np.stack([np.array(PARENTS), np.arange(24)]).astype(np.int64)
    kinematic_tree[0, 0] = _NO_PARENT
    arrays: dict[str, NDArray[Any]] = {
        "v_template": shape_space.template.astype(np.float32),
        "f": half.faces.astype(np.int32),
        "shapedirs": shape_space.directions.astype(np.float32),
        "J_regressor": _rows_to_one(body.regressor),
        "weights": _rows_to_one(body.weights),
        "kintree_table": kinematic_tree,
        "joint_names": np.array(JOINTS),
        "joint_mirror": JOINT_MIRROR.astype(np.int32),
        "mirror_vertex": half.mirror.astype(np.int32),
        "sample_vertices": body.sample_vertices,
        "part_names": np.array(["background", *PARTS]),
        "part_index": parts_of_vertices(half.faces, body.face_part.astype(np.int64), half.count),
        "face_part": body.face_part,
        "face_part6": six_parts(body.face_part),
        "part6_names": np.array(SIX_PARTS),
        "part_color": _part_colours(),
        "uv_vertex": body.textured.vertex,
        "uv_f": body.textured.faces,
        "uv": body.textured.uv,
        "uv_part": body.textured.part,
        "kp_names": np.array(names),
        "kp_data": keypoints.data.astype(np.float32),
        "kp_indices": keypoints.indices.astype(np.int32),
        "kp_indptr": keypoints.indptr.astype(np.int32),
        "shape_variance": shape_space.variance[:_VARIANCES].astype(np.float32),
        "base_vertex_id": half.base_vertex[half.half_of].astype(np.int32),
        "license": np.array(LICENSE),
    }
    for name, members in KEYPOINT_SETS.items():
        rows = [names.index(member) for member in members.split()]
        arrays["kpset_" + name] = np.array(rows, np.int32)
    smplx_vertices = _smplx_vertices(body)
    arrays["smplx_vertex_names"] = np.array(list(smplx_vertices))
    arrays["smplx_vertex_ids"] = np.array(list(smplx_vertices.values()), np.int32)
    return arrays


def write_body(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Write a body file (npz, compressed); equal arrays yield equal bytes.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def _rows_to_one(rows: Array) -> NDArray[np.float32]:
    """Return rows in 32 bits, normalised after rounding so that they sum to one."""
    rounded = rows.astype(np.float32)
    total = rounded.sum(1, keepdims=True, dtype=np.float64)
    return np.asarray(rounded.astype(np.float64) / total, np.float32)


def _part_colours() -> NDArray[np.uint8]:
    """Return a colour (25, 3) per part: distant hues for neighbours, black for the background."""
    order = np.argsort(np.argsort((np.arange(24) * 7) % 24))
    hues = np.linspace(0, 1, 24, endpoint=False)[order]
    colours = [[int(255 * c) for c in colorsys.hsv_to_rgb(hue, 0.55, 0.95)] for hue in hues]
    return np.array([[0, 0, 0], *colours], np.uint8)


def _smplx_vertices(body: BodyParts) -> dict[str, int]:
    """Return the vertices for `smplx.SMPL(..., vertex_ids=...)`.

    The numbers built into smplx refer to SMPL's own mesh.
    """
    landmarks, mean = body.landmarks, body.shape_space.mean
    rim = body.keypoints.ear
    from_middle = np.linalg.norm(mean[rim] - mean[rim].mean(0), axis=1)
    ear = int(rim[from_middle.argmin()])
    vertices = {
        "nose": landmarks["nose"],
        "reye": landmarks["right_eye"],
        "leye": landmarks["left_eye"],
        "rear": int(body.half.mirror[ear]),
        "lear": ear,
    }
    for side, letter in (("left_", "l"), ("right_", "r")):
        for finger in ("thumb", "index", "middle", "ring", "pinky"):
            vertices[letter + finger] = landmarks[f"{side}{finger}_tip"]
        capital = letter.upper()
        vertices[capital + "BigToe"] = landmarks[side + "big_toe_tip"]
        vertices[capital + "SmallToe"] = landmarks[side + "small_toe_tip"]
        vertices[capital + "Heel"] = landmarks[side + "heel"]
    return vertices
