"""Tests of the exports in assimp (marker `interop`)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pymaf_live.body import Body, default_body
from pymaf_live.export.formats import FORMATS
from pymaf_live.export.options import RIGS, ExportOptions, Rig
from tests.export.judges import (
    FRAMES,
    RATES,
    TOLERANCE,
    assimp_positions,
    assimp_scene,
    joint_names,
    judged_take,
    largest_distance,
    require_stated,
)

pytestmark = pytest.mark.interop

METRES = {"a.fbx": 0.01, "bones.fbx": 0.01, "a.glb": 1.0, "bones.glb": 1.0, "a.bvh": 0.01}


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


@pytest.mark.parametrize("name", METRES)
@pytest.mark.parametrize("rig", RIGS)
def test_assimp_plays_every_frame(body: Body, tmp_path: Path, rig: Rig, name: str) -> None:
    take, suffix = judged_take(body, RATES[rig]), name[-3:]
    options = ExportOptions(rig=rig, world="camera", mesh="bones" not in name)
    (path,) = FORMATS[suffix](take, body, tmp_path / name, options)
    scene = assimp_scene(path)
    (animation,) = scene["animations"]
    wanted = joint_names(body, rig)
    rotated = {each["name"] for each in animation["channels"] if len(each["rotationkeys"]) > 1}
    assert rotated == {*wanted, *(["root"] if rig == "unreal" else [])}
    seconds = animation["duration"] / animation["tickspersecond"]
    assert seconds == pytest.approx((FRAMES - 1) / float(RATES[rig]), rel=1e-5)
    found = assimp_positions(scene)
    stacked = np.stack(list(found.values()), axis=1)
    distance = largest_distance(take, wanted, list(found), stacked, METRES[name])
    assert distance < TOLERANCE
    if "bones" not in name:
        require_stated("assimp 5.2", suffix, rig, distance)
