"""Tests of the exports in assimp (marker `interop`)."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pymaf_live.body import Body, default_body
from pymaf_live.body.rotations import matrix_from_quaternion
from pymaf_live.export.formats import FORMATS
from pymaf_live.export.options import RIGS, ExportOptions, Rig
from tests.export.judges import (
    FRAMES,
    RATES,
    TOLERANCE,
    joint_names,
    judged_take,
    largest_distance,
    program,
    require_stated,
)

pytestmark = pytest.mark.interop

METRES = {"a.fbx": 0.01, "bones.fbx": 0.01, "a.glb": 1.0, "bones.glb": 1.0, "a.bvh": 0.01}


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


def loaded(path: Path) -> dict[str, Any]:
    """Return a file as assimp's default import settings load it."""
    out = path.with_suffix(".json")
    command = [program("assimp"), "export", str(path), str(out), "-fassjson"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
    content: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return content


def positions(scene: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return the position (N, 3) of every node at each key of the first animation."""
    channels = {channel["name"]: channel for channel in scene["animations"][0]["channels"]}
    found: dict[str, np.ndarray] = {}

    def visit(node: dict[str, Any], parent: np.ndarray) -> None:
        local = np.tile(np.reshape(node["transformation"], (4, 4)), (FRAMES, 1, 1))
        channel = channels.get(node["name"])
        if channel is not None:  # replaces the node's own transform
            local = np.tile(np.eye(4), (FRAMES, 1, 1))
            rotations = np.array([key[1] for key in channel["rotationkeys"]])
            local[:, :3, :3] = matrix_from_quaternion(rotations)
            local[:, :3, 3] = [key[1] for key in channel["positionkeys"]]
        world = parent @ local
        found[node["name"]] = world[:, :3, 3]
        for child in node.get("children", []):
            visit(child, world)

    visit(scene["rootnode"], np.tile(np.eye(4), (FRAMES, 1, 1)))
    return found


@pytest.mark.parametrize("name", METRES)
@pytest.mark.parametrize("rig", RIGS)
def test_assimp_plays_every_frame(body: Body, tmp_path: Path, rig: Rig, name: str) -> None:
    take, suffix = judged_take(body, RATES[rig]), name[-3:]
    options = ExportOptions(rig=rig, world="camera", mesh="bones" not in name)
    (path,) = FORMATS[suffix](take, body, tmp_path / name, options)
    scene = loaded(path)
    (animation,) = scene["animations"]
    wanted = joint_names(body, rig)
    rotated = {each["name"] for each in animation["channels"] if len(each["rotationkeys"]) > 1}
    assert rotated == {*wanted, *(["root"] if rig == "unreal" else [])}
    seconds = animation["duration"] / animation["tickspersecond"]
    assert seconds == pytest.approx((FRAMES - 1) / float(RATES[rig]), rel=1e-5)
    found = positions(scene)
    stacked = np.stack(list(found.values()), axis=1)
    distance = largest_distance(take, wanted, list(found), stacked, METRES[name])
    assert distance < TOLERANCE
    if "bones" not in name:
        require_stated("assimp 5.2", suffix, rig, distance)
