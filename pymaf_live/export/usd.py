"""USD (UsdSkel, binary crate): skeleton, skinned body, animation; one file a person.

Needs the extra `usd` (usd-core). y up; metersPerUnit and timeCodesPerSecond are stated, and a frame
is one time code. A person's name is that of the prim that holds all, as far as an identifier can
say it, and as it was given the prim's display name.
"""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import numpy as np

from pymaf_live.body.normals import vertex_normals
from pymaf_live.body.rotations import quaternion_from_matrix
from pymaf_live.errors import OutputError
from pymaf_live.export.options import ExportOptions
from pymaf_live.export.per_person import PerPersonWriter
from pymaf_live.export.readback_check import ReadBack
from pymaf_live.export.scene import Scene
from pymaf_live.export.skin import influences
from pymaf_live.system.reporter import Reporter, report_progress
from pymaf_live.types import Array

MISSING = "USD needs the extra 'usd': pip install 'pymaf-live[usd]'"
_NOBODY = "person"
_TOLD_EVERY = 500


def write_scene(
    path: Path, scene: Scene, scale: float, reporter: Reporter, options: ExportOptions
) -> None:
    """Write a scene; arguments as `fbx.write_scene`.

    Raises
    ------
    OutputError
        If usd-core is not installed.
    """
    try:
        from pxr import Sdf, Usd, UsdGeom, UsdSkel, Vt
    except ImportError as error:
        raise OutputError(f"cannot write USD: {MISSING}") from error

    stage = Usd.Stage.CreateNew(str(path))
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0 / scale)
    stage.SetTimeCodesPerSecond(float(scene.rate))
    stage.SetFramesPerSecond(float(scene.rate))
    stage.SetStartTimeCode(0)
    stage.SetEndTimeCode(scene.frames - 1)
    place = _root(scene)
    root = UsdSkel.Root.Define(stage, place)
    stage.SetDefaultPrim(root.GetPrim())
    if scene.name:
        root.GetPrim().SetDisplayName(scene.name)
    bones = scene.bones
    skeleton = UsdSkel.Skeleton.Define(stage, f"{place}/skeleton")
    joints = Vt.TokenArray(_joint_paths(scene))
    skeleton.CreateJointsAttr(joints)
    skeleton.CreateBindTransformsAttr(_matrices(bones.rest_rotation, bones.rest_position * scale))
    skeleton.CreateRestTransformsAttr(_matrices(bones.rest_local_rotation, bones.offsets * scale))
    motion = UsdSkel.Animation.Define(stage, f"{place}/motion")
    motion.CreateJointsAttr(joints)
    binding = UsdSkel.BindingAPI.Apply(skeleton.GetPrim())
    binding.CreateAnimationSourceRel().SetTargets([motion.GetPath()])
    if options.mesh:
        _define_mesh(stage, skeleton.GetPath(), scene, scale)
    places = np.tile(bones.offsets * scale, (scene.frames, 1, 1)).astype(np.float32)
    for bone, moved in scene.moving():
        places[:, bone] = moved * scale
    translations, rotations = motion.CreateTranslationsAttr(), motion.CreateRotationsAttr()
    motion.CreateScalesAttr(Vt.Vec3hArray.FromNumpy(np.ones((len(joints), 3), dtype=np.float16)))
    quaternions = quaternion_from_matrix(scene.rotations).astype(np.float32)[..., [1, 2, 3, 0]]
    for frame in range(scene.frames):
        translations.Set(Vt.Vec3fArray.FromNumpy(places[frame]), frame)
        rotations.Set(Vt.QuatfArray.FromNumpy(quaternions[frame]), frame)
        if frame % _TOLD_EVERY == 0:
            report_progress(reporter, frame / scene.frames)
    stage.SetMetadata(Sdf.Layer.CommentKey, f"frame rate {scene.rate}")
    if not stage.GetRootLayer().Save():
        raise OutputError(f"cannot write {path}: USD refuses to save")
    report_progress(reporter, 1.0)


def _define_mesh(stage: Any, skeleton: Any, scene: Scene, scale: float) -> None:
    from pxr import Gf, UsdGeom, UsdSkel, Vt

    vertices, faces = scene.vertices, scene.body.faces
    mesh = UsdGeom.Mesh.Define(stage, f"{_root(scene)}/body")
    points = Vt.Vec3fArray.FromNumpy((vertices * scale).astype(np.float32))
    mesh.CreatePointsAttr(points)
    mesh.CreateExtentAttr(UsdGeom.PointBased.ComputeExtent(points))
    mesh.CreateFaceVertexCountsAttr(Vt.IntArray([3] * len(faces)))
    mesh.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(faces.astype(np.int32).ravel()))
    normals = vertex_normals(vertices, faces).astype(np.float32)
    mesh.CreateNormalsAttr(Vt.Vec3fArray.FromNumpy(normals))
    mesh.SetNormalsInterpolation(UsdGeom.Tokens.vertex)
    mesh.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    bone, weight = influences(scene)
    binding = UsdSkel.BindingAPI.Apply(mesh.GetPrim())
    binding.CreateSkeletonRel().SetTargets([skeleton])
    binding.CreateGeomBindTransformAttr(Gf.Matrix4d(1.0))
    count = bone.shape[1]
    indices = Vt.IntArray.FromNumpy(bone.astype(np.int32).ravel())
    binding.CreateJointIndicesPrimvar(False, count).Set(indices)
    weights = Vt.FloatArray.FromNumpy(weight.astype(np.float32).ravel())
    binding.CreateJointWeightsPrimvar(False, count).Set(weights)


def read_back(path: Path, scene: Scene, scale: float) -> ReadBack:
    """As `per_person.ReadScene`, by UsdSkel's own queries; every frame is placed."""
    from pxr import Tf, Usd, UsdGeom, UsdSkel

    try:
        stage = Usd.Stage.Open(str(path))
        metres = UsdGeom.GetStageMetersPerUnit(stage)
        place = _root(scene)
        prim = stage.GetPrimAtPath(f"{place}/skeleton")
        cache = UsdSkel.Cache()
        cache.Populate(UsdSkel.Root(stage.GetPrimAtPath(place)), Usd.TraverseInstanceProxies())
        query = cache.GetSkelQuery(UsdSkel.Skeleton(prim))
        order = [str(joint) for joint in query.GetJointOrder()]
        times = query.GetAnimQuery().GetJointTransformTimeSamples()
        places = np.empty((len(times), len(order), 3))
        for row, time in enumerate(times):
            matrices = np.array(query.ComputeJointSkelTransforms(Usd.TimeCode(time)))
            places[row] = matrices[:, 3, :3]
    except (Tf.ErrorException, ValueError, IndexError, TypeError, RuntimeError) as error:
        raise OutputError(f"{path} cannot be read again: {error}") from error
    known = dict(zip(_joint_paths(scene), scene.bones.names, strict=True))
    names = tuple(known.get(joint, joint) for joint in order)
    codes = float(times[-1] - times[0])
    rate = stage.GetTimeCodesPerSecond()
    if codes:  # a frame is one time code, or the motion would run at another rate
        rate *= (len(times) - 1) / codes
    return ReadBack(rate, len(times), np.arange(len(times)), names, places * metres)


def _root(scene: Scene) -> str:
    """Path of the prim that holds a person."""
    from pxr import Tf

    apart = unicodedata.normalize("NFKD", scene.name)
    plain = "".join(letter for letter in apart if not unicodedata.combining(letter))
    word = str(Tf.MakeValidIdentifier(plain)).strip("_")
    # where nothing is left, as of a name in other letters, the display name alone tells it
    return f"/{word if word[:1].isalpha() else _NOBODY}"


def _joint_paths(scene: Scene) -> list[str]:
    """Joints as UsdSkel names them: by the way from the root, of words that are identifiers."""
    from pxr import Tf

    paths: list[str] = []
    for name, parent in zip(scene.bones.names, scene.bones.parents, strict=True):
        word = str(Tf.MakeValidIdentifier(name))
        path = f"{paths[parent]}/{word}" if parent >= 0 else word
        while path in paths:
            path += "_"
        paths.append(path)
    return paths


def _matrices(turns: Array, places: Array) -> Any:
    """Rotations (B, 3, 3) and places as USD's matrices, which act on rows."""
    from pxr import Vt

    matrices = np.tile(np.eye(4), (len(turns), 1, 1))
    matrices[:, :3, :3] = np.swapaxes(turns, 1, 2)
    matrices[:, 3, :3] = places
    return Vt.Matrix4dArray.FromNumpy(matrices)


export_usd = PerPersonWriter(suffix=".usd", unit="m", write=write_scene, read=read_back)
