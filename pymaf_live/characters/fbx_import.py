"""Reader of characters in FBX files: a child process reads, this one checks what it returns."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pymaf_live.characters.files import FileTooLargeError, read_file
from pymaf_live.characters.gltf_container import ContainerError
from pymaf_live.characters.gltf_reader import checked_influences
from pymaf_live.characters.model import (
    MAX_FILE_BYTES,
    MAX_TRIANGLES,
    Character,
    CharacterMesh,
    Material,
    Texture,
    parents_first,
)
from pymaf_live.characters.textures import checked_texture, read_neighbour
from pymaf_live.errors import InputError
from pymaf_live.types import Array, Ints

_TIMEOUT = 120
"""Seconds."""
_Arrays = dict[str, npt.NDArray[Any]]


def read_fbx(path: Path) -> Character:
    """Read a character from an .fbx file.

    Raises
    ------
    InputError
        If the file is missing, damaged or too large.
    """
    try:
        content = read_file(path, MAX_FILE_BYTES)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    except FileTooLargeError as error:
        raise InputError(f"{path}: {error}") from error
    arrays = _read_in_child(path)
    try:
        return _character(path, hashlib.sha256(content).hexdigest(), arrays)
    except (ContainerError, KeyError, IndexError, ValueError, TypeError) as error:
        raise InputError(f"{path}: it is not a valid FBX file ({error})") from error


def _read_in_child(path: Path) -> _Arrays:
    command = [sys.executable, "-m", "pymaf_live.characters.fbx_worker", str(path.resolve())]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise InputError(f"{path}: reading it took more than {_TIMEOUT} s") from error
    if done.returncode == 1:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["it cannot be read"]
        raise InputError(f"{path}: {lines[-1]}")
    try:
        if done.returncode:
            raise ValueError
        with np.load(BytesIO(done.stdout), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (ValueError, OSError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: it is not a valid FBX file") from error


def _character(path: Path, sha256: str, arrays: _Arrays) -> Character:
    meta = json.loads(arrays["meta"].tobytes())
    parents = arrays["parents"].astype(np.int64)
    order = parents_first(path, parents)
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    world = arrays["world"][order]
    if not np.isfinite(world).all():
        raise ContainerError("a node's position is not finite")
    ordered = np.array([place[p] if (p := parents[i]) >= 0 else -1 for i in order], dtype=np.int64)
    notes: list[str] = []
    textures, images = _textures(path.parent, meta, arrays, notes)
    materials = [
        Material(
            each["name"] or f"material{index}",
            tuple(float(np.clip(part, 0.0, 1.0)) for part in each["colour"]),  # type: ignore[arg-type]
            images.get(each["texture"], -1),
        )
        for index, each in enumerate(meta["materials"])
    ]
    materials = materials or [Material("material", (0.8, 0.8, 0.8, 1.0))]
    meshes = [
        mesh
        for index, each in enumerate(meta["meshes"])
        for mesh in _meshes(each, f"mesh{index}_", arrays, place, len(materials))
    ]
    return Character(
        path=path,
        sha256=sha256,
        kind="fbx",
        names=tuple(meta["names"][index] or f"node{index}" for index in order),
        parents=ordered,
        local=_locals(world, ordered, arrays["local"][order]),
        source_nodes=np.asarray(order, dtype=np.int64),
        meshes=tuple(meshes),
        materials=tuple(materials),
        textures=tuple(textures),
        metres=float(meta["metres"]),
        notes=tuple(dict.fromkeys(notes)),
    )


def _locals(world: Array, parents: Ints, stated: Array) -> Array:
    """Return local transforms that lead to the world ones, whatever scale a node inherits."""
    local = stated.copy()
    for node, parent in enumerate(parents):
        if parent < 0:
            local[node] = world[node]
        elif abs(np.linalg.det(world[parent, :3, :3])) > 1e-30:
            local[node] = np.linalg.inv(world[parent]) @ world[node]
    return local


def _textures(
    folder: Path, meta: dict[str, Any], arrays: _Arrays, notes: list[str]
) -> tuple[list[Texture], dict[int, int]]:
    found: list[Texture] = []
    images: dict[int, int] = {}
    for index, name in enumerate(meta["textures"]):
        content = arrays[f"texture{index}"].tobytes() or read_neighbour(folder, name)
        checked = checked_texture(name.replace("\\", "/").rsplit("/", 1)[-1], content)
        if isinstance(checked, str):
            notes.append(checked)
        else:
            images[index] = len(found)
            found.append(checked)
    return found, images


def _meshes(
    meta: dict[str, Any], prefix: str, arrays: _Arrays, place: Ints, materials: int
) -> list[CharacterMesh]:
    """Return one mesh per material, triangulated, with one vertex per position and uv."""
    positions, corners = arrays[prefix + "vertices"], arrays[prefix + "corners"]
    if not np.isfinite(positions).all():
        raise ContainerError("a mesh has numbers that are not finite")
    if len(corners) and (corners.min() < 0 or corners.max() >= len(positions)):
        raise ContainerError("a mesh has triangles without vertices")
    uv = arrays.get(prefix + "uv")
    triangles, polygon = _triangles(arrays[prefix + "polygons"], len(corners))
    parts = arrays[prefix + "parts"][polygon]
    if prefix + "joints" in arrays:
        joints, weights = checked_influences(
            arrays[prefix + "joints"], arrays[prefix + "weights"], len(arrays[prefix + "nodes"])
        )
        nodes, inverse_bind = place[arrays[prefix + "nodes"]], arrays[prefix + "inverse_bind"]
    else:
        joints, weights = np.zeros((len(positions), 1), np.int64), np.ones((len(positions), 1))
        nodes, inverse_bind = place[[meta["node"]]], arrays[prefix + "geometry"][None]
    if not np.isfinite(inverse_bind).all():
        raise ContainerError("a skin has matrices that are not finite")
    meshes = []
    for part in np.unique(parts):
        chosen = triangles[parts == part]
        flat = chosen.ravel()
        if uv is None:
            unique, inverse = np.unique(corners[flat], return_inverse=True)
            source, texture = unique, None
        else:
            rows = np.column_stack([corners[flat], uv[flat]])
            _, first, inverse = np.unique(rows, axis=0, return_index=True, return_inverse=True)
            source = corners[flat[first]]
            texture = uv[flat[first]] * [1.0, -1.0] + [0.0, 1.0]
        listed = meta["materials"]
        material = listed[part] if 0 <= part < len(listed) else 0
        meshes.append(
            CharacterMesh(
                name=meta["name"] or prefix.rstrip("_"),
                vertices=positions[source],
                faces=inverse.reshape(-1, 3),
                uv=texture,
                material=min(max(int(material), 0), materials - 1),
                nodes=nodes,
                inverse_bind=inverse_bind,
                joints=joints[source],
                weights=weights[source],
                skinned=prefix + "joints" in arrays,
            )
        )
    return meshes


def _triangles(polygons: Ints, corners: int) -> tuple[Ints, Ints]:
    """Return triangles (T, 3) of corners, as fans, and the polygon of each."""
    begin, count = polygons[:, 0], polygons[:, 1]
    valid = (count >= 3) & (begin >= 0) & (begin + count <= corners)
    number = np.flatnonzero(valid)
    fans = count[number] - 2
    if fans.sum() > MAX_TRIANGLES:
        raise ContainerError(f"more than {MAX_TRIANGLES:,} triangles")
    polygon = np.repeat(number, fans)
    step = np.arange(len(polygon)) - np.repeat(np.cumsum(fans) - fans, fans)
    start = begin[polygon]
    return np.stack([start, start + step + 1, start + step + 2], axis=1), polygon
