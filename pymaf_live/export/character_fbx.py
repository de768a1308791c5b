"""Characters of other formats as FBX (binary 7.4): skeleton, meshes, textures, a take's motion."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np

from pymaf_live.characters.model import Character, CharacterMesh, Texture
from pymaf_live.characters.retarget import CharacterMotion
from pymaf_live.errors import OutputError
from pymaf_live.export.character_gltf import mesh_normals
from pymaf_live.export.euler import continuous_angles
from pymaf_live.export.fbx_builder import ObjectTable, add_model_properties, add_vector, frame_ticks
from pymaf_live.export.fbx_document import (
    DOCUMENT_ID,
    definitions_node,
    documents_node,
    header_nodes,
    settings_node,
    takes_node,
)
from pymaf_live.export.fbx_nodes import Int32, Node, packed, raw_bytes, write_file
from pymaf_live.system.reporter import SILENT, Reporter, StepReporter
from pymaf_live.types import Array

_CENTIMETRES = 100.0


class CharacterObjects(ObjectTable):
    """Objects of a character's file; lengths in `scale` times the character's units.

    Parameters
    ----------
    character : Character
    scale : float
    """

    def __init__(self, character: Character, scale: float) -> None:
        super().__init__(Node("Objects"), Node("Connections"), DOCUMENT_ID)
        self._character = character
        self._scale = scale
        self.node_ids: list[int] = []
        """Model of each of the character's nodes."""
        self._model_ids: list[tuple[int, Array]] = []
        self._add_nodes()
        materials = self._add_materials()
        for mesh in character.meshes:
            self._add_mesh(mesh, materials[mesh.material])
        self._add_bind_pose()

    def add_motion(
        self, motion: CharacterMotion, rate: Fraction, name: str, reporter: Reporter
    ) -> int:
        """Add a motion as an animation stack and return the time of its last frame in ticks."""
        ticks = frame_ticks(len(motion.hips_position), rate)
        layer, times = self.add_stack(name, int(ticks[-1])), packed(ticks)
        angles = np.degrees(continuous_angles(motion.rotations, "zyx"))[..., ::-1]
        for number, node in enumerate(motion.nodes):
            model = self.node_ids[int(node)]
            if node == motion.hips:
                places = motion.hips_position * self._scale
                self.add_curves(layer, model, "T", "Lcl Translation", places, times)
            self.add_curves(layer, model, "R", "Lcl Rotation", angles[:, number], times)
            reporter.progress((number + 1) / len(motion.nodes))
        return int(ticks[-1])

    def _add_nodes(self) -> None:
        character = self._character
        bones = set(character.joint_nodes)
        for node in sorted(bones):
            while (node := int(character.parents[node])) >= 0:
                bones.add(node)
        for node, name in enumerate(character.names):
            kind = "LimbNode" if node in bones else "Null"
            attribute = self.add("NodeAttribute", name, "NodeAttribute", kind)
            attribute.add("TypeFlags", "Skeleton" if node in bones else "Null")
            attribute_id = self.last_id
            self.node_ids.append(self._add_model(name, kind, character.local[node]))
            self.connect(attribute_id, self.node_ids[node])
            parent = int(character.parents[node])
            self.connect(self.node_ids[node], self.node_ids[parent] if parent >= 0 else 0)

    def _add_model(self, name: str, kind: str, local: Array) -> int:
        properties = add_model_properties(self.add("Model", name, "Model", kind))
        scale = np.linalg.norm(local[:3, :3], axis=0)
        if np.linalg.det(local[:3, :3]) < 0:
            scale[0] = -scale[0]
        rotation = local[:3, :3] / np.where(np.abs(scale) > 0, scale, 1.0)
        angles = np.degrees(continuous_angles(rotation[None, None], "zyx"))[0, 0, ::-1]
        place = local[:3, 3] * self._scale
        add_vector(properties, "Lcl Translation", place, "Lcl Translation", "", "A")
        add_vector(properties, "Lcl Rotation", angles, "Lcl Rotation", "", "A")
        add_vector(properties, "Lcl Scaling", scale, "Lcl Scaling", "", "A")
        return self.last_id

    def _add_materials(self) -> list[int]:
        textures = [self._add_texture(texture) for texture in self._character.textures]
        ids = []
        for material in self._character.materials:
            node = self.add("Material", material.name, "Material", "")
            node.add("Version", Int32(102))
            node.add("ShadingModel", "lambert")
            node.add("MultiLayer", Int32(0))
            # FBX stores colours as they are shown
            colour = np.clip(material.colour[:3], 0.0, 1.0) ** (1 / 2.2)
            properties = node.add("Properties70")
            add_vector(properties, "DiffuseColor", colour, "Color", "", "A")
            ids.append(self.last_id)
            if material.texture >= 0:
                self.connect(textures[material.texture], ids[-1], "DiffuseColor")
        return ids

    def _add_texture(self, texture: Texture) -> int:
        suffix = ".png" if texture.mime == "image/png" else ".jpg"
        name = texture.name if texture.name.lower().endswith(suffix) else texture.name + suffix
        video = self.add("Video", name, "Video", "Clip")
        video_id = self.last_id
        video.add("Type", "Clip")
        video.add("Properties70").add("P", "Path", "KString", "XRefUrl", "", name)
        video.add("UseMipMap", Int32(0))
        video.add("Filename", name)
        video.add("RelativeFilename", name)
        video.add("Content", raw_bytes(texture.content))
        item = self.add("Texture", name, "Texture", "")
        item.add("Type", "TextureVideoClip")
        item.add("Version", Int32(202))
        item.add("TextureName", name.encode() + b"\0\x01Texture")
        properties = item.add("Properties70")
        properties.add("P", "UVSet", "KString", "", "", "UVMap")
        properties.add("P", "UseMaterial", "bool", "", "", Int32(1))
        item.add("Media", name.encode() + b"\0\x01Video")
        item.add("FileName", name)
        item.add("RelativeFilename", name)
        self.connect(video_id, self.last_id)
        return self.last_id

    def _add_mesh(self, mesh: CharacterMesh, material_id: int) -> None:
        geometry = self.add("Geometry", mesh.name, "Geometry", "Mesh")
        geometry_id = self.last_id
        polygons = mesh.faces.astype(np.int32)
        polygons[:, -1] = -polygons[:, -1] - 1  # marks the end of a polygon
        geometry.add("GeometryVersion", Int32(124))
        geometry.add("Vertices", mesh.vertices * self._scale)
        geometry.add("PolygonVertexIndex", polygons)
        kinds = ["LayerElementNormal", "LayerElementMaterial"]
        normals = _layer(geometry, kinds[0], "", "ByPolygonVertex", "Direct")
        normals.add("Normals", mesh_normals(mesh)[mesh.faces])
        if mesh.uv is not None:
            kinds.append("LayerElementUV")
            uv = _layer(geometry, kinds[2], "UVMap", "ByPolygonVertex", "IndexToDirect")
            uv.add("UV", mesh.uv * [1.0, -1.0] + [0.0, 1.0])
            uv.add("UVIndex", mesh.faces.astype(np.int32))
        materials = _layer(geometry, kinds[1], "", "AllSame", "IndexToDirect")
        materials.add("Materials", np.zeros(1, dtype=np.int32))
        layer = geometry.add("Layer", Int32(0))
        layer.add("Version", Int32(100))
        for kind in kinds:
            element = layer.add("LayerElement")
            element.add("Type", kind)
            element.add("TypedIndex", Int32(0))
        own = np.eye(4) if mesh.skinned else mesh.inverse_bind[0]
        model_id = self._add_model(mesh.name, "Mesh", own)
        self.connect(geometry_id, model_id)
        self.connect(material_id, model_id)
        if mesh.skinned:
            self.connect(model_id, 0)
            self._add_skin(mesh, geometry_id)
            self._model_ids.append((model_id, np.eye(4)))
        else:
            self.connect(model_id, self.node_ids[int(mesh.nodes[0])])

    def _add_skin(self, mesh: CharacterMesh, geometry_id: int) -> None:
        skin = self.add("Deformer", "skin", "Deformer", "Skin")
        skin_id = self.last_id
        skin.add("Version", Int32(101))
        skin.add("Link_DeformAcuracy", 50.0)
        self.connect(skin_id, geometry_id)
        for joint, node in enumerate(mesh.nodes):
            vertex, slot = np.nonzero((mesh.joints == joint) & (mesh.weights > 0))
            cluster = self.add("Deformer", self._character.names[node], "SubDeformer", "Cluster")
            cluster.add("Version", Int32(100))
            cluster.add("UserData", "", "")
            if len(vertex):
                cluster.add("Indexes", vertex.astype(np.int32))
                cluster.add("Weights", mesh.weights[vertex, slot])
            bind = self._scaled(mesh.inverse_bind[joint])
            cluster.add("Transform", bind.T)
            cluster.add("TransformLink", np.linalg.inv(bind).T)
            self.connect(self.last_id, skin_id)
            self.connect(self.node_ids[int(node)], self.last_id)

    def _add_bind_pose(self) -> None:
        pose = self.add("Pose", "rest", "Pose", "BindPose")
        pose.add("Type", "BindPose")
        pose.add("Version", Int32(100))
        rest = [self._scaled(matrix) for matrix in self._character.rest]
        pairs = [*zip(self.node_ids, rest, strict=True), *self._model_ids]
        pose.add("NbPoseNodes", Int32(len(pairs)))
        for model, matrix in pairs:
            item = pose.add("PoseNode")
            item.add("Node", model)
            item.add("Matrix", matrix.T)

    def _scaled(self, matrix: Array) -> Array:
        scaled = np.array(matrix)
        scaled[:3, 3] *= self._scale
        return scaled


def write_new_fbx(
    path: Path,
    character: Character,
    motion: CharacterMotion | None,
    rate: Fraction,
    name: str,
    reporter: Reporter = SILENT,
    up: Literal["y", "z"] = "y",
) -> None:
    """Write a character as FBX in centimetres, with the axes of its own file (y up for glTF).

    Parameters
    ----------
    path : Path
    character : Character
    motion : CharacterMotion, optional
        None writes the character at rest.
    rate : Fraction
        Frames per second.
    name : str
        Name of the animation.
    reporter : Reporter
    up : {'y', 'z'}
        Axis that the file states to be up.

    Raises
    ------
    OutputError
        If the file would exceed the format's 4 GiB.
    Interrupted
        If the reporter is cancelled.
    """
    content = CharacterObjects(character, _CENTIMETRES * character.metres)
    ticks = 0
    if motion is not None:
        ticks = content.add_motion(motion, rate, name, StepReporter(reporter, 0.0, 0.8))
    top = [
        *header_nodes(),
        settings_node(rate, ticks, _CENTIMETRES, up),
        documents_node(name),
        Node("References"),
        definitions_node(content.objects),
        content.objects,
        content.connections,
        *([takes_node(ticks, name)] if motion is not None else []),
    ]
    try:
        with path.open("wb") as file:
            write_file(file, top)
    except OverflowError as error:
        raise OutputError(f"cannot write {path}: the motion is too long for FBX") from error


def _layer(geometry: Node, kind: str, name: str, mapping: str, reference: str) -> Node:
    layer = geometry.add(kind, Int32(0))
    layer.add("Version", Int32(101))
    layer.add("Name", name)
    layer.add("MappingInformationType", mapping)
    layer.add("ReferenceInformationType", reference)
    return layer
