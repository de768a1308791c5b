"""The parametric body: data type and body file reader.

The sizes in a file are checked, never trusted.
"""

from __future__ import annotations

import hashlib
import io
import threading
import zipfile
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from pymaf_live.errors import ModelError
from pymaf_live.system.npy import check_archive_size
from pymaf_live.system.regular_file import open_regular
from pymaf_live.types import Array, Ints

# upper limits for a file: a hundred times today's body, far below what would fill the memory
_MAX_VERTICES = 200_000
_MAX_JOINTS = 256
_MAX_SHAPES = 400
_MAX_BYTES = 512 << 20
_SUM_TOLERANCE = 1e-4
_LOADING = threading.Lock()


@dataclass(frozen=True)
class Body:
    """Body with linear blend skinning and SMPL's interface.

    V vertices, J joints, S shape coefficients, F faces. Metres; y up, facing +z, its left at +x;
    T-pose at rest.
    """

    template: Array
    """(V, 3) mean shape at rest."""
    faces: Ints
    """(F, 3) vertex indices, counter-clockwise seen from outside."""
    shape_directions: Array
    """(V, 3, S) metres per unit of a shape coefficient."""
    joint_regressor: csr_matrix
    """(J, V) rows sum to 1."""
    skin_weights: Array
    """(V, J) rows sum to 1."""
    parents: Ints
    """(J,) index of the parent joint, smaller than the joint's own; -1 at the root."""
    joint_names: tuple[str, ...]
    joint_mirror: Ints
    """(J,) index of the joint on the other side."""
    sample_vertices: Ints
    """(P,) vertices at which the network samples features."""
    keypoint_regressor: csr_matrix
    """(K, V) rows sum to 1."""
    keypoint_names: tuple[str, ...]
    keypoint_sets: dict[str, Ints]
    """Rows of `keypoint_regressor` by set: 'lsp', 'coco', 'blazepose', 'h36m' and so on."""
    face_part: Ints
    """(F,) body part of each face, from 1."""
    sha256: str
    """SHA-256 of the file, hexadecimal."""

    @cached_property
    def rest_joint_basis(self) -> tuple[Array, Array]:
        """Joints (J, 3) m of the mean shape at rest, and their derivative (J, 3, S) by shape."""
        mean: Array = self.joint_regressor @ self.template
        flat = self.shape_directions.reshape(len(self.template), -1)
        return mean, (self.joint_regressor @ flat).reshape(*mean.shape, -1)

    @property
    def joint_count(self) -> int:
        """Number of joints, J."""
        return len(self.parents)

    @property
    def shape_count(self) -> int:
        """Number of shape coefficients, S."""
        return int(self.shape_directions.shape[2])

    def keypoint_rows(self, name: str) -> csr_matrix:
        """Return the regressor (K, V) of a key-point set, in the set's order.

        Raises
        ------
        ModelError
            If the body has no such set.
        """
        if name not in self.keypoint_sets:
            known = ", ".join(sorted(self.keypoint_sets))
            raise ModelError(f"the body has no key-point set {name!r}, only {known}")
        return self.keypoint_regressor[self.keypoint_sets[name]]


def load_body(path: Path) -> Body:
    """Load and check a body file; the last few bodies stay cached.

    Parameters
    ----------
    path : Path
        An ``.npz`` with SMPL's keys and those of this program (docs/body.md).

    Raises
    ------
    ModelError
        If the file is missing, is not an npz, needs pickle, or is inconsistent.
    """
    # several threads load it while a run starts; the others wait instead of loading it again
    with _LOADING:
        try:
            modified = path.stat().st_mtime_ns
        except OSError:
            modified = 0  # reading the file reports the error
        return _load_body(path, modified)


@lru_cache(maxsize=4)
def _load_body(path: Path, _modified: int) -> Body:
    try:
        with open_regular(path) as file:
            if path.stat().st_size > _MAX_BYTES:
                raise ValueError("it is too large")
            content = file.read(_MAX_BYTES)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            check_archive_size(archive, len(content), _MAX_BYTES)
        with np.load(io.BytesIO(content), allow_pickle=False) as loaded:
            arrays = {name: loaded[name] for name in loaded.files}
    except FileNotFoundError as error:
        raise ModelError(f"there is no body file {path}") from error
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise ModelError(f"{path} is not a body file: {error}") from error
    try:
        body = _body_from_arrays(arrays, hashlib.sha256(content).hexdigest())
    except KeyError as error:
        raise ModelError(f"the body file {path} lacks {error}") from error
    except (ValueError, IndexError, TypeError) as error:
        raise ModelError(f"the body file {path} is invalid: {error}") from error
    return body


def _body_from_arrays(arrays: dict[str, npt.NDArray[np.generic]], sha256: str) -> Body:
    def numbers(name: str) -> Array:
        values = np.asarray(arrays[name], dtype=np.float64)
        _require(bool(np.isfinite(values).all()), f"{name} has values that are not finite")
        return values

    def integers(name: str) -> Ints:
        values = arrays[name]
        _require(values.dtype.kind in "iu", f"{name} does not contain integers")
        return values.astype(np.int64)

    template = numbers("v_template")
    _require(template.ndim == 2 and template.shape[1] == 3, "v_template is not (V, 3)")
    vertices = len(template)
    parents = integers("kintree_table")[0].copy()
    joints = len(parents)
    _require(0 < vertices <= _MAX_VERTICES and 0 < joints <= _MAX_JOINTS, "sizes out of range")
    parents[0] = -1
    _require(bool((parents[1:] >= 0).all()), "parents do not form a tree")
    _require(bool((parents < np.arange(joints)).all()), "parents do not form a tree")

    shapes = numbers("shapedirs")
    _require(shapes.shape[:2] == (vertices, 3) and shapes.ndim == 3, "shapedirs is not (V, 3, S)")
    _require(shapes.shape[2] <= _MAX_SHAPES, "sizes out of range")
    weights = numbers("weights")
    _require(weights.shape == (vertices, joints), "weights is not (V, J)")
    _require_rows_sum_to_one(weights, "weights")
    regressor = numbers("J_regressor")
    _require(regressor.shape == (joints, vertices), "J_regressor is not (J, V)")
    _require_rows_sum_to_one(regressor, "J_regressor")

    faces = integers("f")
    _require(faces.ndim == 2 and faces.shape[1] == 3, "f is not (F, 3)")
    _require_indices(faces, vertices, "f")
    sample = integers("sample_vertices")
    _require_indices(sample, vertices, "sample_vertices")
    mirror = integers("joint_mirror")
    _require(sorted(mirror.tolist()) == list(range(joints)), "joint_mirror is not a permutation")
    face_part = integers("face_part")
    _require(face_part.shape == (len(faces),), "face_part is not (F,)")

    names = tuple(str(name) for name in arrays["joint_names"])
    _require(len(names) == joints, "joint_names is not (J,)")
    keypoint_names = tuple(str(name) for name in arrays["kp_names"])
    pointers, columns = integers("kp_indptr"), integers("kp_indices")
    _require(len(pointers) == len(keypoint_names) + 1, "kp_indptr is not (K + 1,)")
    _require_indices(columns, vertices, "kp_indices")
    keypoints = csr_matrix((numbers("kp_data"), columns, pointers), (len(keypoint_names), vertices))
    _require_rows_sum_to_one(keypoints.toarray(), "the key points")
    sets = {
        name.removeprefix("kpset_"): integers(name) for name in arrays if name.startswith("kpset_")
    }
    for name, rows in sets.items():
        _require_indices(rows, len(keypoint_names), f"kpset_{name}")
    return Body(
        template=template,
        faces=faces,
        shape_directions=shapes,
        joint_regressor=csr_matrix(regressor),
        skin_weights=weights,
        parents=parents,
        joint_names=names,
        joint_mirror=mirror,
        sample_vertices=sample,
        keypoint_regressor=keypoints,
        keypoint_names=keypoint_names,
        keypoint_sets=sets,
        face_part=face_part,
        sha256=sha256,
    )


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


def _require_rows_sum_to_one(matrix: Array, name: str) -> None:
    worst = float(np.abs(matrix.sum(axis=1) - 1).max()) if len(matrix) else 0.0
    _require(worst < _SUM_TOLERANCE, f"rows of {name} do not sum to 1 (off by {worst:.1e})")


def _require_indices(values: Ints, count: int, name: str) -> None:
    inside = values.size == 0 or (values.min() >= 0 and values.max() < count)
    _require(bool(inside), f"{name} has indices outside 0..{count - 1}")
