"""Characters as glTF binary (.glb, .vrm, .vrma) with a take's motion.

A character that came as glTF or VRM keeps its file: the animation is appended to its JSON and
binary part, and nothing else changes (external buffers and images move into the file). A character
of another format is written anew, below a node that leads from its units and axes to metres, y up.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from pymaf_live import __version__
from pymaf_live.body.normals import vertex_normals
from pymaf_live.body.rotations import quaternion_from_matrix
from pymaf_live.characters.gltf_container import ContainerError, read_container, uri_content
from pymaf_live.characters.model import MAX_TEXTURE_BYTES, Character, CharacterMesh, Material
from pymaf_live.characters.retarget import CharacterMotion
from pymaf_live.errors import InputError
from pymaf_live.export.gltf_buffer import (
    ARRAY_BUFFER,
    ELEMENT_ARRAY_BUFFER,
    FLOAT,
    INT,
    SHORT,
    BinaryBuffer,
    with_continuous_signs,
    xyzw,
)
from pymaf_live.system.reporter import Reporter, report_progress
from pymaf_live.types import Array, Ints

_INFLUENCES_PER_SET = 4


def original_parts(character: Character) -> tuple[dict[str, Any], BinaryBuffer]:
    """Return the JSON and the binary part of a character's own file, in one buffer.

    Raises
    ------
    InputError
        If the file has changed since it was read.
    """
    path = character.path
    try:
        container, _ = read_container(path)
        document = copy.deepcopy(container.document)
        for table in ("bufferViews", "accessors", "buffers"):
            document.setdefault(table, [])
        single = len(container.buffers) == 1
        content, starts = b"", []
        for each in container.buffers:
            starts.append(len(content))
            content = each if single else content + each + b"\0" * (-len(each) % 4)
        for view in document["bufferViews"]:
            view["byteOffset"] = view.get("byteOffset", 0) + starts[view.get("buffer", 0)]
            if view["byteOffset"] == 0 and single:
                del view["byteOffset"]
            view["buffer"] = 0
        if single:
            document["bufferViews"] = copy.deepcopy(container.document["bufferViews"])
        buffer = BinaryBuffer(content, document["bufferViews"], document["accessors"])
        for image in document.get("images", []):
            if isinstance(image.get("uri"), str):
                uri = image.pop("uri")
                found = uri_content(path, uri, MAX_TEXTURE_BYTES)
                image["mimeType"] = "image/png" if found[:4] == b"\x89PNG" else "image/jpeg"
                image["bufferView"] = buffer.add_bytes(found)
    except (ContainerError, OSError, KeyError, IndexError, TypeError, ValueError) as error:
        raise InputError(f"{path} cannot be read again: {error}") from error
    return document, buffer


def new_parts(character: Character, axes: Array) -> tuple[dict[str, Any], BinaryBuffer]:
    """Return JSON and binary part of a character of another format.

    Parameters
    ----------
    character : Character
    axes : (3, 3) array
        Rotation from the file world to y up, facing +z.
    """
    buffer = BinaryBuffer()
    nodes = [_node(character, node) for node in range(len(character.parents))]
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": f"PyMAF Live {__version__}"},
        "scene": 0,
        "nodes": nodes,
        "materials": [_material(material) for material in character.materials],
        "meshes": [],
    }
    if character.textures:
        document["images"] = [
            {"name": t.name, "mimeType": t.mime, "bufferView": buffer.add_bytes(t.content)}
            for t in character.textures
        ]
        document["textures"] = [
            {"source": index, "sampler": 0} for index in range(len(character.textures))
        ]
        document["samplers"] = [{"wrapS": 10497, "wrapT": 10497}]
    skins: list[dict[str, Any]] = []
    # the parents of a skinned mesh do not move it: it belongs to the scene
    shown: list[int] = []
    for index, mesh in enumerate(character.meshes):
        document["meshes"].append({"name": mesh.name, "primitives": [_primitive(buffer, mesh)]})
        placed: dict[str, Any] = {"name": mesh.name, "mesh": index}
        if mesh.skinned:
            placed["skin"] = _skin_index(buffer, skins, mesh)
            shown.append(len(nodes))
        else:
            matrix = mesh.inverse_bind[0]
            if not np.allclose(matrix, np.eye(4), atol=1e-9):
                placed["matrix"] = matrix.T.ravel().tolist()
            nodes[int(mesh.nodes[0])].setdefault("children", []).append(len(nodes))
        nodes.append(placed)
    if skins:
        document["skins"] = [skin["skin"] for skin in skins]
    roots = _placed_roots(character, axes, nodes)
    document["scenes"] = [{"nodes": [*roots, *shown]}]
    document["bufferViews"], document["accessors"] = buffer.views, buffer.accessors
    return document, buffer


def finish(document: dict[str, Any], buffer: BinaryBuffer) -> None:
    """Set the size of the one buffer; call it last."""
    first = document["buffers"][0] if document.get("buffers") else {}
    kept = {name: value for name, value in first.items() if name not in ("uri", "byteLength")}
    document["buffers"] = [kept | {"byteLength": buffer.size}]


def add_animation(
    document: dict[str, Any],
    buffer: BinaryBuffer,
    character: Character,
    motion: CharacterMotion,
    nodes: Ints | Sequence[int],
    rate: Fraction,
    name: str,
    reporter: Reporter,
) -> None:
    """Append a motion as an animation.

    Parameters
    ----------
    document, buffer
        Parts of the file.
    character : Character
    motion : CharacterMotion
    nodes : (B,) ints
        Node of the file for each of the character's.
    rate : Fraction
        Frames per second.
    name : str
        Name of the animation.
    reporter : Reporter

    Raises
    ------
    Interrupted
        If the reporter is cancelled.
    """
    times = np.arange(len(motion.hips_position)) * float(1 / rate)
    time_accessor = buffer.add(times, "SCALAR", bounds=True)
    animation: dict[str, Any] = {
        "name": name,
        "channels": [],
        "samplers": [],
        "extras": {"frame_rate": list(rate.as_integer_ratio())},
    }

    def add_channel(node: int, path: str, values: Array) -> None:
        output = buffer.add(values, "VEC3" if path == "translation" else "VEC4")
        sampler = {"input": time_accessor, "output": output, "interpolation": "LINEAR"}
        animation["samplers"].append(sampler)
        target = {"node": int(nodes[node]), "path": path}
        channel = {"sampler": len(animation["samplers"]) - 1, "target": target}
        animation["channels"].append(channel)

    for number, node in enumerate(motion.nodes):
        item = document["nodes"][int(nodes[node])]
        if "matrix" in item:  # only translation, rotation and scale can be animated
            del item["matrix"]
            item |= _transform(character.local[node])
        if node == motion.hips:
            add_channel(node, "translation", motion.hips_position)
        quaternions = quaternion_from_matrix(motion.rotations[:, number])
        add_channel(node, "rotation", xyzw(with_continuous_signs(quaternions)))
        report_progress(reporter, 0.9 * (number + 1) / len(motion.nodes))
    document.setdefault("animations", []).append(animation)


def skeleton_parts(
    character: Character, local: Array, humanoid: dict[str, int], axes: Array
) -> tuple[dict[str, Any], BinaryBuffer]:
    """Return a document of nodes only: a VRM animation without its channels.

    Parameters
    ----------
    character : Character
    local : (B, 4, 4) array
        Local transforms of the T-pose.
    humanoid : dict
        Node of each bone, by VRM 1.0's names.
    axes : (3, 3) array
        Rotation from the file world to y up, facing +z.
    """
    buffer = BinaryBuffer()
    nodes = []
    for node, name in enumerate(character.names):
        children = character.children(node)
        item = {"name": name} | _transform(local[node])
        nodes.append(item | ({"children": children} if children else {}))
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": f"PyMAF Live {__version__}"},
        "scene": 0,
        "scenes": [{"nodes": _placed_roots(character, axes, nodes)}],
        "nodes": nodes,
        "bufferViews": buffer.views,
        "accessors": buffer.accessors,
        "extensionsUsed": ["VRMC_vrm_animation"],
        "extensions": {
            "VRMC_vrm_animation": {
                "specVersion": "1.0",
                "humanoid": {"humanBones": {b: {"node": n} for b, n in humanoid.items()}},
            }
        },
    }
    return document, buffer


def _placed_roots(character: Character, axes: Array, nodes: list[dict[str, Any]]) -> list[int]:
    """Return the nodes of the scene: the roots, or one above them that turns them upright."""
    roots: list[int] = np.flatnonzero(character.parents < 0).tolist()
    if character.metres == 1 and np.allclose(axes, np.eye(3)):
        return roots
    rotation = xyzw(quaternion_from_matrix(axes)).tolist()
    scale = [character.metres] * 3
    nodes.append({"name": "character", "children": roots, "rotation": rotation, "scale": scale})
    return [len(nodes) - 1]


def _node(character: Character, node: int) -> dict[str, Any]:
    item = {"name": character.names[node]} | _transform(character.local[node])
    children = character.children(node)
    return item | ({"children": children} if children else {})


def _transform(local: Array) -> dict[str, Any]:
    """Return translation, rotation and scale of a transform, or its matrix if it is sheared."""
    scale = np.linalg.norm(local[:3, :3], axis=0)
    if scale.min() <= 0:
        return {"matrix": local.T.ravel().tolist()}
    if np.linalg.det(local[:3, :3]) < 0:
        scale[0] = -scale[0]
    rotation = local[:3, :3] / scale
    if not np.allclose(rotation.T @ rotation, np.eye(3), atol=1e-4):
        return {"matrix": local.T.ravel().tolist()}
    item: dict[str, Any] = {
        "translation": local[:3, 3].tolist(),
        "rotation": xyzw(quaternion_from_matrix(rotation)).tolist(),
    }
    if not np.allclose(scale, 1.0, atol=1e-7):
        item["scale"] = scale.tolist()
    return item


def _material(material: Material) -> dict[str, Any]:
    physical: dict[str, Any] = {
        "baseColorFactor": list(material.colour),
        "metallicFactor": 0.0,
        "roughnessFactor": 0.8,
    }
    if material.texture >= 0:
        physical["baseColorTexture"] = {"index": material.texture}
    item: dict[str, Any] = {"name": material.name, "pbrMetallicRoughness": physical}
    if material.transparent:
        item["alphaMode"] = "MASK"
    if material.double_sided:
        item["doubleSided"] = True
    return item


def _primitive(buffer: BinaryBuffer, mesh: CharacterMesh) -> dict[str, Any]:
    attributes = {
        "POSITION": buffer.add(mesh.vertices, "VEC3", bounds=True, target=ARRAY_BUFFER),
        "NORMAL": buffer.add(mesh_normals(mesh), "VEC3", target=ARRAY_BUFFER),
    }
    if mesh.uv is not None:
        attributes["TEXCOORD_0"] = buffer.add(mesh.uv, "VEC2", target=ARRAY_BUFFER)
    if mesh.skinned:
        joints, weights = padded_influences(mesh)
        for index in range(joints.shape[1] // _INFLUENCES_PER_SET):
            part = slice(index * _INFLUENCES_PER_SET, (index + 1) * _INFLUENCES_PER_SET)
            attributes[f"JOINTS_{index}"] = buffer.add(
                joints[:, part], "VEC4", SHORT, target=ARRAY_BUFFER
            )
            attributes[f"WEIGHTS_{index}"] = buffer.add(
                weights[:, part], "VEC4", FLOAT, target=ARRAY_BUFFER
            )
    return {
        "attributes": attributes,
        "indices": buffer.add(mesh.faces, "SCALAR", INT, target=ELEMENT_ARRAY_BUFFER),
        "material": mesh.material,
    }


def padded_influences(mesh: CharacterMesh) -> tuple[Ints, Array]:
    """Return joints and weights (V, K), K a multiple of 4, strongest first."""
    order = np.argsort(-mesh.weights, axis=1, kind="stable")
    weights = np.take_along_axis(mesh.weights, order, axis=1)
    joints = np.where(weights > 0, np.take_along_axis(mesh.joints, order, axis=1), 0)
    used = max(int((weights > 0).sum(axis=1).max()), 1)
    width = -(-used // _INFLUENCES_PER_SET) * _INFLUENCES_PER_SET
    missing = max(width - weights.shape[1], 0)
    joints = np.pad(joints, ((0, 0), (0, missing)))[:, :width]
    weights = np.pad(weights, ((0, 0), (0, missing)))[:, :width]
    return joints, weights


def mesh_normals(mesh: CharacterMesh) -> Array:
    """Return smooth normals (V, 3); vertices at one place, split for their uv, share one."""
    places, first = np.unique(mesh.vertices.round(7), axis=0, return_inverse=True)
    return vertex_normals(places, first.ravel()[mesh.faces])[first.ravel()]


def _skin_index(buffer: BinaryBuffer, skins: list[dict[str, Any]], mesh: CharacterMesh) -> int:
    """Return the index of a mesh's skin, which is added if no other mesh has it."""
    for index, known in enumerate(skins):
        if np.array_equal(known["nodes"], mesh.nodes) and np.array_equal(
            known["bind"], mesh.inverse_bind
        ):
            return index
    matrices = np.swapaxes(mesh.inverse_bind, 1, 2).reshape(-1, 16)
    skin = {
        "joints": mesh.nodes.tolist(),
        "inverseBindMatrices": buffer.add(matrices, "MAT4"),
    }
    skins.append({"nodes": mesh.nodes, "bind": mesh.inverse_bind, "skin": skin})
    return len(skins) - 1


def read_positions(path: Path, frames: Ints) -> tuple[Array, int, float]:
    """Evaluate the last animation of a file with pygltflib.

    Returns
    -------
    positions : (K, B, 3) array
        World positions of all nodes in the given frames.
    count : int
        Number of frames.
    rate : float
        Frames per second.
    """
    from pygltflib import GLTF2

    from pymaf_live.body.rotations import matrix_from_quaternion
    from pymaf_live.export.gltf import floats

    document = GLTF2().load_binary(str(path))
    if document is None:
        raise ValueError("it cannot be read")
    blob = document.binary_blob()
    animation = document.animations[-1]
    moving: dict[tuple[int, str], Array] = {}
    times: Array = np.zeros(1)
    for channel in animation.channels:
        sampler = animation.samplers[channel.sampler]
        times = floats(document, blob, sampler.input)[:, 0]
        values = floats(document, blob, sampler.output)
        moving[channel.target.node, channel.target.path] = values[frames]
    parents = {c: i for i, node in enumerate(document.nodes) for c in node.children or []}
    world: dict[int, Array] = {}

    def evaluate(index: int) -> Array:
        if index not in world:
            node = document.nodes[index]
            local = np.tile(np.eye(4), (len(frames), 1, 1))
            if node.matrix is not None and len(node.matrix) == 16:
                local[:] = np.reshape(node.matrix, (4, 4)).T
            else:
                at_rest = np.array([node.rotation or [0.0, 0.0, 0.0, 1.0]])
                quaternion = moving.get((index, "rotation"), at_rest)[:, [3, 0, 1, 2]]
                scale = np.array(node.scale or [1.0, 1.0, 1.0])
                local[:, :3, :3] = matrix_from_quaternion(quaternion) * scale
                at_rest = np.array([node.translation or [0.0, 0.0, 0.0]])
                local[:, :3, 3] = moving.get((index, "translation"), at_rest)
            world[index] = evaluate(parents[index]) @ local if index in parents else local
        return world[index]

    positions = np.stack(
        [evaluate(index)[:, :3, 3] for index in range(len(document.nodes))], axis=1
    )
    rate = (len(times) - 1) / float(times[-1] - times[0]) if len(times) > 1 else 0.0
    return positions, len(times), rate
