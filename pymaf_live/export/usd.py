"""USD export (UsdSkel): skeletons, skinned meshes, animation.

The suffix selects the encoding: .usd is a binary crate, .usda text, .usdz a package with a crate.

Requires the extra `usd` (usd-core). y up; metersPerUnit and timeCodesPerSecond are set, and a frame
is one time code. The root prim is named after the person, as far as an identifier allows it, and
has the name itself as display name. Several people are prims below one called `people`.
"""

from __future__ import annotations

import errno
import os
import tempfile
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pymaf_live.body.normals import vertex_normals
from pymaf_live.body.rotations import quaternion_from_matrix
from pymaf_live.errors import OutputError
from pymaf_live.export.options import ExportOptions
from pymaf_live.export.per_person import PerPersonWriter
from pymaf_live.export.readback_check import ReadBack
from pymaf_live.export.rigs import unique_names
from pymaf_live.export.scene import Scene
from pymaf_live.export.skin import influences
from pymaf_live.export.view_camera import FAR, NAME, NEAR, view_camera
from pymaf_live.system.reporter import Reporter, StepReporter, report_progress
from pymaf_live.types import Array

MISSING = "USD requires the extra 'usd': pip install 'pymaf-live[usd]'"
"""Message for installations without usd-core."""
_DEFAULT_NAME = "person"
_GROUP = "people"
"""Prim above several people."""
_WRITE_ERRORS = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.EIO,
)
_REPORT_INTERVAL = 500
"""Frames between progress reports."""


def write_scenes(
    path: Path, scenes: Sequence[Scene], scale: float, reporter: Reporter, options: ExportOptions
) -> None:
    """Write people into one file; implements `per_person.WriteScenes`.

    Parameters
    ----------
    path : Path
    scenes : sequence of Scene
    scale : float
        File units per metre: 1 or 100.
    reporter : Reporter
    options : ExportOptions
        Uses `mesh` and `camera`.

    Raises
    ------
    OutputError
        If usd-core is not installed or refuses to save.
    OSError
        If the operating system refuses to write.
    Interrupted
        If the reporter is cancelled.
    """
    try:
        from pxr import Tf
    except ImportError as error:
        raise OutputError(f"cannot write USD: {MISSING}") from error
    try:
        _write(path, scenes, scale, reporter, options)
    except Tf.ErrorException as error:
        raise _system_error(str(error)) from error


def _write_package(
    path: Path, scenes: Sequence[Scene], scale: float, reporter: Reporter, options: ExportOptions
) -> None:
    """Write people as .usdz; implements `per_person.WriteScenes`."""
    with tempfile.TemporaryDirectory() as folder:
        layer = Path(folder) / "motion.usdc"
        write_scenes(layer, scenes, scale, reporter, options)
        from pxr import Tf, UsdUtils

        try:
            if not UsdUtils.CreateNewUsdzPackage(str(layer), str(path)):
                raise OutputError(f"cannot write {path}: USD refuses to pack")
        except Tf.ErrorException as error:
            raise _system_error(str(error)) from error


def _system_error(message: str) -> Exception:
    """Return the error of the operating system that an error of USD reports."""
    for code in _WRITE_ERRORS:
        if os.strerror(code) in message:
            return OSError(code, os.strerror(code))
    return OutputError(f"cannot write USD: {message.splitlines()[0].strip()}")


def _write(
    path: Path, scenes: Sequence[Scene], scale: float, reporter: Reporter, options: ExportOptions
) -> None:
    from pxr import Sdf, Usd, UsdGeom

    rate, frames = scenes[0].rate, scenes[0].frames
    stage = Usd.Stage.CreateNew(str(path))
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0 / scale)
    stage.SetTimeCodesPerSecond(float(rate))
    stage.SetFramesPerSecond(float(rate))
    stage.SetStartTimeCode(0)
    stage.SetEndTimeCode(frames - 1)
    roots = _root_paths(scenes)
    top = f"/{_GROUP}" if len(scenes) > 1 else roots[0]
    if len(scenes) > 1:
        UsdGeom.Xform.Define(stage, top)
    for index, (scene, root) in enumerate(zip(scenes, roots, strict=True)):
        step = StepReporter(reporter, index / len(scenes), (index + 1) / len(scenes))
        _define_person(stage, root, scene, scale, step, mesh=options.mesh)
    stage.SetDefaultPrim(stage.GetPrimAtPath(top))
    if options.camera:
        _define_camera(stage, f"{top}/{NAME}", scenes[0], scale)
    stage.SetMetadata(Sdf.Layer.CommentKey, f"frame rate {rate}")
    if not stage.GetRootLayer().Save():
        raise OutputError(f"cannot write {path}: USD refuses to save")
    report_progress(reporter, 1.0)


def _define_person(
    stage: Any, path: str, scene: Scene, scale: float, reporter: Reporter, *, mesh: bool
) -> None:
    from pxr import UsdSkel, Vt

    root = UsdSkel.Root.Define(stage, path)
    if scene.name:
        root.GetPrim().SetDisplayName(scene.name)
    bones = scene.bones
    skeleton = UsdSkel.Skeleton.Define(stage, _child_path(path, scene, "skeleton"))
    joints = Vt.TokenArray(_joint_paths(scene))
    skeleton.CreateJointsAttr(joints)
    skeleton.CreateBindTransformsAttr(_matrices(bones.rest_rotation, bones.rest_position * scale))
    skeleton.CreateRestTransformsAttr(_matrices(bones.rest_local_rotation, bones.offsets * scale))
    motion = UsdSkel.Animation.Define(stage, _child_path(path, scene, "motion"))
    motion.CreateJointsAttr(joints)
    binding = UsdSkel.BindingAPI.Apply(skeleton.GetPrim())
    binding.CreateAnimationSourceRel().SetTargets([motion.GetPath()])
    if mesh:
        _define_mesh(stage, _child_path(path, scene, "body"), skeleton.GetPath(), scene, scale)
    _set_motion(motion, scene, scale, reporter)


def _set_motion(motion: Any, scene: Scene, scale: float, reporter: Reporter) -> None:
    from pxr import Vt

    positions = np.tile(scene.bones.offsets * scale, (scene.frames, 1, 1)).astype(np.float32)
    for bone, moved in scene.moving():
        positions[:, bone] = moved * scale
    translations, rotations = motion.CreateTranslationsAttr(), motion.CreateRotationsAttr()
    scales = np.ones((len(scene.bones.names), 3), dtype=np.float16)
    motion.CreateScalesAttr(Vt.Vec3hArray.FromNumpy(scales))
    quaternions = quaternion_from_matrix(scene.rotations).astype(np.float32)[..., [1, 2, 3, 0]]
    for frame in range(scene.frames):
        translations.Set(Vt.Vec3fArray.FromNumpy(positions[frame]), frame)
        rotations.Set(Vt.QuatfArray.FromNumpy(quaternions[frame]), frame)
        if frame % _REPORT_INTERVAL == 0:
            report_progress(reporter, frame / scene.frames)


def _define_mesh(stage: Any, path: str, skeleton: Any, scene: Scene, scale: float) -> None:
    from pxr import Gf, UsdGeom, UsdSkel, Vt

    vertices, faces = scene.vertices, scene.body.faces
    mesh = UsdGeom.Mesh.Define(stage, path)
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


def _define_camera(stage: Any, path: str, scene: Scene, scale: float) -> None:
    from pxr import Gf, UsdGeom

    view = view_camera(scene)
    camera = UsdGeom.Camera.Define(stage, path)
    matrix = _matrices(view.axes[None], view.position[None] * scale)[0]
    camera.MakeMatrixXform().Set(matrix)
    width, height = view.sensor_mm
    camera.CreateHorizontalApertureAttr(width)
    camera.CreateVerticalApertureAttr(height)
    camera.CreateFocalLengthAttr(view.focal_length_mm)
    camera.CreateClippingRangeAttr(Gf.Vec2f(NEAR * scale, FAR * scale))


def read_back(path: Path, scene: Scene, scale: float) -> ReadBack:
    """Read all frames of a file back with UsdSkel's queries; implements `per_person.ReadScene`."""
    from pxr import Tf, Usd, UsdGeom, UsdSkel

    try:
        stage = Usd.Stage.Open(str(path))
        metres = UsdGeom.GetStageMetersPerUnit(stage)
        root = UsdSkel.Root(_person_prim(stage, scene.name))
        path_of_root = str(root.GetPath())
        prim = stage.GetPrimAtPath(_child_path(path_of_root, scene, "skeleton"))
        cache = UsdSkel.Cache()
        cache.Populate(root, Usd.TraverseInstanceProxies())
        query = cache.GetSkelQuery(UsdSkel.Skeleton(prim))
        order = [str(joint) for joint in query.GetJointOrder()]
        times = query.GetAnimQuery().GetJointTransformTimeSamples()
        positions = np.empty((len(times), len(order), 3))
        for row, time in enumerate(times):
            matrices = np.array(query.ComputeJointSkelTransforms(Usd.TimeCode(time)))
            positions[row] = matrices[:, 3, :3]
    except (
        Tf.ErrorException,
        ValueError,
        IndexError,
        TypeError,
        RuntimeError,
        StopIteration,
    ) as error:
        raise OutputError(f"{path} cannot be read back: {error}") from error
    known = dict(zip(_joint_paths(scene), scene.bones.names, strict=True))
    names = tuple(known.get(joint, joint) for joint in order)
    codes = float(times[-1] - times[0])
    rate = stage.GetTimeCodesPerSecond()
    if codes:  # differs from the stated rate if a frame is not one time code
        rate *= (len(times) - 1) / codes
    return ReadBack(rate, len(times), np.arange(len(times)), names, positions * metres)


def _person_prim(stage: Any, name: str) -> Any:
    """Return the root prim of the person with a display name; without one, the only person's."""
    from pxr import UsdSkel

    roots = [prim for prim in stage.Traverse() if prim.IsA(UsdSkel.Root)]
    return next(prim for prim in roots if not name or prim.GetDisplayName() == name)


def _root_paths(scenes: Sequence[Scene]) -> list[str]:
    """Return the path of each person's root prim."""
    from pxr import Tf

    words = []
    for scene in scenes:
        decomposed = unicodedata.normalize("NFKD", scene.name)
        plain = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
        word = str(Tf.MakeValidIdentifier(plain)).strip("_")
        # a name without Latin letters is only in the display name
        words.append(word if word[:1].isalpha() else _DEFAULT_NAME)
    above = f"/{_GROUP}" if len(scenes) > 1 else ""
    return [f"{above}/{word}" for word in unique_names(tuple(words))]


def _child_path(root: str, scene: Scene, kind: str) -> str:
    """Return the path of a prim below a root: kind is 'skeleton', 'motion' or 'body'.

    Blender names objects after these prims, so they have the person's name as well.
    """
    return f"{root}/{root.rpartition('/')[2]}_{kind}" if scene.name else f"{root}/{kind}"


def _joint_paths(scene: Scene) -> list[str]:
    """Return the joints' names in UsdSkel: paths of identifiers from the root."""
    from pxr import Tf

    paths: list[str] = []
    for name, parent in zip(scene.bones.names, scene.bones.parents, strict=True):
        word = str(Tf.MakeValidIdentifier(name))
        path = f"{paths[parent]}/{word}" if parent >= 0 else word
        while path in paths:
            path += "_"
        paths.append(path)
    return paths


def _matrices(rotations: Array, positions: Array) -> Any:
    """Return USD matrices, which multiply row vectors, of rotations (B, 3, 3) and positions."""
    from pxr import Vt

    matrices = np.tile(np.eye(4), (len(rotations), 1, 1))
    matrices[:, :3, :3] = np.swapaxes(rotations, 1, 2)
    matrices[:, 3, :3] = positions
    return Vt.Matrix4dArray.FromNumpy(matrices)


def _rate_note(scene: Scene) -> str:
    rate = f"{float(scene.rate):.5g}"
    return f"Blender plays USD at its scene's frame rate, whatever the file's: set it to {rate}"


export_usd = PerPersonWriter(
    suffix=".usd",
    unit="m",
    write=write_scenes,
    read=read_back,
    note=_rate_note,
    distinct_bones=False,
)
export_usda = replace(export_usd, suffix=".usda")
export_usdz = replace(export_usd, suffix=".usdz", write=_write_package)
