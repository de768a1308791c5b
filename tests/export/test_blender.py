"""Tests of the exports in Blender, imported with default settings (marker `interop`).

Blender's module runs in a separate Python, because it needs an older NumPy: PYMAF_LIVE_BPY_PYTHON
names it; by default it is this one, if `bpy` is installed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from pymaf_live.body import Body, PointSet, default_body
from pymaf_live.body.rotations import matrix_from_axis_angle
from pymaf_live.export.formats import FORMATS
from pymaf_live.export.options import RIGS, ExportOptions
from pymaf_live.takes.take import Take
from tests.export.judges import (
    FRAMES,
    RATES,
    TOLERANCE,
    Y_UP_FROM_BLENDER,
    joint_names,
    judged_take,
    largest_distance,
    require_stated,
    walk_in_blender,
)

pytestmark = pytest.mark.interop

BLENDER_FROM_CAMERA = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
"""Rotation from the camera frame to Blender's world: z up, the person's front to -y."""
SKINNED_FRAMES = (0, 7, 13)
RIGS_WITH_MESH = ("smpl", "mixamo", "unreal")
CASES = {
    f"{rig}.{suffix}": ExportOptions(
        world="camera",
        rig=rig,
        unit="m" if suffix == "bvh" else None,  # its importer's default scale is 1
        mesh=rig in RIGS_WITH_MESH,
    )
    for rig in RIGS
    for suffix in ("fbx", "glb", "usd", "bvh")
}
CASES["metres.fbx"] = ExportOptions(world="camera", unit="m")
CASES["centimetres.usd"] = ExportOptions(world="camera", unit="cm")
CASES["text.usda"] = ExportOptions(world="camera", mesh=False)
CASES["package.usdz"] = ExportOptions(world="camera")
WITH_MESH = [name for name in CASES if not name.endswith(".bvh") and CASES[name].mesh]


@dataclass
class Seen:
    heads: np.ndarray
    vertices: np.ndarray
    rate: float
    first: float
    last: float
    names: list[str]
    take: Take


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


@pytest.fixture(scope="module")
def seen(body: Body, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seen]:
    folder = tmp_path_factory.mktemp("blender")
    takes, job = {}, []
    for name, options in CASES.items():
        take = judged_take(body, RATES[options.rig])
        FORMATS[Path(name).suffix[1:]](take, body, folder / name, options)
        takes[name] = take
        job.append((folder / name, FRAMES, SKINNED_FRAMES))
    return {
        name: Seen(
            each["heads"],
            each["vertices"],
            float(each["rate"]),
            float(each["first"]),
            float(each["last"]),
            each["names"].tolist(),
            takes[name],
        )
        for name, each in zip(CASES, walk_in_blender(folder, job), strict=True)
    }


@pytest.mark.parametrize("name", CASES)
def test_blender_places_every_joint_correctly(body: Body, seen: dict[str, Seen], name: str) -> None:
    found = seen[name]
    rig, suffix = CASES[name].rig, Path(name).suffix[1:]
    names = joint_names(body, rig)
    if suffix.startswith("usd"):  # identifiers
        names = [each.replace(":", "_") for each in names]
    heads = found.heads @ Y_UP_FROM_BLENDER.T
    distance = largest_distance(found.take, names, found.names, heads)
    assert distance < TOLERANCE
    if name == f"{rig}.{suffix}":
        require_stated("Blender 4.5", suffix, rig, distance)


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
    rate = float(RATES[CASES[name].rig]) if name.endswith(".fbx") else 24
    assert seen[name].rate == pytest.approx(rate, rel=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_motion_keeps_its_duration_in_blender(seen: dict[str, Seen], name: str) -> None:
    found, rate = seen[name], RATES[CASES[name].rig]
    frames = found.last - found.first
    if ".usd" in name or name.endswith(".bvh"):  # one frame each, at the scene's rate
        assert frames == FRAMES - 1
    elif name.endswith(".fbx"):  # the importer counts with the rate's nearest whole number
        assert frames == pytest.approx((FRAMES - 1) / rate * round(rate), rel=1e-5)
    else:
        assert frames / found.rate == pytest.approx((FRAMES - 1) / rate, rel=1e-5)
