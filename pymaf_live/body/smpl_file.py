"""SMPL's own files (.pkl of v1.0 and v1.1, .npz), and SMPL-H's and SMPL-X's for skinning only.

Loper et al., 'SMPL: a skinned multi-person linear model' (SIGGRAPH Asia 2015); Romero et al.,
'Embodied hands' (2017); Pavlakos et al., 'Expressive body capture' (CVPR 2019). The files are their
owners', under terms of their own: they are read from where a user has them.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from scipy.sparse import csr_matrix, issparse

from pymaf_live.body.inert_pickle import read_inert
from pymaf_live.body.model import Body, Ints
from pymaf_live.errors import InputError
from pymaf_live.types import Array

USUAL_SHAPES = 10
"""Coefficients that networks estimate; the files have up to 300."""

_MOST_BYTES = 1 << 30
_MOST_VERTICES = 200_000
_OFF_ONE = 1e-2
"""How far a row's sum may be from 1; what is left is spread over the row."""

_KEYS = ("v_template", "f", "shapedirs", "J_regressor", "kintree_table", "weights")
_NO_HANDS = 22
"""Joints that SMPL, SMPL-H and SMPL-X have in common."""
_FINGERS = tuple(
    f"{side}_{finger}{joint}"
    for side in ("left", "right")
    for finger in ("index", "middle", "pinky", "ring", "thumb")
    for joint in (1, 2, 3)
)
_FACE = ("jaw", "left_eye_joint", "right_eye_joint")


@dataclass(frozen=True)
class SmplFile:
    """What the program needs of an SMPL file; V vertices, J joints, S shapes, F faces."""

    template: Array
    """(V, 3) m"""
    faces: Ints
    """(F, 3)"""
    shape_directions: Array
    """(V, 3, S)"""
    pose_directions: Array | None
    """(V, 3, 9 (J - 1)): how the elements of the joints' rotations, less the identity's, move the
    vertices. None where the file has none of the right size."""
    joint_regressor: csr_matrix
    """(J, V)"""
    weights: Array
    """(V, J)"""
    parents: Ints
    """(J,) -1 at the root."""
    joint_names: tuple[str, ...]


def read_smpl(path: Path, like: Body, shapes: int = USUAL_SHAPES) -> SmplFile:
    """Read an SMPL file without running anything that is in it.

    Parameters
    ----------
    path : Path
        ``.pkl`` or ``.npz``.
    like : Body
        A body with SMPL's tree, which names the joints.
    shapes : int
        Shape coefficients to keep.

    Raises
    ------
    InputError
        If the file is missing, holds anything but arrays (named), or is no such body.
    """
    return _checked(_entries(path), path, like, shapes)


def _entries(path: Path) -> Mapping[str, Any]:
    try:
        size = path.stat().st_size
        if size > _MOST_BYTES:
            raise InputError(f"{path} has {size} bytes, more than a body has")
        with path.open("rb") as file:
            zipped = file.read(2) == b"PK"
        if zipped:
            return _zipped_entries(path)
        found = read_inert(path.read_bytes(), path)
    except FileNotFoundError as error:
        raise InputError(f"there is no file {path}") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"cannot read {path}: {error}") from error
    if not isinstance(found, dict):
        raise InputError(f"{path} is no SMPL file: it holds no dictionary")
    return {str(name): value for name, value in found.items()}


def _zipped_entries(path: Path) -> dict[str, Any]:
    entries: dict[str, Any] = {}
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            name = info.filename.removesuffix(".npy")
            if name in (*_KEYS, "posedirs"):
                entries[name] = read_zipped(archive, info, path)
    return entries


def read_zipped(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> Any:
    """An array of an npz; arrays of objects, as older files have them, as `read_inert` does.

    Raises
    ------
    InputError
    """
    if info.file_size > _MOST_BYTES:
        raise InputError(f"{path} is refused: {info.filename} is too large")
    with archive.open(info) as file:
        version = np.lib.format.read_magic(file)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if read is None:
            raise InputError(f"{path} is refused: {info.filename} has an unknown header")
        shape, _, dtype = read(file)
        if dtype.hasobject:
            found = read_inert(file.read(), path)
            # a matrix alone was saved as an array without dimensions
            return found[0] if isinstance(found, list) and len(found) == 1 else found
        if math.prod(shape) * dtype.itemsize != info.file_size - file.tell():
            raise InputError(f"{path} is refused: {info.filename} is not as long as it says")
    with archive.open(info) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _checked(entries: Mapping[str, Any], path: Path, like: Body, shapes: int) -> SmplFile:
    def refuse(what: str) -> NoReturn:
        raise InputError(f"{path} is no SMPL body: {what}")

    for key in _KEYS:
        if key not in entries:
            refuse(f"it lacks {key}")

    def numbers(key: str) -> Array:
        try:
            values = np.asarray(entries[key], dtype=np.float64)
        except (TypeError, ValueError):
            refuse(f"{key} is not numbers")
        if not np.isfinite(values).all():
            refuse(f"{key} has values that are not finite")
        return values

    def whole(key: str) -> Ints:
        values = np.asarray(entries[key])
        if values.dtype.kind not in "iu":
            refuse(f"{key} is not whole numbers")
        return values.astype(np.int64)

    template = numbers("v_template")
    if template.ndim != 2 or template.shape[1] != 3 or not 0 < len(template) <= _MOST_VERTICES:
        refuse(f"v_template is {template.shape}, not (V, 3)")
    vertices = len(template)
    tree = whole("kintree_table")
    if tree.ndim != 2 or tree.shape[0] != 2:
        refuse(f"kintree_table is {tree.shape}, not (2, J)")
    parents = tree[0].copy()
    parents[0] = -1  # the file has what -1 is without a sign
    joints = len(parents)
    names = _names(joints, like)
    if names is None:
        refuse(
            f"it has {joints} joints; SMPL has {like.joint_count}, SMPL-H and SMPL-X have 52 and 55"
        )
    common = min(_NO_HANDS, joints) if joints != like.joint_count else joints
    other = not np.array_equal(parents[:common], like.parents[:common])
    if other or (parents[1:] < 0).any() or not (parents < np.arange(joints)).all():
        refuse("its joints hang together in another way than SMPL's")

    faces = whole("f")
    if faces.ndim != 2 or faces.shape[1] != 3 or not len(faces):
        refuse(f"f is {faces.shape}, not (F, 3)")
    if faces.min() < 0 or faces.max() >= vertices:
        refuse(f"f points outside its {vertices} vertices")
    directions = numbers("shapedirs")
    if directions.ndim != 3 or directions.shape[:2] != (vertices, 3) or not directions.shape[2]:
        refuse(f"shapedirs is {directions.shape}, not ({vertices}, 3, S)")
    weights = numbers("weights")
    if weights.shape != (vertices, joints):
        refuse(f"weights is {weights.shape}, not ({vertices}, {joints})")
    raw = entries["J_regressor"]
    regressor = csr_matrix(raw if issparse(raw) else numbers("J_regressor"), dtype=np.float64)
    if regressor.shape != (joints, vertices):
        refuse(f"J_regressor is {regressor.shape}, not ({joints}, {vertices})")
    if not np.isfinite(regressor.data).all():
        refuse("J_regressor has values that are not finite")
    for name, sums in (
        ("weights", weights.sum(axis=1)),
        ("J_regressor", np.asarray(regressor.sum(axis=1)).ravel()),
    ):
        if np.abs(sums - 1).max() > _OFF_ONE:
            refuse(f"the rows of {name} do not sum to 1")
    pose = numbers("posedirs") if "posedirs" in entries else None
    if pose is not None and pose.shape != (vertices, 3, 9 * (joints - 1)):
        refuse(f"posedirs is {pose.shape}, not ({vertices}, 3, {9 * (joints - 1)})")
    return SmplFile(
        template,
        faces,
        directions[:, :, :shapes],
        pose,
        csr_matrix(regressor.multiply(1 / np.asarray(regressor.sum(axis=1)))),
        weights / weights.sum(axis=1, keepdims=True),
        parents,
        names,
    )


def _names(joints: int, like: Body) -> tuple[str, ...] | None:
    body = like.joint_names[:_NO_HANDS]
    known = {
        like.joint_count: like.joint_names,
        len(body) + len(_FINGERS): (*body, *_FINGERS),
        len(body) + len(_FACE) + len(_FINGERS): (*body, *_FACE, *_FINGERS),
    }
    return known.get(joints)
