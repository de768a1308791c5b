"""Tests of the exported camera: joints projected through it land where the take has them."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pymaf_live.body import Body, default_body, project
from pymaf_live.errors import UsageError
from pymaf_live.export.formats import FORMATS
from pymaf_live.export.options import ExportOptions, World
from pymaf_live.takes.take import Take
from tests.export.judges import (
    frame_times,
    judged_take,
    node_modules,
    npm_package,
    program,
    unavailable,
)

MAX_PIXELS = 0.5
SIZES = [(1280, 720), (720, 1280)]
WORLDS: list[World] = ["ground", "camera"]
_PLAYER = Path(__file__).parent / "camera_player.mjs"
_TIMEOUT = 180

_BLENDER = """
import json, sys
import bpy
from bpy_extras.object_utils import world_to_camera_view
found = []
for path, size in json.loads(sys.argv[-1]):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.fps = 30
    scene.render.resolution_x, scene.render.resolution_y = size
    if path.endswith("fbx"):
        bpy.ops.import_scene.fbx(filepath=path)
    elif path.endswith("glb"):
        bpy.ops.import_scene.gltf(filepath=path)
    else:
        bpy.ops.wm.usd_import(filepath=path)
    (camera,) = [each for each in bpy.data.objects if each.type == "CAMERA"]
    if path.endswith("fbx") and size[0] < size[1]:  # docs/exports.md tells users to do so
        camera.data.sensor_fit = "VERTICAL"
    (armature,) = [each for each in bpy.data.objects if each.type == "ARMATURE"]
    start, end = armature.animation_data.action.frame_range
    scene.frame_set(round(start))
    bpy.context.view_layer.update()
    places = {}
    for bone in armature.pose.bones:
        place = world_to_camera_view(scene, camera, armature.matrix_world @ bone.head)
        places[bone.name] = [place.x, place.y]
    found.append(places)
print("FOUND" + json.dumps(found))
"""


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


def seen_by(take: Take, size: tuple[int, int]) -> Take:
    """Return the take as a camera with images of another size and a longer lens sees it."""
    centre = (np.array(size) - 1) / 2
    moved = replace(take, frame_size=size, focal_length=1700.0, principal_point=centre)
    return replace(moved, joints_2d=project(np.asarray(moved.joints), moved.camera))


def from_ndc(places: Any, size: tuple[int, int]) -> np.ndarray:
    """Return pixels, whose centres are at integers, of device coordinates (..., 2)."""
    unit = (np.asarray(places) * [1, -1] + 1) / 2
    return np.asarray(unit * size - 0.5)


@pytest.fixture(scope="module")
def cases(body: Body, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, Take]]:
    folder = tmp_path_factory.mktemp("camera")
    found = []
    for size in SIZES:
        take = seen_by(judged_take(body, Fraction(30)), size)
        for world in WORLDS:
            options = ExportOptions(world=world, camera=True, mesh=False)
            for name in ("glb", "fbx", "usd"):
                target = folder / f"{size[0]}_{world}.{name}"
                (path,) = FORMATS[name](take, body, target, options)
                found.append((path, take))
    return found


def test_usd_projects_joints_where_they_are_in_the_image(
    body: Body, cases: list[tuple[Path, Take]]
) -> None:
    usd = pytest.importorskip("pxr.Usd")
    from pxr import UsdGeom, UsdSkel

    for path, take in cases:
        if path.suffix != ".usd":
            continue
        stage = usd.Stage.Open(str(path))
        (prim,) = [each for each in stage.Traverse() if each.IsA(UsdGeom.Camera)]
        frustum = UsdGeom.Camera(prim).GetCamera(usd.TimeCode(0)).frustum
        cache = UsdSkel.Cache()
        root = UsdSkel.Root(stage.GetDefaultPrim())
        cache.Populate(root, usd.TraverseInstanceProxies())
        skeleton = next(each for each in stage.Traverse() if each.IsA(UsdSkel.Skeleton))
        query = cache.GetSkelQuery(UsdSkel.Skeleton(skeleton))
        matrix = np.array(frustum.ComputeViewMatrix() * frustum.ComputeProjectionMatrix())
        for frame in range(len(take.frame)):
            joints = np.array(query.ComputeJointSkelTransforms(usd.TimeCode(frame)))[:, 3, :3]
            clip = np.c_[joints, np.ones(len(joints))] @ matrix
            pixels = from_ndc(clip[:, :2] / clip[:, 3:], take.frame_size)
            assert np.abs(pixels - take.joints_2d[frame]).max() < MAX_PIXELS


@pytest.mark.interop
def test_three_projects_joints_where_they_are_in_the_image(
    body: Body, cases: list[tuple[Path, Take]], tmp_path: Path
) -> None:
    npm_package("three")
    chosen = [(path, take) for path, take in cases if path.suffix != ".usd"]
    job = tmp_path / "job.json"
    job.write_text(json.dumps([(str(p), frame_times(take.frame_rate)) for p, take in chosen]))
    command = [program("node"), _PLAYER, node_modules(), job]
    done = subprocess.run(command, capture_output=True, timeout=_TIMEOUT, check=False)
    assert done.returncode == 0, done.stderr.decode()
    for (path, take), found in zip(chosen, json.loads(done.stdout), strict=True):
        assert found["cameras"] == 1, path.name
        columns = [found["bones"].index(name) for name in body.joint_names]
        pixels = from_ndc(found["places"], take.frame_size)[:, columns]
        distance = np.abs(pixels - take.joints_2d).max()
        assert distance < MAX_PIXELS, f"{path.name}: {distance:.3f} px"


@pytest.mark.interop
def test_blender_projects_joints_where_they_are_in_the_image(
    body: Body, cases: list[tuple[Path, Take]]
) -> None:
    python = os.environ.get("PYMAF_LIVE_BPY_PYTHON") or unavailable("Blender is not installed")
    job = json.dumps([(str(path), take.frame_size) for path, take in cases])
    command = [python, "-c", _BLENDER, job]
    done = subprocess.run(command, capture_output=True, timeout=_TIMEOUT, check=False, text=True)
    assert done.returncode == 0, done.stderr
    output = next(line for line in done.stdout.splitlines() if line.startswith("FOUND"))
    for (path, take), found in zip(cases, json.loads(output[len("FOUND") :]), strict=True):
        unit = np.array([found[name] for name in body.joint_names])
        pixels = from_ndc(2 * unit - 1, take.frame_size)
        distance = np.abs(pixels - take.joints_2d[0]).max()
        assert distance < MAX_PIXELS, f"{path.name}: {distance:.3f} px"


def test_there_is_no_camera_unless_asked_for_and_none_in_place(body: Body, tmp_path: Path) -> None:
    (path,) = FORMATS["glb"](judged_take(body, Fraction(30)), body, tmp_path / "a.glb")
    assert b'"cameras"' not in path.read_bytes()
    with pytest.raises(UsageError, match="in place"):
        ExportOptions(camera=True, in_place=True)
