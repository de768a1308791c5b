"""Scene objects of an FBX file: bones, skinned mesh, bind pose, animation curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from pymaf_live.body.normals import vertex_normals
from pymaf_live.export.euler import continuous_angles
from pymaf_live.export.fbx_builder import (
    ObjectTable,
    add_model_properties,
    add_vector,
    frame_ticks,
)
from pymaf_live.export.fbx_document import DOCUMENT_ID
from pymaf_live.export.fbx_nodes import Int32, Node, Packed, packed
from pymaf_live.export.scene import Scene
from pymaf_live.export.skin import influences
from pymaf_live.export.view_camera import FAR, NAME, NEAR, view_camera
from pymaf_live.system.reporter import Reporter, StepReporter, report_progress
from pymaf_live.types import Array

_SKIN_COLOUR = 0.72
_MM_PER_INCH = 25.4
_BY_FOCAL_LENGTH = 3
"""Aperture mode in which focal length and sensor give the angle of view."""


@dataclass
class _Person:
    """Ids of one person's objects in the file."""

    scene: Scene
    bone_ids: list[int] = field(default_factory=list)
    mesh_id: int = 0


class SceneObjects(ObjectTable):
    """Objects of a file and the connections between them.

    Call `add_bones` first, then `add_mesh` and `add_camera` (optional), `add_bind_pose` and
    `add_animation`.

    Parameters
    ----------
    scenes : sequence of Scene
        One per person, all with the same frames and the same camera; bones have distinct names.
    scale : float
        File units per metre.
    """

    def __init__(self, scenes: Sequence[Scene], scale: float) -> None:
        super().__init__(Node("Objects"), Node("Connections"), DOCUMENT_ID)
        self._people = [_Person(scene) for scene in scenes]
        self._scale = scale
        self._times = frame_ticks(scenes[0].frames, scenes[0].rate)
        self.ticks = int(self._times[-1])
        """Time of the last frame, FBX ticks."""

    def add_bones(self) -> None:
        """Add the bones, those of each person below a Null with their name if there is one."""
        for person in self._people:
            self._add_bones(person)

    def _add_bones(self, person: _Person) -> None:
        bones = person.scene.bones
        rest = np.degrees(continuous_angles(bones.rest_local_rotation[None], "zyx"))[0]
        top = 0
        if person.scene.name:
            add_model_properties(self.add("Model", person.scene.name, "Model", "Null"))
            top = self.last_id
            self.connect(top, 0)
        for bone, name in enumerate(bones.names):
            attribute = self.add("NodeAttribute", name, "NodeAttribute", "LimbNode")
            attribute_id = self.last_id
            attribute.add("TypeFlags", "Skeleton")
            model = self.add("Model", name, "Model", "LimbNode")
            person.bone_ids.append(self.last_id)
            properties = add_model_properties(model)
            offset = bones.offsets[bone] * self._scale
            add_vector(properties, "Lcl Translation", offset, "Lcl Translation", "", "A")
            add_vector(properties, "Lcl Rotation", rest[bone, ::-1], "Lcl Rotation", "", "A")
            add_vector(properties, "Lcl Scaling", np.ones(3), "Lcl Scaling", "", "A")
            self.connect(attribute_id, person.bone_ids[bone])
            parent = int(bones.parents[bone])
            self.connect(person.bone_ids[bone], person.bone_ids[parent] if parent >= 0 else top)

    def add_mesh(self) -> None:
        """Add the meshes in the rest pose with normals, a material and their skins."""
        material = self.add("Material", "body", "Material", "")
        material_id = self.last_id
        material.add("Version", Int32(102))
        material.add("ShadingModel", "lambert")
        material.add("MultiLayer", Int32(0))
        colour = np.full(3, _SKIN_COLOUR)
        add_vector(material.add("Properties70"), "DiffuseColor", colour, "Color", "", "A")
        for person in self._people:
            self._add_mesh(person, material_id)

    def _add_mesh(self, person: _Person, material_id: int) -> None:
        scene = person.scene
        vertices, faces = scene.vertices, scene.body.faces
        name = f"{scene.name} body" if scene.name else "body"
        geometry = self.add("Geometry", name, "Geometry", "Mesh")
        geometry_id = self.last_id
        polygons = faces.astype(np.int32)
        polygons[:, -1] = -polygons[:, -1] - 1  # marks the end of a polygon
        geometry.add("GeometryVersion", Int32(124))
        geometry.add("Vertices", vertices * self._scale)
        geometry.add("PolygonVertexIndex", polygons)
        normals = geometry.add("LayerElementNormal", Int32(0))
        normals.add("Version", Int32(101))
        normals.add("Name", "")
        normals.add("MappingInformationType", "ByPolygonVertex")
        normals.add("ReferenceInformationType", "Direct")
        normals.add("Normals", vertex_normals(vertices, faces)[faces])
        materials = geometry.add("LayerElementMaterial", Int32(0))
        materials.add("Version", Int32(101))
        materials.add("Name", "")
        materials.add("MappingInformationType", "AllSame")
        materials.add("ReferenceInformationType", "IndexToDirect")
        materials.add("Materials", np.zeros(1, dtype=np.int32))
        layer = geometry.add("Layer", Int32(0))
        layer.add("Version", Int32(100))
        for kind in ("LayerElementNormal", "LayerElementMaterial"):
            element = layer.add("LayerElement")
            element.add("Type", kind)
            element.add("TypedIndex", Int32(0))
        model = self.add("Model", name, "Model", "Mesh")
        person.mesh_id = self.last_id
        add_model_properties(model)
        self.connect(geometry_id, person.mesh_id)
        self.connect(material_id, person.mesh_id)
        self.connect(person.mesh_id, 0)
        self._add_skin(person, geometry_id)

    def add_camera(self) -> None:
        """Add the camera; those of FBX look along x, with y up."""
        view = view_camera(self._people[0].scene)
        attribute = self.add("NodeAttribute", NAME, "NodeAttribute", "Camera")
        attribute_id = self.last_id
        attribute.add("TypeFlags", "Camera")
        properties = attribute.add("Properties70")
        properties.add("P", "ApertureMode", "enum", "", "", Int32(_BY_FOCAL_LENGTH))
        for name, value in (
            ("FocalLength", view.focal_length_mm),
            ("FilmWidth", view.sensor_mm[0] / _MM_PER_INCH),
            ("FilmHeight", view.sensor_mm[1] / _MM_PER_INCH),
            ("FilmAspectRatio", view.aspect),
            ("AspectWidth", float(view.size[0])),
            ("AspectHeight", float(view.size[1])),
            ("FieldOfView", float(np.degrees(view.vertical_angle))),
            ("NearPlane", NEAR * self._scale),
            ("FarPlane", FAR * self._scale),
        ):
            properties.add("P", name, "Number", "", "A", value)
        model = self.add("Model", NAME, "Model", "Camera")
        model_id = self.last_id
        properties = add_model_properties(model)
        axes = view.axes[:, [2, 1, 0]] * [-1.0, 1.0, 1.0]
        angles = np.degrees(continuous_angles(axes[None, None], "zyx"))[0, 0, ::-1]
        position = view.position * self._scale
        add_vector(properties, "Lcl Translation", position, "Lcl Translation", "", "A")
        add_vector(properties, "Lcl Rotation", angles, "Lcl Rotation", "", "A")
        add_vector(properties, "Lcl Scaling", np.ones(3), "Lcl Scaling", "", "A")
        self.connect(attribute_id, model_id)
        self.connect(model_id, 0)

    def add_bind_pose(self) -> None:
        """Add the rest pose of each person's bones and, if there is one, of the mesh."""
        for person in self._people:
            self._add_bind_pose(person)

    def _add_bind_pose(self, person: _Person) -> None:
        pose = self.add("Pose", "rest", "Pose", "BindPose")
        pose.add("Type", "BindPose")
        pose.add("Version", Int32(100))
        pairs = list(zip(person.bone_ids, self._rest_matrices(person.scene), strict=True))
        pairs += [(person.mesh_id, np.eye(4))] if person.mesh_id else []
        pose.add("NbPoseNodes", Int32(len(pairs)))
        for object_id, matrix in pairs:
            node = pose.add("PoseNode")
            node.add("Node", object_id)
            node.add("Matrix", matrix.T)

    def add_animation(self, reporter: Reporter) -> None:
        """Add the curves of all bones.

        Raises
        ------
        Interrupted
            If the reporter is cancelled.
        """
        layer_id = self.add_stack("motion", self.ticks)
        times = packed(self._times)
        count = len(self._people)
        for index, person in enumerate(self._people):
            step = StepReporter(reporter, index / count, (index + 1) / count)
            self._add_motion(person, layer_id, times, step)

    def _add_motion(
        self, person: _Person, layer_id: int, times: Packed, reporter: Reporter
    ) -> None:
        scene, bone_ids = person.scene, person.bone_ids
        for bone, positions in scene.moving():
            values = positions * self._scale
            self.add_curves(layer_id, bone_ids[bone], "T", "Lcl Translation", values, times)
        # not relative to a PreRotation, which assimp 5.2 applies twice
        angles = np.degrees(continuous_angles(scene.rotations, "zyx"))[..., ::-1]
        for bone, bone_id in enumerate(bone_ids):
            self.add_curves(layer_id, bone_id, "R", "Lcl Rotation", angles[:, bone], times)
            report_progress(reporter, (bone + 1) / len(bone_ids))

    def _add_skin(self, person: _Person, geometry_id: int) -> None:
        scene = person.scene
        skin = self.add("Deformer", "skin", "Deformer", "Skin")
        skin_id = self.last_id
        skin.add("Version", Int32(101))
        skin.add("Link_DeformAcuracy", 50.0)
        self.connect(skin_id, geometry_id)
        bone, weight = influences(scene)
        matrices = self._rest_matrices(scene)
        for index, name in enumerate(scene.bones.names):
            vertex, slot = np.nonzero((bone == index) & (weight > 0))
            cluster = self.add("Deformer", name, "SubDeformer", "Cluster")
            cluster.add("Version", Int32(100))
            cluster.add("UserData", "", "")
            if len(vertex):
                cluster.add("Indexes", vertex.astype(np.int32))
                cluster.add("Weights", weight[vertex, slot])
            cluster.add("Transform", np.linalg.inv(matrices[index]).T)
            cluster.add("TransformLink", matrices[index].T)
            cluster_id = self.last_id
            self.connect(cluster_id, skin_id)
            self.connect(person.bone_ids[index], cluster_id)

    def _rest_matrices(self, scene: Scene) -> Array:
        bones = scene.bones
        matrices = np.tile(np.eye(4), (len(bones.names), 1, 1))
        matrices[:, :3, :3] = bones.rest_rotation
        matrices[:, :3, 3] = bones.rest_position * self._scale
        return matrices
