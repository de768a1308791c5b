"""Meshes that a person is drawn with: the body's own, a clothed one, a coarse one."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pymaf_live.body.model import Body
from pymaf_live.errors import ModelError
from pymaf_live.resources import resource
from pymaf_live.system.atomic_write import atomic_write

Floats = npt.NDArray[np.float32]
Ints32 = npt.NDArray[np.int32]
Arrays = dict[str, npt.NDArray[np.generic]]

WEIGHTS_PER_VERTEX = 4
_FILE = "body/display_meshes.npz"
_SHARES = 255
"""Steps of stored weights and colours."""


@dataclass(frozen=True, eq=False)
class DisplayMesh:
    """Mesh on a body's skeleton; V vertices, F triangles, J joints, S shape coefficients."""

    faces: Ints32
    """(F, 3) counter-clockwise seen from outside."""
    template: Floats
    """(V, 3) m, the mean shape in the body's rest pose."""
    directions: Floats
    """(V, 3, S) m per unit of each shape coefficient."""
    skin_weights: Floats
    """(V, J); rows sum to 1."""
    paint: Floats
    """(V, 4) sRGB 0..1, and the share 0..1 that is multiplied by the person's own colour."""


def body_mesh(body: Body) -> DisplayMesh:
    """Return the body's own mesh, all of it in the person's colour."""
    return DisplayMesh(
        body.faces.astype(np.int32),
        body.template.astype(np.float32),
        body.shape_directions.astype(np.float32),
        body.skin_weights.astype(np.float32),
        np.ones((len(body.template), 4), np.float32),
    )


def display_mesh(body: Body, name: str) -> DisplayMesh:
    """Return a mesh of the shipped file; the body's own where that was made for another body.

    Parameters
    ----------
    body : Body
    name : {'clothed', 'wireframe'}
    """
    sha256, meshes = load_display_meshes(resource(_FILE))
    return meshes[name] if body.sha256 == sha256 else body_mesh(body)


def is_dressable(body: Body) -> bool:
    """Return True if the shipped clothes fit this body."""
    return body.sha256 == load_display_meshes(resource(_FILE))[0]


def save_display_meshes(path: Path, body_sha256: str, meshes: Mapping[str, DisplayMesh]) -> None:
    """Write meshes for the body with a hash, in half precision; an existing file is replaced.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    arrays: Arrays = {"body_sha256": np.array(body_sha256)}
    for name, mesh in meshes.items():
        joints = np.argsort(-mesh.skin_weights, axis=1)[:, :WEIGHTS_PER_VERTEX]
        weights = np.take_along_axis(mesh.skin_weights, joints, axis=1)
        weights = weights / weights.sum(axis=1, keepdims=True)
        arrays |= {
            f"{name}_faces": mesh.faces.astype(np.uint16),
            f"{name}_template": mesh.template,
            f"{name}_directions": mesh.directions.astype(np.float16),
            f"{name}_joint_count": np.array(mesh.skin_weights.shape[1]),
            f"{name}_joints": joints.astype(np.uint8),
            f"{name}_weights": np.rint(weights * _SHARES).astype(np.uint8),
            f"{name}_paint": np.rint(mesh.paint * _SHARES).astype(np.uint8),
        }
    with atomic_write(path, force=True) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


@lru_cache(maxsize=1)
def load_display_meshes(path: Path) -> tuple[str, dict[str, DisplayMesh]]:
    """Read a file of meshes.

    Returns
    -------
    body_sha256 : str
        Hash of the body that the meshes fit.
    meshes : dict
        By name.

    Raises
    ------
    ModelError
        If the file is missing or broken.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        names = [name.removesuffix("_faces") for name in arrays if name.endswith("_faces")]
        return str(arrays["body_sha256"]), {name: _unpacked(arrays, name) for name in names}
    except (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile) as error:
        raise ModelError(f"the file {path} cannot be read: {error}") from error


def _unpacked(arrays: Arrays, name: str) -> DisplayMesh:
    directions = arrays[f"{name}_directions"].astype(np.float32)
    joints = arrays[f"{name}_joints"].astype(np.int64)
    shares = arrays[f"{name}_weights"].astype(np.float32)
    weights = np.zeros((len(joints), int(arrays[f"{name}_joint_count"])), np.float32)
    np.put_along_axis(weights, joints, shares / shares.sum(axis=1, keepdims=True), 1)
    return DisplayMesh(
        arrays[f"{name}_faces"].astype(np.int32),
        arrays[f"{name}_template"].astype(np.float32),
        directions,
        weights,
        arrays[f"{name}_paint"].astype(np.float32) / np.float32(_SHARES),
    )
