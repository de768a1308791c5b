"""Reader of SMPL files (.pkl of v1.0 and v1.1, .npz), and of SMPL-H and SMPL-X for skinning only.

Loper et al., 'SMPL: a skinned multi-person linear model' (SIGGRAPH Asia 2015); Romero et al.,
'Embodied hands' (2017); Pavlakos et al., 'Expressive body capture' (CVPR 2019). The files belong to
their owners and have their own licences; they are read from where the user stores them.
"""

from __future__ import annotations

import mmap
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from scipy.sparse import csr_matrix, issparse

from pymaf_live.body.model import Body
from pymaf_live.body.safe_pickle import load_arrays
from pymaf_live.errors import InputError
from pymaf_live.system.npy import check_archive_size, check_zip_entry, read_npy_header
from pymaf_live.system.regular_file import open_regular
from pymaf_live.types import Array, Ints

DEFAULT_SHAPE_COUNT = 10
"""Number of shape coefficients that networks estimate; the files have up to 300."""

_MAX_BYTES = 400 << 20
"""Limit of a file, and of all arrays read from an npz; SMPL's largest file, with 300 shape
coefficients, has 247 MB."""
_MAX_VERTICES = 200_000
_SUM_TOLERANCE = 1e-2
"""Largest accepted deviation of a row's sum from 1; rows are normalised afterwards."""

_KEYS = ("v_template", "f", "shapedirs", "J_regressor", "kintree_table", "weights")
_COMMON_JOINTS = 22
"""Number of joints that SMPL, SMPL-H and SMPL-X have in common."""
_FINGERS = tuple(
    f"{side}_{finger}{joint}"
    for side in ("left", "right")
    for finger in ("index", "middle", "pinky", "ring", "thumb")
    for joint in (1, 2, 3)
)
_FACE = ("jaw", "left_eye_joint", "right_eye_joint")


@dataclass(frozen=True)
class SmplFile:
    """Content of an SMPL file; V vertices, J joints, S shape coefficients, F faces."""

    template: Array
    """(V, 3) m"""
    faces: Ints
    """(F, 3)"""
    shape_directions: Array
    """(V, 3, S)"""
    pose_directions: Array | None
    """(V, 3, 9 (J - 1)): displacement of the vertices by the elements of the joints' rotations
    minus the identity. None if the file has none."""
    joint_regressor: csr_matrix
    """(J, V)"""
    weights: Array
    """(V, J)"""
    parents: Ints
    """(J,) -1 at the root."""
    joint_names: tuple[str, ...]


def read_smpl(path: Path, like: Body, shapes: int = DEFAULT_SHAPE_COUNT) -> SmplFile:
    """Read an SMPL file without executing anything in it.

    Parameters
    ----------
    path : Path
        ``.pkl`` or ``.npz``.
    like : Body
        Body with SMPL's tree, which names the joints.
    shapes : int
        Number of shape coefficients to keep.

    Raises
    ------
    InputError
        If the file is missing, contains anything but arrays, or is not such a body.
    """
    return _validated(_read_entries(path), path, like, shapes)


def _read_entries(path: Path) -> Mapping[str, Any]:
    try:
        size = path.stat().st_size
        if size > _MAX_BYTES:
            raise InputError(f"{path} has {size} bytes, too many for a body")
        with open_regular(path) as file:
            zipped = file.read(2) == b"PK"
        if zipped:
            return _read_zip_entries(path)
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as raw:
            content = load_arrays(raw, path)
    except FileNotFoundError as error:
        raise InputError(f"there is no file {path}") from error
    except (OSError, ValueError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise InputError(f"cannot read {path}: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} is not an SMPL file: it contains no dictionary")
    return {str(name): value for name, value in content.items()}


def _read_zip_entries(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        wanted = {
            name: info
            for info in archive.infolist()
            if (name := info.filename.removesuffix(".npy")) in (*_KEYS, "posedirs")
        }
        check_archive_size(archive, path.stat().st_size, _MAX_BYTES)
        return {name: read_zip_array(archive, info, path) for name, info in wanted.items()}


def read_zip_array(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> Any:
    """Read an array of an npz; object arrays, which older files have, like `load_arrays`.

    Raises
    ------
    InputError
        If the entry is too large, damaged or contains anything but arrays.
    """
    if info.file_size > _MAX_BYTES:
        raise InputError(f"{path} is refused: {info.filename} is too large")
    check_zip_entry(info)
    with archive.open(info) as file:
        _, _, dtype = read_npy_header(file, info.file_size)
        if dtype.hasobject:
            content = load_arrays(file.read(), path)
            # a single matrix was saved as an array without dimensions
            return content[0] if isinstance(content, list) and len(content) == 1 else content
    with archive.open(info) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


class _Entries:
    """Entries of a file, validated by type and shape."""

    def __init__(self, entries: Mapping[str, Any], path: Path) -> None:
        self._entries, self._path = entries, path
        for key in _KEYS:
            if key not in entries:
                self.refuse(f"it lacks {key}")

    def refuse(self, reason: str) -> NoReturn:
        raise InputError(f"{self._path} is not an SMPL body: {reason}")

    def numbers(self, key: str, *shape: int | str) -> Array:
        """Return finite numbers; a letter in `shape` stands for any number above 0."""
        try:
            values = np.asarray(self._entries[key], dtype=np.float64)
        except (TypeError, ValueError):
            self.refuse(f"{key} does not contain numbers")
        if not np.isfinite(values).all():
            self.refuse(f"{key} has values that are not finite")
        self._require_shape(key, values.shape, shape)
        return values

    def integers(self, key: str, *shape: int | str) -> Ints:
        """Return integers; `shape` as in `numbers`."""
        values = np.asarray(self._entries[key])
        if values.dtype.kind not in "iu":
            self.refuse(f"{key} does not contain integers")
        self._require_shape(key, values.shape, shape)
        return values.astype(np.int64)

    def normalised_rows(self, key: str, *shape: int) -> csr_matrix:
        """Return a matrix whose rows sum to 1, with rounding errors removed."""
        raw = self._entries[key]
        matrix = csr_matrix(raw if issparse(raw) else self.numbers(key, *shape), dtype=np.float64)
        self._require_shape(key, matrix.shape, shape)
        if not np.isfinite(matrix.data).all():
            self.refuse(f"{key} has values that are not finite")
        sums = np.asarray(matrix.sum(axis=1))
        if np.abs(sums - 1).max() > _SUM_TOLERANCE:
            self.refuse(f"the rows of {key} do not sum to 1")
        return csr_matrix(matrix.multiply(1 / sums))

    def optional(self, key: str, *shape: int) -> Array | None:
        """Return finite numbers, None if the file has no such entry."""
        return self.numbers(key, *shape) if key in self._entries else None

    def _require_shape(
        self, key: str, actual: tuple[int, ...], expected: tuple[int | str, ...]
    ) -> None:
        matches = len(actual) == len(expected) and all(
            n == e if isinstance(e, int) else n > 0 for n, e in zip(actual, expected, strict=True)
        )
        if not matches:
            self.refuse(f"{key} is {actual}, not ({', '.join(map(str, expected))})")


def _validated(raw: Mapping[str, Any], path: Path, like: Body, shapes: int) -> SmplFile:
    entries = _Entries(raw, path)
    template = entries.numbers("v_template", "V", 3)
    vertices = len(template)
    if vertices > _MAX_VERTICES:
        entries.refuse(f"v_template is {template.shape}, which is too large")
    parents, names = _tree(entries, like)
    joints = len(parents)
    faces = entries.integers("f", "F", 3)
    if faces.min() < 0 or faces.max() >= vertices:
        entries.refuse(f"f has indices outside its {vertices} vertices")
    return SmplFile(
        template,
        faces,
        entries.numbers("shapedirs", vertices, 3, "S")[:, :, :shapes],
        entries.optional("posedirs", vertices, 3, 9 * (joints - 1)),
        entries.normalised_rows("J_regressor", joints, vertices),
        entries.normalised_rows("weights", vertices, joints).toarray(),
        parents,
        names,
    )


def _tree(entries: _Entries, like: Body) -> tuple[Ints, tuple[str, ...]]:
    """Return parents (J,), -1 for the root, and names of the joints."""
    parents = entries.integers("kintree_table", 2, "J")[0].copy()
    parents[0] = -1  # the file stores -1 as an unsigned number
    joints = len(parents)
    names = _joint_names(joints, like)
    if names is None:
        entries.refuse(
            f"it has {joints} joints; SMPL has {like.joint_count}, SMPL-H and SMPL-X have 52 and 55"
        )
    common = min(_COMMON_JOINTS, joints) if joints != like.joint_count else joints
    differs = not np.array_equal(parents[:common], like.parents[:common])
    if differs or (parents[1:] < 0).any() or not (parents < np.arange(joints)).all():
        entries.refuse("its joint tree is not SMPL's")
    return parents, names


def _joint_names(joints: int, like: Body) -> tuple[str, ...] | None:
    body = like.joint_names[:_COMMON_JOINTS]
    by_count = {
        like.joint_count: like.joint_names,
        len(body) + len(_FINGERS): (*body, *_FINGERS),
        len(body) + len(_FACE) + len(_FINGERS): (*body, *_FACE, *_FINGERS),
    }
    return by_count.get(joints)
