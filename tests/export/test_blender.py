"""Tests of the exports in Blender, imported with default settings (marker `interop`).

Blender's module runs in a separate Python, because it needs an older NumPy: PYMAF_LIVE_BPY_PYTHON
names it; by default it is this one, if `bpy` is installed.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from pymaf_live.body import Body, PointSet, default_body
from pymaf_live.body.rotations import matrix_from_axis_angle
from pymaf_live.export.formats import FORMATS
from pymaf_live.export.options import ExportOptions
from pymaf_live.export.rigs import PRESETS
from pymaf_live.takes.take import Take
from tests.export.judges import TOLERANCE, unavailable
from tests.helpers.take import make_take, moving_limbs, walking_past

pytestmark = pytest.mark.interop

WALK = Path(__file__).parent / "blender_walk.py"
BLENDER_FROM_CAMERA = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
"""Rotation from the camera frame to Blender's world: z up, the person's front to -y."""
NTSC = Fraction(30000, 1001)
FRAMES = 15
SKINNED_FRAMES = (0, 7, 14)
# file, format, options, rate of the take, rate of Blender's scene after the import
CASES = {
    "smpl.glb": (ExportOptions(world="camera"), Fraction(30), 24),
    "bones.glb": (ExportOptions(world="camera", mesh=False), Fraction(30), 24),
    "ntsc.glb": (ExportOptions(world="camera", rig="mixamo"), NTSC, 24),
    "smpl.fbx": (ExportOptions(world="camera"), Fraction(30), 30),
    "cinema.fbx": (ExportOptions(world="camera", rig="mixamo", unit="m"), Fraction(24), 24),
    "half.fbx": (ExportOptions(world="camera", rig="vrm"), Fraction(25, 2), 12.5),
    "ntsc.fbx": (ExportOptions(world="camera", rig="unity"), NTSC, float(NTSC)),
    "unreal.fbx": (ExportOptions(world="camera", rig="unreal"), Fraction(60), 60),
    "smpl.usd": (ExportOptions(world="camera"), Fraction(30), 24),
    "ntsc.usd": (ExportOptions(world="camera", rig="mixamo", unit="cm"), NTSC, 24),
    "unreal.usd": (ExportOptions(world="camera", rig="unreal"), Fraction(60), 24),
    "bones.usd": (ExportOptions(world="camera", rig="vrm", mesh=False), Fraction(30), 24),
    "smpl.bvh": (ExportOptions(world="camera", unit="m"), NTSC, 24),
    "unreal.bvh": (ExportOptions(world="camera", unit="m", rig="unreal"), Fraction(24), 24),
}
WITH_MESH = [name for name in CASES if name[-3:] != "bvh" and CASES[name][0].mesh]


@dataclass
class Seen:
    heads: np.ndarray
    vertices: np.ndarray
    rate: float
    first: float
    last: float
    names: list[str]
    take: Take


def blender_python() -> str:
    given = os.environ.get("PYMAF_LIVE_BPY_PYTHON", "")
    if given:
        return given
    if importlib.util.find_spec("bpy") is None:
        unavailable(
            "Blender's module bpy is not installed (PYMAF_LIVE_BPY_PYTHON names its Python)"
        )
    return sys.executable


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


@pytest.fixture(scope="module")
def seen(body: Body, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seen]:
    python = blender_python()
    folder = tmp_path_factory.mktemp("blender")
    takes, job = {}, []
    for name, (options, rate, _) in CASES.items():
        times = np.arange(FRAMES) / float(rate)
        turns = {1: moving_limbs(body, times, 0.9)}
        take = make_take(body, times, turns, {1: walking_past(times)}, rate=rate)
        FORMATS[Path(name).suffix[1:]](take, body, folder / name, options)
        takes[name] = take
        job.append([str(folder / name), FRAMES, SKINNED_FRAMES])
    (folder / "job.json").write_text(json.dumps(job))
    command = [python, str(WALK), str(folder / "job.json"), str(folder / "seen.npz")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    found = np.load(folder / "seen.npz")
    return {
        name: Seen(
            found[f"{index}_heads"],
            found[f"{index}_vertices"],
            float(found[f"{index}_rate"]),
            float(found[f"{index}_first"]),
            float(found[f"{index}_last"]),
            found[f"{index}_names"].tolist(),
            takes[name],
        )
        for index, name in enumerate(CASES)
    }


@pytest.mark.parametrize("name", CASES)
def test_blender_places_every_joint_correctly(body: Body, seen: dict[str, Seen], name: str) -> None:
    found = seen[name]
    wanted = found.take.joints @ BLENDER_FROM_CAMERA.T
    table = PRESETS[CASES[name][0].rig].names
    names = [table.get(joint, joint) for joint in body.joint_names]
    if name.endswith(".usd"):  # identifiers
        names = [each.replace(":", "_") for each in names]
    columns = [found.names.index(each) for each in names]
    heads = found.heads[:, columns]
    assert np.linalg.norm(heads - wanted, axis=-1).max() < TOLERANCE


@pytest.mark.parametrize("name", WITH_MESH)
def test_blender_skins_the_mesh_like_the_body(body: Body, seen: dict[str, Seen], name: str) -> None:
    found = seen[name]
    rows = list(SKINNED_FRAMES)
    rotations = matrix_from_axis_angle(found.take.pose[rows])
    posed = PointSet.vertices(body).pose(
        rotations, found.take.shape[rows], found.take.translation[rows]
    )
    distance = np.linalg.norm(found.vertices - posed @ BLENDER_FROM_CAMERA.T, axis=-1)
    if name.startswith("unreal"):
        # bound in the A-pose: only blended skin at the shoulders deviates a little
        assert np.median(distance) < 1e-4
        assert distance.max() < 0.04
    else:
        assert distance.max() < 0.003


@pytest.mark.parametrize("name", CASES)
def test_blender_scene_has_the_rate_that_the_importer_supports(
    seen: dict[str, Seen], name: str
) -> None:
    assert seen[name].rate == pytest.approx(CASES[name][2], rel=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_motion_keeps_its_duration_in_blender(seen: dict[str, Seen], name: str) -> None:
    found, rate = seen[name], float(CASES[name][1])
    frames = found.last - found.first
    if name.endswith((".bvh", ".usd")):  # one frame each, at the scene's rate
        assert frames == FRAMES - 1
    elif name.endswith(".fbx"):  # the importer counts with the rate's nearest whole number
        assert frames == pytest.approx((FRAMES - 1) / rate * round(rate), rel=1e-5)
    else:
        assert frames / found.rate == pytest.approx((FRAMES - 1) / rate, rel=1e-5)
