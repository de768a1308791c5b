"""glTF binary export (.glb): skeletons, skinned meshes with normals, animation.

Written to the glTF 2.0 specification (Khronos Group): metres, y up, the person facing +z. Rotations
are quaternions (x, y, z, w) whose signs are continuous over time; times are seconds from the first
frame. The animation's extras contain the exact rate, because times are 32-bit. A person's name is
that of a node above the bones, of the skin and, in a file of one person, of the animation, from
which programs name their objects. Several people share one animation, so that all of them play.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pymaf_live import __version__
from pymaf_live.body.normals import vertex_normals
from pymaf_live.body.rotations import matrix_from_quaternion, quaternion_from_matrix
from pymaf_live.errors import OutputError
from pymaf_live.export.gltf_buffer import (
    ARRAY_BUFFER,
    BYTE,
    ELEMENT_ARRAY_BUFFER,
    ELEMENT_SIZE,
    FLOAT,
    INT,
    SHORT,
    BinaryBuffer,
    with_continuous_signs,
    write_chunks,
    xyzw,
)
from pymaf_live.export.options import ExportOptions
from pymaf_live.export.per_person import PerPersonWriter
from pymaf_live.export.readback_check import ReadBack
from pymaf_live.export.scene import Scene
from pymaf_live.export.skin import influences
from pymaf_live.export.view_camera import FAR, NAME, NEAR, ViewCamera, view_camera
from pymaf_live.system.reporter import Reporter, report_progress
from pymaf_live.types import Array

_MATERIAL = {
    "name": "body",
    "pbrMetallicRoughness": {
        "baseColorFactor": [0.72, 0.72, 0.75, 1.0],
        "metallicFactor": 0.0,
        "roughnessFactor": 0.8,
    },
}
_INFLUENCES_PER_SET = 4
"""Influences of a vertex in one JOINTS/WEIGHTS attribute."""


def write_scenes(
    path: Path, scenes: Sequence[Scene], scale: float, reporter: Reporter, options: ExportOptions
) -> None:
    """Write people into one file; implements `per_person.WriteScenes`.

    Parameters
    ----------
    path : Path
    scenes : sequence of Scene
    scale : float
        1: glTF has no other unit than metres.
    reporter : Reporter
    options : ExportOptions
        Uses `mesh` and `camera`.

    Raises
    ------
    OutputError
        If the motion is longer than the format supports.
    Interrupted
        If the reporter is cancelled.
    """
    write_document(path, scenes, reporter, mesh=options.mesh, camera=options.camera)


def write_document(
    path: Path,
    scenes: Sequence[Scene],
    reporter: Reporter,
    *,
    mesh: bool,
    camera: bool = False,
    extensions: Mapping[str, Any] | None = None,
) -> None:
    """Write people as glTF binary.

    Parameters
    ----------
    path : Path
    scenes : sequence of Scene
        One per person, all with the same frames and the same camera; bones have distinct names.
    reporter : Reporter
    mesh : bool
        Include the skinned mesh, not only the skeleton.
    camera : bool
        Include the camera.
    extensions : mapping, optional
        Extensions of the document by name; nodes 0, 1, 2, ... are the first person's bones.

    Raises
    ------
    OutputError
        If the motion is longer than the format supports.
    Interrupted
        If the reporter is cancelled.
    """
    buffer = BinaryBuffer()
    nodes: list[dict[str, Any]] = []
    roots: list[int] = []
    first_bones: list[int] = []
    for scene in scenes:
        first = len(nodes)
        first_bones.append(first)
        nodes += _bone_nodes(scene, first)
        roots.append(first)
        if scene.name:
            # after the bones, so that those of the first person are the first nodes
            roots[-1] = len(nodes)
            nodes.append({"name": scene.name, "children": [first]})
    document: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": f"PyMAF Live {__version__}"},
        "scene": 0,
        "animations": [_animation(buffer, scenes, first_bones, reporter)],
        # also without a mesh: it tells programs which nodes are bones
        "skins": [
            _skin(buffer, scene, first) for scene, first in zip(scenes, first_bones, strict=True)
        ],
    }
    if mesh:
        document["meshes"] = []
        for index, scene in enumerate(scenes):
            name = f"{scene.name} body" if scene.name else "body"
            roots.append(len(nodes))
            nodes.append({"name": name, "mesh": index, "skin": index})
            primitive = _primitive(buffer, scene)
            document["meshes"].append({"name": name, "primitives": [primitive]})
        document["materials"] = [_MATERIAL]
    if camera:
        view = view_camera(scenes[0])
        roots.append(len(nodes))
        nodes.append(_camera_node(view))
        document["cameras"] = [_perspective(view)]
    document["nodes"] = nodes
    document["scenes"] = [{"nodes": roots}]
    document["accessors"], document["bufferViews"] = buffer.accessors, buffer.views
    document["buffers"] = [{"byteLength": buffer.size}]
    if extensions:
        document["extensions"] = dict(extensions)
        document["extensionsUsed"] = list(extensions)
    write_chunks(path, document, buffer)
    report_progress(reporter, 1.0)


def _bone_nodes(scene: Scene, first: int) -> list[dict[str, Any]]:
    """Return the nodes of the bones, the first of which has the number `first`."""
    bones = scene.bones
    rest = xyzw(quaternion_from_matrix(bones.rest_local_rotation))
    nodes: list[dict[str, Any]] = []
    for bone, name in enumerate(bones.names):
        node: dict[str, Any] = {
            "name": name,
            "translation": bones.offsets[bone].tolist(),
            "rotation": rest[bone].tolist(),
        }
        children = (first + np.flatnonzero(bones.parents == bone)).tolist()
        nodes.append(node | ({"children": children} if children else {}))
    return nodes


def _camera_node(view: ViewCamera) -> dict[str, Any]:
    return {
        "name": NAME,
        "camera": 0,
        "translation": view.position.tolist(),
        "rotation": xyzw(quaternion_from_matrix(view.axes)).tolist(),
    }


def _perspective(view: ViewCamera) -> dict[str, Any]:
    perspective = {"aspectRatio": view.aspect, "yfov": view.vertical_angle, "znear": NEAR}
    return {"name": NAME, "type": "perspective", "perspective": perspective | {"zfar": FAR}}


def _animation(
    buffer: BinaryBuffer, scenes: Sequence[Scene], first_bones: Sequence[int], reporter: Reporter
) -> dict[str, Any]:
    scene = scenes[0]
    step = 1 / scene.rate
    times = np.arange(scene.frames) * float(step.numerator) / float(step.denominator)
    time_accessor = buffer.add(times, "SCALAR", bounds=True)
    samplers: list[dict[str, Any]] = []
    channels: list[dict[str, Any]] = []

    def add_channel(node: int, path: str, values: Array) -> None:
        output = buffer.add(values, "VEC3" if path == "translation" else "VEC4")
        samplers.append({"input": time_accessor, "output": output, "interpolation": "LINEAR"})
        channels.append(
            {"sampler": len(samplers) - 1, "target": {"node": node, "path": path}},
        )

    count = sum(len(each.bones.names) for each in scenes)
    for each, first in zip(scenes, first_bones, strict=True):
        for bone, positions in each.moving():
            add_channel(first + bone, "translation", positions)
        for bone in range(len(each.bones.names)):
            quaternions = quaternion_from_matrix(each.rotations[:, bone])
            add_channel(first + bone, "rotation", xyzw(with_continuous_signs(quaternions)))
            report_progress(reporter, 0.9 * min(1.0, len(channels) / count))
    rate = scene.rate.as_integer_ratio()
    return {
        "name": scene.name if scene.name and len(scenes) == 1 else "motion",
        "channels": channels,
        "samplers": samplers,
        "extras": {"frame_rate": list(rate)},
    }


def _skin(buffer: BinaryBuffer, scene: Scene, first: int) -> dict[str, Any]:
    return {
        "name": scene.name or "skeleton",
        "skeleton": first,
        "joints": list(range(first, first + len(scene.bones.names))),
        "inverseBindMatrices": buffer.add(_inverse_bind_matrices(scene), "MAT4"),
    }


def _primitive(buffer: BinaryBuffer, scene: Scene) -> dict[str, Any]:
    vertices, faces = scene.vertices, scene.body.faces
    bone, weight = influences(scene, multiple_of=_INFLUENCES_PER_SET)
    component = BYTE if len(scene.bones.names) <= 256 else SHORT
    attributes = {
        "POSITION": buffer.add(vertices, "VEC3", bounds=True, target=ARRAY_BUFFER),
        "NORMAL": buffer.add(vertex_normals(vertices, faces), "VEC3", target=ARRAY_BUFFER),
    }
    for index in range(bone.shape[1] // _INFLUENCES_PER_SET):
        part = slice(index * _INFLUENCES_PER_SET, (index + 1) * _INFLUENCES_PER_SET)
        attributes[f"JOINTS_{index}"] = buffer.add(
            bone[:, part], "VEC4", component, target=ARRAY_BUFFER
        )
        attributes[f"WEIGHTS_{index}"] = buffer.add(weight[:, part], "VEC4", target=ARRAY_BUFFER)
    return {
        "attributes": attributes,
        "indices": buffer.add(faces, "SCALAR", INT, target=ELEMENT_ARRAY_BUFFER),
        "material": 0,
    }


def _inverse_bind_matrices(scene: Scene) -> Array:
    """Return the matrices (B, 16) in column-major order, as glTF stores them."""
    rotation = np.swapaxes(scene.bones.rest_rotation, 1, 2)
    matrices = np.tile(np.eye(4), (len(rotation), 1, 1))
    matrices[:, :3, :3] = rotation
    matrices[:, :3, 3] = -np.einsum("bij,bj->bi", rotation, scene.bones.rest_position)
    return np.swapaxes(matrices, 1, 2).reshape(-1, 16)


def read_back(path: Path, scene: Scene, scale: float) -> ReadBack:
    """Read all frames of a file back with pygltflib; implements `per_person.ReadScene`."""
    from pygltflib import GLTF2

    try:
        document = GLTF2().load_binary(str(path))
        if document is None:
            raise OutputError(f"{path} cannot be read back")
        blob = document.binary_blob()
        return _bone_positions(document, blob)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, struct.error) as error:
        raise OutputError(f"{path} cannot be read back: {error}") from error


def _bone_positions(document: Any, blob: bytes) -> ReadBack:
    """Evaluate the animation by the file's own node hierarchy."""
    animation = document.animations[0]
    animated: dict[tuple[int, str], Array] = {}
    times: Array = np.zeros(0)
    for channel in animation.channels:
        sampler = animation.samplers[channel.sampler]
        times = floats(document, blob, sampler.input)[:, 0]
        values = floats(document, blob, sampler.output)
        animated[channel.target.node, channel.target.path] = values
    parents = {
        child: index for index, node in enumerate(document.nodes) for child in node.children or []
    }
    rotations: dict[int, Array] = {}
    positions: dict[int, Array] = {}

    def evaluate(index: int) -> None:
        if index in rotations:
            return
        node = document.nodes[index]
        at_rest = np.array([node.translation or [0.0, 0.0, 0.0]])
        position = animated.get((index, "translation"), at_rest)
        at_rest = np.array([node.rotation or [0.0, 0.0, 0.0, 1.0]])
        xyzw = animated.get((index, "rotation"), at_rest)
        rotation = matrix_from_quaternion(xyzw[:, [3, 0, 1, 2]])
        if index in parents:
            evaluate(parents[index])
            parent = rotations[parents[index]]
            position = positions[parents[index]] + (parent @ position[:, :, None])[:, :, 0]
            rotation = parent @ rotation
        rotations[index], positions[index] = rotation, position

    bones = [index for index, node in enumerate(document.nodes) if node.mesh is None]
    for index in bones:
        evaluate(index)
    shape = (len(times), 3)
    stacked = np.stack([np.broadcast_to(positions[i], shape) for i in bones], axis=1)
    numerator, denominator = animation.extras["frame_rate"]
    rate = numerator / denominator
    if len(times) > 1:  # players use the times
        rate = (len(times) - 1) / float(times[-1] - times[0])
    names = tuple(document.nodes[index].name for index in bones)
    return ReadBack(rate, len(times), np.arange(len(times)), names, stacked)


def floats(document: Any, blob: bytes, index: int) -> Array:
    """Return the values (N, K) of an accessor of floats."""
    accessor = document.accessors[index]
    if accessor.componentType != FLOAT:
        raise ValueError(f"accessor {index} does not contain floats")
    view = document.bufferViews[accessor.bufferView]
    start = (view.byteOffset or 0) + (accessor.byteOffset or 0)
    width = ELEMENT_SIZE[accessor.type]
    values = np.frombuffer(blob, "<f4", accessor.count * width, start)
    return np.asarray(values.reshape(-1, width), dtype=np.float64)


export_glb = PerPersonWriter(suffix=".glb", unit="m", write=write_scenes, read=read_back)
