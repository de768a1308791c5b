"""FBX reader that runs as a separate process: reads a character with ufbx and writes an npz.

``python -m pymaf_live.characters.fbx_worker FILE`` writes the npz to stdout, or one line to stderr.
ufbx's Python module can crash its process, on damaged files and if its objects are destroyed in the
wrong order; therefore no object is destroyed before the process ends, and its memory is limited.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from pymaf_live.characters.model import (
    MAX_DEPTH,
    MAX_MESHES,
    MAX_NODES,
    MAX_TEXTURE_BYTES,
    MAX_TEXTURES,
    MAX_TRIANGLES,
    MAX_VERTICES,
    clean_name,
)

_MEMORY = 3 << 30
"""Bytes of address space; NumPy and its threads alone take half of it."""
_SCENE_MEMORY = 1 << 30
_INFLUENCES = 8
_T = TypeVar("_T")
_alive: list[Any] = []


def _keep(item: _T) -> _T:
    _alive.append(item)
    return item


def _each(items: Any) -> Iterator[Any]:
    items = _keep(items)
    for index in range(len(items)):
        yield _keep(items[index])


class _RefusedError(Exception):
    """File that is not supported; the message is one line."""


def main() -> None:
    """Read the file named on the command line and end the process."""
    gc.disable()
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        content = _content(Path(sys.argv[1]))
    except _RefusedError as error:
        _exit(str(error))
    except MemoryError:
        _exit("it needs too much memory")
    sys.stdout.buffer.write(content)
    _exit("")


def _exit(error: str) -> None:
    print(error, file=sys.stderr, flush=True)
    sys.stdout.flush()
    os._exit(1 if error else 0)  # without destroying objects


def _content(path: Path) -> bytes:
    import ufbx

    limits = {"memory_limit": _SCENE_MEMORY}
    try:
        scene = _keep(
            ufbx.load_file(
                str(path),
                ignore_animation=True,
                temp_allocator=limits,
                result_allocator=limits,
                node_depth_limit=MAX_DEPTH,
                clean_skin_weights=True,
            )
        )
    except ufbx.UfbxError as error:
        raise _RefusedError(f"it is not a valid FBX file ({str(error)[:80]})") from error
    arrays: dict[str, npt.NDArray[Any]] = {}
    nodes = list(_each(scene.nodes))
    if len(nodes) > MAX_NODES:
        raise _RefusedError(f"{len(nodes)} nodes; at most {MAX_NODES} are supported")
    index = {int(node.element_id): number for number, node in enumerate(nodes)}
    arrays["parents"] = np.array([_parent(node, index) for node in nodes])
    arrays["local"] = np.stack([_matrix(node.node_to_parent) for node in nodes])
    arrays["world"] = np.stack([_matrix(node.node_to_world) for node in nodes])
    meta: dict[str, Any] = {
        "names": [clean_name(str(node.name)) for node in nodes],
        "bones": [node.attrib_type == ufbx.ElementType.BONE for node in nodes],
        "metres": float(_keep(scene.settings).unit_meters),
        "meshes": [],
    }
    _add_materials(scene, meta, arrays)
    _add_meshes(nodes, index, meta, arrays)
    arrays["meta"] = np.frombuffer(json.dumps(meta).encode(), dtype=np.uint8)
    out = BytesIO()
    np.savez(out, allow_pickle=False, **arrays)
    return out.getvalue()


def _parent(node: Any, index: dict[int, int]) -> int:
    parent = _keep(node.parent)
    return index.get(int(parent.element_id), -1) if parent is not None else -1


def _matrix(matrix: Any) -> npt.NDArray[np.float64]:
    result = np.eye(4)
    for column, name in enumerate(("c0", "c1", "c2", "c3")):
        result[:3, column] = tuple(_keep(getattr(_keep(matrix), name)))
    return result


def _add_materials(scene: Any, meta: dict[str, Any], arrays: dict[str, Any]) -> None:
    textures: dict[int, int] = {}
    meta["textures"], meta["materials"] = [], []
    for number, material in enumerate(_each(scene.materials)):
        if number >= MAX_MESHES:
            break
        maps, physical = _keep(material.fbx), _keep(material.pbr)
        chosen = _keep(physical.base_color)
        if not chosen.has_value and _keep(chosen.texture) is None:
            chosen = _keep(maps.diffuse_color)
        colour = [float(part) for part in _keep(chosen.value_vec4)]
        meta["materials"].append(
            {
                "name": clean_name(str(material.name)),
                "colour": colour if chosen.has_value else [0.8, 0.8, 0.8, 1.0],
                "texture": _texture(_keep(chosen.texture), textures, meta, arrays),
            }
        )
    meta["material_ids"] = [int(each.element_id) for each in _each(scene.materials)][:MAX_MESHES]


def _texture(
    texture: Any, known: dict[int, int], meta: dict[str, Any], arrays: dict[str, Any]
) -> int:
    if texture is None or len(known) >= MAX_TEXTURES:
        return -1
    key = int(texture.element_id)
    if key not in known:
        content = bytes(_keep(texture.content))
        video = _keep(texture.video)
        if not content and video is not None:
            content = bytes(_keep(video.content))
        if len(content) > MAX_TEXTURE_BYTES:
            content = b""
        name = str(texture.relative_filename or texture.filename or texture.name)
        known[key] = len(known)
        meta["textures"].append(clean_name(name))
        arrays[f"texture{known[key]}"] = np.frombuffer(content, dtype=np.uint8)
    return known[key]


def _add_meshes(
    nodes: list[Any], index: dict[int, int], meta: dict[str, Any], arrays: dict[str, Any]
) -> None:
    vertices = triangles = 0
    for number, node in enumerate(nodes):
        mesh = _keep(node.mesh)
        if mesh is None:
            continue
        vertices += int(mesh.num_vertices)
        triangles += int(mesh.num_triangles)
        if triangles > MAX_TRIANGLES or vertices > MAX_VERTICES:
            raise _RefusedError(
                f"more than {MAX_TRIANGLES:,} triangles; simplify the meshes before importing"
            )
        if mesh.num_vertices and mesh.num_triangles:
            if len(meta["meshes"]) >= MAX_MESHES:
                raise _RefusedError(f"more than {MAX_MESHES} meshes")
            _add_mesh(node, number, mesh, index, meta, arrays)


def _add_mesh(
    node: Any,
    number: int,
    mesh: Any,
    index: dict[int, int],
    meta: dict[str, Any],
    arrays: dict[str, Any],
) -> None:
    prefix = f"mesh{len(meta['meshes'])}_"
    positions = np.array(_keep(mesh.vertices), dtype=np.float64).reshape(-1, 3)
    corners = np.array(_keep(mesh.vertex_indices), dtype=np.int64)
    arrays[prefix + "vertices"] = positions
    arrays[prefix + "corners"] = corners
    faces = np.array(
        [(face.index_begin, face.num_indices) for face in _keep(mesh.faces)], dtype=np.int64
    )
    arrays[prefix + "polygons"] = faces.reshape(-1, 2)
    parts = np.array(_keep(mesh.face_material), dtype=np.int64)
    arrays[prefix + "parts"] = parts if len(parts) == len(faces) else np.zeros(len(faces), int)
    uv = _keep(mesh.vertex_uv)
    if uv.exists:
        values = np.array(_keep(uv.values), dtype=np.float64).reshape(-1, 2)
        chosen = np.array(_keep(uv.indices), dtype=np.int64)
        if len(chosen) == len(corners) and len(values) and chosen.max() < len(values):
            arrays[prefix + "uv"] = values[chosen]
    arrays[prefix + "geometry"] = _matrix(node.geometry_to_node)
    skins = list(_each(mesh.skin_deformers))
    materials = [int(each.element_id) for each in _each(mesh.materials)]
    meta["meshes"].append(
        {
            "name": clean_name(str(node.name)),
            "node": number,
            "materials": [
                meta["material_ids"].index(each) if each in meta["material_ids"] else -1
                for each in materials
            ],
        }
    )
    if skins:
        _add_skin(skins[0], len(positions), prefix, index, arrays)


def _add_skin(
    skin: Any, count: int, prefix: str, index: dict[int, int], arrays: dict[str, Any]
) -> None:
    joints = np.zeros((count, _INFLUENCES), dtype=np.int64)
    weights = np.zeros((count, _INFLUENCES))
    nodes: list[int] = []
    binds = []
    for cluster in _each(skin.clusters):
        bone = _keep(cluster.bone_node)
        if bone is None or int(bone.element_id) not in index:
            continue
        slot = len(nodes)
        nodes.append(index[int(bone.element_id)])
        binds.append(_matrix(cluster.geometry_to_bone))
        which = np.array(_keep(cluster.vertices), dtype=np.int64)
        amount = np.array(_keep(cluster.weights), dtype=np.float64)
        valid = (which >= 0) & (which < count) & (amount > 0)
        which, amount = which[valid], amount[valid]
        # replace the weakest of the influences that a vertex has so far
        weakest = weights[which].argmin(axis=1)
        stronger = amount > weights[which, weakest]
        which, weakest, amount = which[stronger], weakest[stronger], amount[stronger]
        joints[which, weakest] = slot
        weights[which, weakest] = amount
    if not nodes:
        return
    arrays[prefix + "nodes"] = np.array(nodes)
    arrays[prefix + "inverse_bind"] = np.stack(binds)
    arrays[prefix + "joints"], arrays[prefix + "weights"] = joints, weights


if __name__ == "__main__":
    main()
