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

from pymaf_live.body.model import Body
from pymaf_live.body.safe_pickle import read_inert
from pymaf_live.errors import InputError
from pymaf_live.types import Array, Ints

DEFAULT_SHAPE_COUNT = 10
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


def read_smpl(path: Path, like: Body, shapes: int = DEFAULT_SHAPE_COUNT) -> SmplFile:
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


class _Entries:
    """A file's entries, as numbers of the shapes they must have."""

    def __init__(self, entries: Mapping[str, Any], path: Path) -> None:
        self._entries, self._path = entries, path
        for key in _KEYS:
            if key not in entries:
                self.refuse(f"it lacks {key}")

    def refuse(self, what: str) -> NoReturn:
        raise InputError(f"{self._path} is no SMPL body: {what}")

    def numbers(self, key: str, *shape: int | str) -> Array:
        """Finite numbers; a letter in `shape` stands for any number above 0."""
        try:
            values = np.asarray(self._entries[key], dtype=np.float64)
        except (TypeError, ValueError):
            self.refuse(f"{key} is not numbers")
        if not np.isfinite(values).all():
            self.refuse(f"{key} has values that are not finite")
        self._require(key, values.shape, shape)
        return values

    def whole(self, key: str, *shape: int | str) -> Ints:
        """Whole numbers, likewise."""
        values = np.asarray(self._entries[key])
        if values.dtype.kind not in "iu":
            self.refuse(f"{key} is not whole numbers")
        self._require(key, values.shape, shape)
        return values.astype(np.int64)

    def rows_of_one(self, key: str, *shape: int) -> csr_matrix:
        """A matrix whose rows sum to 1, but for rounding, which is taken out."""
        raw = self._entries[key]
        matrix = csr_matrix(raw if issparse(raw) else self.numbers(key, *shape), dtype=np.float64)
        self._require(key, matrix.shape, shape)
        if not np.isfinite(matrix.data).all():
            self.refuse(f"{key} has values that are not finite")
        sums = np.asarray(matrix.sum(axis=1))
        if np.abs(sums - 1).max() > _OFF_ONE:
            self.refuse(f"the rows of {key} do not sum to 1")
        return csr_matrix(matrix.multiply(1 / sums))

    def optional(self, key: str, *shape: int) -> Array | None:
        return self.numbers(key, *shape) if key in self._entries else None

    def _require(self, key: str, found: tuple[int, ...], wanted: tuple[int | str, ...]) -> None:
        fits = len(found) == len(wanted) and all(
            n == w if isinstance(w, int) else n > 0 for n, w in zip(found, wanted, strict=True)
        )
        if not fits:
            self.refuse(f"{key} is {found}, not ({', '.join(map(str, wanted))})")


def _checked(found: Mapping[str, Any], path: Path, like: Body, shapes: int) -> SmplFile:
    entries = _Entries(found, path)
    template = entries.numbers("v_template", "V", 3)
    vertices = len(template)
    if vertices > _MOST_VERTICES:
        entries.refuse(f"v_template is {template.shape}, which is too large")
    parents, names = _tree(entries, like)
    joints = len(parents)
    faces = entries.whole("f", "F", 3)
    if faces.min() < 0 or faces.max() >= vertices:
        entries.refuse(f"f points outside its {vertices} vertices")
    return SmplFile(
        template,
        faces,
        entries.numbers("shapedirs", vertices, 3, "S")[:, :, :shapes],
        entries.optional("posedirs", vertices, 3, 9 * (joints - 1)),
        entries.rows_of_one("J_regressor", joints, vertices),
        entries.rows_of_one("weights", vertices, joints).toarray(),
        parents,
        names,
    )


def _tree(entries: _Entries, like: Body) -> tuple[Ints, tuple[str, ...]]:
    """Parents (J,), -1 for the root, and names of the joints."""
    parents = entries.whole("kintree_table", 2, "J")[0].copy()
    parents[0] = -1  # the file has what -1 is without a sign
    joints = len(parents)
    names = _names(joints, like)
    if names is None:
        entries.refuse(
            f"it has {joints} joints; SMPL has {like.joint_count}, SMPL-H and SMPL-X have 52 and 55"
        )
    common = min(_NO_HANDS, joints) if joints != like.joint_count else joints
    other = not np.array_equal(parents[:common], like.parents[:common])
    if other or (parents[1:] < 0).any() or not (parents < np.arange(joints)).all():
        entries.refuse("its joints hang together in another way than SMPL's")
    return parents, names


def _names(joints: int, like: Body) -> tuple[str, ...] | None:
    body = like.joint_names[:_NO_HANDS]
    known = {
        like.joint_count: like.joint_names,
        len(body) + len(_FINGERS): (*body, *_FINGERS),
        len(body) + len(_FACE) + len(_FINGERS): (*body, *_FACE, *_FINGERS),
    }
    return known.get(joints)
