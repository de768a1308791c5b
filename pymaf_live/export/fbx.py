"""FBX (binary 7.4): skeleton, skinned body with normals, animation; one file a person.

A person's name is that of a Null above the bones, which Blender makes the armature. It has no
attribute of its own: an importer that climbs from bones to parents with one ends at the bones.

Read by Blender's importers and ufbx; Unity, Unreal and Autodesk's programs read the same version.
y up, x to the person's left, z forward; angles about x, then y, then z (FBX's default order), in
degrees and without jumps, on top of each bone's rotation at rest (PreRotation).
"""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from pymaf_live import __version__
from pymaf_live.body.normals import vertex_normals
from pymaf_live.errors import OutputError
from pymaf_live.export.euler import continuous_angles
from pymaf_live.export.fbx_nodes import Int32, Node, Packed, object_name, packed, write_file
from pymaf_live.export.options import ExportOptions
from pymaf_live.export.per_person import PerPersonWriter
from pymaf_live.export.readback_check import ReadBack, frames_to_check
from pymaf_live.export.scene import Scene
from pymaf_live.export.skin import influences
from pymaf_live.system.reporter import Reporter, StepReporter, report_progress
from pymaf_live.types import Array, Ints

TICKS = 46186158000
"""Of FBX's clock in a second."""
CUSTOM_RATE = 14
TIME_MODES = {
    Fraction(120): 1,
    Fraction(100): 2,
    Fraction(60): 3,
    Fraction(50): 4,
    Fraction(48): 5,
    Fraction(30): 6,
    Fraction(30000, 1001): 9,
    Fraction(25): 10,
    Fraction(24): 11,
    Fraction(24000, 1001): 13,
    Fraction(60000, 1001): 17,
}
_EPOCH = "1970-01-01 10:00:00:000"
_FILE_ID = bytes.fromhex("28b32aebb624ccc2bfc8b02aa92bfcf1")
"""Belongs to that time: a file says nothing of when or where it was made."""
_SKIN_COLOUR = 0.72
_READING_SECONDS = 120
_STATED_TOLERANCE = 1e-5
"""Relative: FBX names 23.976 and its like, which is rounded."""


def write_scene(
    path: Path, scene: Scene, scale: float, reporter: Reporter, options: ExportOptions
) -> None:
    """Write a scene.

    Parameters
    ----------
    path : Path
    scene : Scene
    scale : float
        File units in a metre: 1 or 100.
    reporter : Reporter
    options : ExportOptions
        Of which `mesh` counts: whether the skinned body is in it, or the bones alone.

    Raises
    ------
    OutputError
        If the motion is longer than the format can hold.
    """
    content = _Content(scene, scale)
    content.bones()
    if options.mesh:
        content.mesh()
    content.bind_pose(options.mesh)
    content.animation(StepReporter(reporter, 0.0, 0.8))
    definitions = Node("Definitions")
    definitions.add("Version", Int32(100))
    kinds = [node.name for node in content.objects.children]
    definitions.add("Count", Int32(len(kinds) + 1))
    definitions.add("ObjectType", "GlobalSettings").add("Count", Int32(1))
    for kind in dict.fromkeys(kinds):
        definitions.add("ObjectType", kind).add("Count", Int32(kinds.count(kind)))
    top = [
        *_head(),
        _settings(scene.rate, content.ticks, scale),
        _documents(),
        Node("References"),
        definitions,
        content.objects,
        content.connections,
        _takes(content.ticks),
    ]
    try:
        with path.open("wb") as file:
            write_file(file, top, StepReporter(reporter, 0.8, 1.0))
    except OverflowError as error:
        raise OutputError(f"cannot write {path}: the motion is longer than it can hold") from error


def read_back(path: Path, scene: Scene, scale: float) -> ReadBack:
    """As `per_person.ReadScene`, with ufbx, in a process of its own.

    ufbx's Python module can end its process where it is used wrongly or a file is damaged.
    """
    checked = frames_to_check(scene.frames)
    seconds = [float(frame / scene.rate) for frame in checked]
    command = [sys.executable, "-m", "pymaf_live.export.fbx_reader", str(path)]
    text = "\n".join(repr(second) for second in seconds)
    try:
        done = subprocess.run(
            command,
            input=text.encode(),
            capture_output=True,
            timeout=_READING_SECONDS,
            check=False,
        )
        if done.returncode:
            raise ValueError(done.stderr.decode(errors="replace").strip().splitlines()[-1:])
        with np.load(BytesIO(done.stdout), allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
        names = tuple(str(name) for name in arrays["names"])
        return ReadBack(_rate(arrays), int(arrays["frames"]), checked, names, arrays["places"])
    except (OSError, ValueError, KeyError, EOFError, subprocess.TimeoutExpired) as error:
        raise OutputError(f"{path} cannot be read again: {error}") from error


def _rate(arrays: dict[str, Any]) -> float:
    stated, seconds, frames = (float(arrays[name]) for name in ("rate", "seconds", "frames"))
    if frames == 1:
        return stated
    # what a player goes by is the keys' times; some import by what the file states
    by_keys = (frames - 1) / seconds
    return by_keys if abs(by_keys / stated - 1) < _STATED_TOLERANCE else float("nan")


class _Content:
    """The objects of a file and how they hang together."""

    def __init__(self, scene: Scene, scale: float) -> None:
        self.objects = Node("Objects")
        self.connections = Node("Connections")
        self._scene = scene
        self._scale = scale
        self._last_id = 1_000_000
        self._bone_ids: list[int] = []
        self._mesh_id = 0
        step = TICKS / scene.rate
        self._times: Ints = _rounded_multiples(scene.frames, step)
        self.ticks = int(self._times[-1])

    def bones(self) -> None:
        bones = self._scene.bones
        rest = np.degrees(continuous_angles(bones.rest_local_rotation[None], "zyx"))[0]
        above = 0
        if self._scene.name:
            _model(self._object("Model", self._scene.name, "Model", "Null"))
            above = self._last_id
            self._connect(above, 0)
        for bone, name in enumerate(bones.names):
            attribute = self._object("NodeAttribute", name, "NodeAttribute", "LimbNode")
            attribute_id = self._last_id
            attribute.add("TypeFlags", "Skeleton")
            model = self._object("Model", name, "Model", "LimbNode")
            self._bone_ids.append(self._last_id)
            properties = _model(model)
            _vector(properties, "PreRotation", rest[bone, ::-1], "Vector3D", "Vector")
            offset = bones.offsets[bone] * self._scale
            _vector(properties, "Lcl Translation", offset, "Lcl Translation", "", "A")
            _vector(properties, "Lcl Rotation", np.zeros(3), "Lcl Rotation", "", "A")
            _vector(properties, "Lcl Scaling", np.ones(3), "Lcl Scaling", "", "A")
            self._connect(attribute_id, self._bone_ids[bone])
            parent = int(bones.parents[bone])
            self._connect(self._bone_ids[bone], self._bone_ids[parent] if parent >= 0 else above)

    def mesh(self) -> None:
        scene = self._scene
        vertices, faces = scene.vertices, scene.body.faces
        geometry = self._object("Geometry", "body", "Geometry", "Mesh")
        geometry_id = self._last_id
        polygons = faces.astype(np.int32)
        polygons[:, -1] = -polygons[:, -1] - 1
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
        name = f"{scene.name} body" if scene.name else "body"
        model = self._object("Model", name, "Model", "Mesh")
        self._mesh_id = self._last_id
        _model(model)
        material = self._object("Material", "body", "Material", "")
        material_id = self._last_id
        material.add("Version", Int32(102))
        material.add("ShadingModel", "lambert")
        material.add("MultiLayer", Int32(0))
        colour = np.full(3, _SKIN_COLOUR)
        _vector(material.add("Properties70"), "DiffuseColor", colour, "Color", "", "A")
        self._connect(geometry_id, self._mesh_id)
        self._connect(material_id, self._mesh_id)
        self._connect(self._mesh_id, 0)
        self._skin(geometry_id)

    def bind_pose(self, mesh: bool) -> None:
        pose = self._object("Pose", "rest", "Pose", "BindPose")
        pose.add("Type", "BindPose")
        pose.add("Version", Int32(100))
        pairs = list(zip(self._bone_ids, self._rest_matrices(), strict=True))
        pairs += [(self._mesh_id, np.eye(4))] if mesh else []
        pose.add("NbPoseNodes", Int32(len(pairs)))
        for identity, matrix in pairs:
            node = pose.add("PoseNode")
            node.add("Node", identity)
            node.add("Matrix", matrix.T)

    def animation(self, reporter: Reporter) -> None:
        scene = self._scene
        stack = self._object("AnimationStack", "motion", "AnimStack", "")
        stack_id = self._last_id
        properties = stack.add("Properties70")
        for name, time in _span("Local", self.ticks) + _span("Reference", self.ticks):
            properties.add("P", name, "KTime", "Time", "", time)
        self._object("AnimationLayer", "motion", "AnimLayer", "")
        layer_id = self._last_id
        self._connect(layer_id, stack_id)
        times = packed(self._times)
        rest = scene.bones.rest_local_rotation
        for bone, places in scene.moving():
            self._curves(layer_id, bone, "T", "Lcl Translation", places * self._scale, times)
        count = len(scene.bones.names)
        # on top of the rotation at rest, and so near zero, far from the poles
        turns = np.swapaxes(rest, 1, 2) @ scene.rotations
        angles = np.degrees(continuous_angles(turns, "zyx"))[..., ::-1]
        for bone in range(count):
            self._curves(layer_id, bone, "R", "Lcl Rotation", angles[:, bone], times)
            report_progress(reporter, (bone + 1) / count)

    def _skin(self, geometry_id: int) -> None:
        scene = self._scene
        skin = self._object("Deformer", "skin", "Deformer", "Skin")
        skin_id = self._last_id
        skin.add("Version", Int32(101))
        skin.add("Link_DeformAcuracy", 50.0)
        self._connect(skin_id, geometry_id)
        bone, weight = influences(scene)
        matrices = self._rest_matrices()
        for index, name in enumerate(scene.bones.names):
            vertex, slot = np.nonzero((bone == index) & (weight > 0))
            cluster = self._object("Deformer", name, "SubDeformer", "Cluster")
            cluster.add("Version", Int32(100))
            cluster.add("UserData", "", "")
            if len(vertex):
                cluster.add("Indexes", vertex.astype(np.int32))
                cluster.add("Weights", weight[vertex, slot])
            cluster.add("Transform", np.linalg.inv(matrices[index]).T)
            cluster.add("TransformLink", matrices[index].T)
            cluster_id = self._last_id
            self._connect(cluster_id, skin_id)
            self._connect(self._bone_ids[index], cluster_id)

    def _curves(
        self, layer_id: int, bone: int, short: str, channel: str, values: Array, times: Packed
    ) -> None:
        node = self._object("AnimationCurveNode", short, "AnimCurveNode", "")
        node_id = self._last_id
        properties = node.add("Properties70")
        for axis, letter in enumerate("XYZ"):
            properties.add("P", f"d|{letter}", "Number", "", "A", float(values[0, axis]))
        self._connect(node_id, layer_id)
        self._connect(node_id, self._bone_ids[bone], channel)
        for axis, letter in enumerate("XYZ"):
            curve = self._object("AnimationCurve", "", "AnimCurve", "")
            curve.add("Default", float(values[0, axis]))
            curve.add("KeyVer", Int32(4008))
            curve.add("KeyTime", times)
            curve.add("KeyValueFloat", values[:, axis].astype(np.float32))
            curve.add("KeyAttrFlags", np.array([24836], dtype=np.int32))  # linear between keys
            attributes = np.array([0, 0, 9.42e-30, 0], dtype=np.float32)
            curve.add("KeyAttrDataFloat", attributes)
            curve.add("KeyAttrRefCount", np.array([len(values)], dtype=np.int32))
            self._connect(self._last_id, node_id, f"d|{letter}")

    def _rest_matrices(self) -> Array:
        bones = self._scene.bones
        matrices = np.tile(np.eye(4), (len(bones.names), 1, 1))
        matrices[:, :3, :3] = bones.rest_rotation
        matrices[:, :3, 3] = bones.rest_position * self._scale
        return matrices

    def _object(self, node: str, name: str, kind: str, subtype: str) -> Node:
        self._last_id += 1
        return self.objects.add(node, self._last_id, object_name(name, kind), subtype)

    def _connect(self, child: int, parent: int, channel: str = "") -> None:
        if channel:
            self.connections.add("C", "OP", child, parent, channel)
        else:
            self.connections.add("C", "OO", child, parent)


def _rounded_multiples(count: int, step: Fraction) -> Ints:
    # whole numbers: as floats, multiples of a step of 1.5e9 ticks would lose their last digits
    n, d = step.numerator, step.denominator
    return np.array([(2 * frame * n + d) // (2 * d) for frame in range(count)], dtype=np.int64)


def _model(model: Node) -> Node:
    model.add("Version", Int32(232))
    properties = model.add("Properties70")
    properties.add("P", "RotationActive", "bool", "", "", Int32(1))
    properties.add("P", "InheritType", "enum", "", "", Int32(1))
    properties.add("P", "DefaultAttributeIndex", "int", "Integer", "", Int32(0))
    model.add("Shading", True)
    model.add("Culling", "CullingOff")
    return properties


def _vector(
    properties: Node, name: str, values: Array, kind: str, label: str, flags: str = ""
) -> None:
    properties.add("P", name, kind, label, flags, *(float(value) for value in values))


def _span(name: str, ticks: int) -> list[tuple[str, int]]:
    return [(f"{name}Start", 0), (f"{name}Stop", ticks)]


def _head() -> list[Node]:
    header = Node("FBXHeaderExtension")
    header.add("FBXHeaderVersion", Int32(1003))
    header.add("FBXVersion", Int32(7400))
    header.add("EncryptionType", Int32(0))
    stamp = header.add("CreationTimeStamp")
    stamp.add("Version", Int32(1000))
    for name, value in zip(
        ("Year", "Month", "Day", "Hour", "Minute", "Second", "Millisecond"),
        (1970, 1, 1, 10, 0, 0, 0),
        strict=True,
    ):
        stamp.add(name, Int32(value))
    creator = f"PyMAF Live {__version__}"
    header.add("Creator", creator)
    return [
        header,
        Node("FileId", [_raw_bytes(_FILE_ID)]),
        Node("CreationTime", [_EPOCH]),
        Node("Creator", [creator]),
    ]


def _raw_bytes(content: bytes) -> Packed:
    return Packed(b"R" + len(content).to_bytes(4, "little") + content)


def _settings(rate: Fraction, ticks: int, scale: float) -> Node:
    settings = Node("GlobalSettings")
    settings.add("Version", Int32(1000))
    properties = settings.add("Properties70")
    axes = {"UpAxis": 1, "FrontAxis": 2, "CoordAxis": 0}
    for name, axis in axes.items():
        properties.add("P", name, "int", "Integer", "", Int32(axis))
        properties.add("P", f"{name}Sign", "int", "Integer", "", Int32(1))
    properties.add("P", "OriginalUpAxis", "int", "Integer", "", Int32(1))
    properties.add("P", "OriginalUpAxisSign", "int", "Integer", "", Int32(1))
    for name in ("UnitScaleFactor", "OriginalUnitScaleFactor"):
        # centimetres in a file unit
        properties.add("P", name, "double", "Number", "", 100.0 / scale)
    mode = TIME_MODES.get(rate, CUSTOM_RATE)
    properties.add("P", "TimeMode", "enum", "", "", Int32(mode))
    for name, time in _span("TimeSpan", ticks):
        properties.add("P", name, "KTime", "Time", "", time)
    properties.add("P", "CustomFrameRate", "double", "Number", "", float(rate))
    return settings


def _documents() -> Node:
    documents = Node("Documents")
    documents.add("Count", Int32(1))
    document = documents.add("Document", 1_000_000, "", "Scene")
    properties = document.add("Properties70")
    properties.add("P", "SourceObject", "object", "", "")
    properties.add("P", "ActiveAnimStackName", "KString", "", "", "motion")
    document.add("RootNode", 0)
    return documents


def _takes(ticks: int) -> Node:
    takes = Node("Takes")
    takes.add("Current", "motion")
    take = takes.add("Take", "motion")
    take.add("FileName", "motion.tak")
    take.add("LocalTime", 0, ticks)
    take.add("ReferenceTime", 0, ticks)
    return takes


def _told_of_rate(scene: Scene) -> str:
    """Blender's importer counts times in whole frames a second and plays them by the true rate."""
    if scene.rate.denominator == 1:
        return ""
    whole = round(scene.rate)
    return (
        f"at {float(scene.rate):.5g} frames/s Blender plays FBX 0.1 % too slowly: set its scene to "
        f"{whole} after importing, or export with --rate {whole}"
    )


export_fbx = PerPersonWriter(
    suffix=".fbx", unit="cm", write=write_scene, read=read_back, note=_told_of_rate
)
