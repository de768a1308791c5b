"""Reader of characters in glTF 2.0 and VRM 0.x/1.0 files."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pymaf_live.body.rotations import matrix_from_quaternion
from pymaf_live.characters.gltf_container import (
    Container,
    ContainerError,
    checked_index,
    natural,
    read_container,
    uri_content,
)
from pymaf_live.characters.model import (
    MAX_MESHES,
    MAX_NODES,
    MAX_TEXTURE_BYTES,
    MAX_TEXTURES,
    MAX_TRIANGLES,
    MAX_VERTICES,
    Character,
    CharacterMesh,
    Kind,
    Material,
    Texture,
    clean_name,
    parents_first,
)
from pymaf_live.characters.textures import checked_texture
from pymaf_live.characters.vrm import humanoid_nodes, is_vrm, toon_colours
from pymaf_live.errors import InputError
from pymaf_live.types import Array, Ints

_TRIANGLES = 4
_COMPRESSED = {
    "KHR_draco_mesh_compression": "Draco compression",
    "EXT_meshopt_compression": "meshopt compression",
    "KHR_meshopt_compression": "meshopt compression",
}
_MIN_WEIGHT = 1e-6


def read_gltf(path: Path) -> Character:
    """Read a character from a .glb, .gltf or .vrm file.

    Raises
    ------
    InputError
        If the file is missing, damaged, too large, or uses a compression that is not supported.
    """
    try:
        container, content = read_container(path)
        return _Reader(container, hashlib.sha256(content).hexdigest()).character()
    except ContainerError as error:
        raise InputError(f"{path}: {error}") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error


@dataclass
class _Reader:
    """State of reading one file."""

    file: Container
    sha256: str
    notes: list[str] = field(default_factory=list)
    vertices: int = 0
    triangles: int = 0

    def character(self) -> Character:
        nodes = self.file.items("nodes", MAX_NODES)
        for name in self._required():
            if name in _COMPRESSED:
                raise ContainerError(
                    f"the file uses {_COMPRESSED[name]}; export it without compression"
                )
        parents = self._parents(nodes)
        order = parents_first(self.file.path, parents)
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order))
        local = np.stack([_local(nodes[index]) for index in order]) if nodes else _no_matrices()
        textures, images = self._textures()
        materials = self._materials(images)
        meshes = self._meshes(nodes, place, len(materials))
        humanoid = {
            bone: int(place[checked_index(node, len(nodes), "nodes")])
            for bone, node in humanoid_nodes(self.file.document).items()
        }
        return Character(
            path=self.file.path,
            sha256=self.sha256,
            kind=_kind(self.file),
            names=tuple(_name(nodes[index], f"node{index}") for index in order),
            parents=np.array(
                [place[parents[index]] if parents[index] >= 0 else -1 for index in order],
                dtype=np.int64,
            ),
            local=local,
            source_nodes=np.asarray(order, dtype=np.int64),
            meshes=tuple(meshes),
            materials=tuple(materials),
            textures=tuple(textures),
            metres=1.0,
            humanoid=humanoid,
            notes=tuple(dict.fromkeys(self.notes)),
        )

    def _required(self) -> list[str]:
        required = self.file.document.get("extensionsRequired", [])
        return [str(each) for each in required] if isinstance(required, list) else []

    def _parents(self, nodes: list[dict[str, Any]]) -> Ints:
        parents = np.full(len(nodes), -1, dtype=np.int64)
        for index, node in enumerate(nodes):
            for each in _list(node, "children"):
                child = checked_index(each, len(nodes), "nodes")
                if parents[child] >= 0:
                    raise ContainerError(f"node {child} has two parents")
                parents[child] = index
        return parents

    def _textures(self) -> tuple[list[Texture], dict[int, int]]:
        """Return the textures and their indices by the file's image number."""
        found: list[Texture] = []
        by_image: dict[int, int] = {}
        for index, image in enumerate(self.file.items("images", MAX_TEXTURES)):
            name = _name(image, f"image{index}")
            try:
                if "bufferView" in image:
                    content = bytes(self.file.view(image["bufferView"])[0])
                else:
                    content = uri_content(self.file.path, image.get("uri"), MAX_TEXTURE_BYTES)
                checked = checked_texture(name, content)
            except ContainerError as error:
                checked = f"texture {name}: {error}"
            if isinstance(checked, str):
                self.notes.append(checked)
            else:
                by_image[index] = len(found)
                found.append(checked)
        return found, by_image

    def _materials(self, images: Mapping[int, int]) -> list[Material]:
        toon = toon_colours(self.file.document)
        materials = []
        for index, each in enumerate(self.file.items("materials", MAX_MESHES)):
            physical = _object(each, "pbrMetallicRoughness")
            colour = _numbers(physical.get("baseColorFactor"), 4, (1.0, 1.0, 1.0, 1.0))
            texture = physical.get("baseColorTexture")
            source = _object(physical, "baseColorTexture").get("index")
            if index in toon:
                colour, main = toon[index]
                source = main if main is not None else source
            extensions = _object(each, "extensions")
            materials.append(
                Material(
                    name=_name(each, f"material{index}"),
                    colour=(colour[0], colour[1], colour[2], colour[3]),
                    texture=self._texture(source, images) if texture or index in toon else -1,
                    toon=index in toon
                    or bool({"KHR_materials_unlit", "VRMC_materials_mtoon"} & extensions.keys()),
                    transparent=each.get("alphaMode") in ("MASK", "BLEND"),
                    double_sided=each.get("doubleSided") is True,
                )
            )
        return materials or [Material("material", (0.8, 0.8, 0.8, 1.0))]

    def _texture(self, index: object, images: Mapping[int, int]) -> int:
        if index is None:
            return -1
        texture = self.file.item("textures", index)
        source = texture.get("source")
        return images.get(natural(source), -1) if source is not None else -1

    def _meshes(
        self, nodes: list[dict[str, Any]], place: Ints, materials: int
    ) -> list[CharacterMesh]:
        meshes: list[CharacterMesh] = []
        for index, node in enumerate(nodes):
            if "mesh" not in node:
                continue
            mesh = self.file.item("meshes", node["mesh"], MAX_MESHES)
            if "skin" in node:
                joints, inverse_bind = self._skin(node["skin"], len(nodes))
                joints = place[joints]
            else:
                joints, inverse_bind = place[[index]], np.eye(4)[None]
            for primitive in _list(mesh, "primitives"):
                if not isinstance(primitive, dict):
                    raise ContainerError("a primitive is not an object")
                if primitive.get("mode", _TRIANGLES) != _TRIANGLES:
                    self.notes.append("strips, lines and points were left out")
                    continue
                name = _name(node, _name(mesh, f"mesh{index}"))
                read = self._primitive(
                    primitive, name, joints, inverse_bind, materials, skinned="skin" in node
                )
                if read is not None:
                    meshes.append(read)
                if len(meshes) > MAX_MESHES:
                    raise ContainerError(f"more than {MAX_MESHES} meshes")
        return meshes

    def _skin(self, index: object, nodes: int) -> tuple[Ints, Array]:
        skin = self.file.item("skins", index, MAX_MESHES)
        joints = [checked_index(each, nodes, "nodes") for each in _list(skin, "joints")]
        if not joints:
            raise ContainerError("a skin has no joints")
        if "inverseBindMatrices" not in skin:
            return np.array(joints), np.tile(np.eye(4), (len(joints), 1, 1))
        flat = self.file.array(skin["inverseBindMatrices"], ("MAT4",), MAX_NODES)
        if len(flat) < len(joints):
            raise ContainerError("a skin has fewer matrices than joints")
        with np.errstate(invalid="ignore"):
            matrices = flat[: len(joints)].astype(np.float64).reshape(-1, 4, 4)
        matrices = np.swapaxes(matrices, 1, 2)
        matrices[:, 3] = [0.0, 0.0, 0.0, 1.0]
        if not np.isfinite(matrices).all():
            raise ContainerError("a skin has matrices that are not finite")
        return np.array(joints), matrices

    def _primitive(
        self,
        primitive: dict[str, Any],
        name: str,
        nodes: Ints,
        inverse_bind: Array,
        materials: int,
        *,
        skinned: bool,
    ) -> CharacterMesh | None:
        attributes = _object(primitive, "attributes")
        if "POSITION" not in attributes:
            return None
        vertices = self._floats(attributes["POSITION"], "VEC3")
        count = len(vertices)
        self.vertices += count
        if "indices" in primitive:
            limit = 3 * MAX_TRIANGLES
            indices = self.file.array(primitive["indices"], ("SCALAR",), limit)[:, 0]
            indices = indices.astype(np.int64)
        else:
            indices = np.arange(count)
        faces = indices[: len(indices) // 3 * 3].reshape(-1, 3)
        self.triangles += len(faces)
        if self.triangles > MAX_TRIANGLES or self.vertices > MAX_VERTICES:
            raise ContainerError(
                f"more than {MAX_TRIANGLES:,} triangles; simplify the meshes before importing"
            )
        if len(faces) and (faces.min() < 0 or faces.max() >= count):
            raise ContainerError(f"mesh {name} has triangles without vertices")
        if not len(faces):
            return None
        uv = None
        if "TEXCOORD_0" in attributes:
            uv = self._floats(attributes["TEXCOORD_0"], "VEC2")
            uv = uv if len(uv) == count else None
        joints, weights = self._influences(attributes, count, len(nodes), skinned=skinned)
        material = primitive.get("material", 0)
        return CharacterMesh(
            name=name,
            vertices=vertices,
            faces=faces,
            uv=uv,
            material=checked_index(material, materials, "materials"),
            nodes=np.asarray(nodes, dtype=np.int64),
            inverse_bind=inverse_bind,
            joints=joints,
            weights=weights,
            skinned=skinned,
        )

    def _influences(
        self, attributes: dict[str, Any], count: int, nodes: int, *, skinned: bool
    ) -> tuple[Ints, Array]:
        if not skinned or "JOINTS_0" not in attributes:
            return np.zeros((count, 1), dtype=np.int64), np.ones((count, 1))
        joints, weights = [], []
        for index in range(4):
            if f"JOINTS_{index}" not in attributes:
                break
            if f"WEIGHTS_{index}" not in attributes:
                raise ContainerError("a mesh has joints without weights")
            joints.append(self.file.array(attributes[f"JOINTS_{index}"], ("VEC4",), MAX_VERTICES))
            weights.append(self._floats(attributes[f"WEIGHTS_{index}"], "VEC4"))
        if any(len(each) != count for each in (*joints, *weights)):
            raise ContainerError("a mesh has not as many weights as vertices")
        return checked_influences(
            np.concatenate(joints, axis=1).astype(np.int64), np.concatenate(weights, axis=1), nodes
        )

    def _floats(self, index: object, kind: str) -> Array:
        with np.errstate(invalid="ignore"):
            values = self.file.array(index, (kind,), MAX_VERTICES).astype(np.float64)
        if not np.isfinite(values).all():
            raise ContainerError("a mesh has numbers that are not finite")
        return np.asarray(values)


def checked_influences(joints: Ints, weights: Array, nodes: int) -> tuple[Ints, Array]:
    """Return influences whose weights sum to 1; a vertex without any belongs to joint 0.

    Raises
    ------
    ContainerError
        If an influence names a joint that the skin lacks.
    """
    weights = np.where(weights > _MIN_WEIGHT, weights, 0.0)
    joints = np.where(weights > 0, joints, 0)
    if joints.size and (joints.min() < 0 or joints.max() >= nodes):
        raise ContainerError("a mesh is bound to a joint that its skin lacks")
    total = weights.sum(axis=1, keepdims=True)
    weights[total[:, 0] <= 0, 0] = 1.0
    return joints, weights / np.where(total > 0, total, 1.0)


def _kind(file: Container) -> Kind:
    if is_vrm(file.document):
        return "vrm"
    return "gltf" if file.path.suffix.lower() == ".gltf" else "glb"


def _no_matrices() -> Array:
    return np.zeros((0, 4, 4))


def _local(node: dict[str, Any]) -> Array:
    """Return the local transform (4, 4) of a node."""
    if "matrix" in node:
        return np.array(_numbers(node["matrix"], 16, ())).reshape(4, 4).T
    matrix = np.eye(4)
    x, y, z, w = _numbers(node.get("rotation"), 4, (0.0, 0.0, 0.0, 1.0))
    if math.hypot(x, y, z, w) < 1e-9:
        raise ContainerError("a node has a rotation of length zero")
    scale = _numbers(node.get("scale"), 3, (1.0, 1.0, 1.0))
    matrix[:3, :3] = matrix_from_quaternion(np.array([w, x, y, z])) * scale
    matrix[:3, 3] = _numbers(node.get("translation"), 3, (0.0, 0.0, 0.0))
    return matrix


def _numbers(value: object, count: int, default: tuple[float, ...]) -> tuple[float, ...]:
    if value is None and default:
        return default
    if not isinstance(value, list) or len(value) != count:
        raise ContainerError(f"a list does not have {count} numbers")
    if not all(isinstance(each, int | float) and abs(each) < 1e30 for each in value):
        raise ContainerError("a list of numbers contains something else")
    return tuple(float(each) for each in value)


def _list(item: dict[str, Any], name: str) -> list[Any]:
    found = item.get(name, [])
    if not isinstance(found, list):
        raise ContainerError(f"{name} is not a list")
    return found


def _object(item: dict[str, Any], name: str) -> dict[str, Any]:
    found = item.get(name, {})
    if not isinstance(found, dict):
        raise ContainerError(f"{name} is not an object")
    return found


def _name(item: dict[str, Any], default: str) -> str:
    name = item.get("name")
    return (clean_name(name) if isinstance(name, str) else "") or default
