"""Tests of VRM animations; @pixiv/three-vrm plays them on an avatar (marker `interop`)."""

from __future__ import annotations

import json
import struct
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pymaf_live.body import Body, default_body
from pymaf_live.export.formats import FORMATS
from pymaf_live.export.options import ExportOptions
from pymaf_live.takes.take import Take
from tests.export.judges import (
    FRAMES,
    TOLERANCE,
    expected_joints,
    frame_times,
    joint_names,
    judged_take,
    node_modules,
    npm_package,
    program,
)

_PLAYER = Path(__file__).parent / "vrma_player.mjs"
_TIMEOUT = 120


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


@pytest.fixture(scope="module")
def take(body: Body) -> Take:
    return judged_take(body, Fraction(30000, 1001))


def document_of(path: Path) -> tuple[dict[str, Any], bytes]:
    """Return the JSON of a glTF binary, and what follows it."""
    content = path.read_bytes()
    (length,) = struct.unpack_from("<I", content, 12)
    return json.loads(content[20 : 20 + length]), content[20 + length :]


def write_avatar(path: Path, glb: Path) -> None:
    """Write our body on VRM's bones as a VRM 1.0 avatar."""
    document, rest = document_of(glb)
    bones = {node["name"]: {"node": index} for index, node in enumerate(document["nodes"])}
    humanoid = {name: bones[name] for name in bones if name[0].islower() and "_" not in name}
    del humanoid["body"], document["animations"]
    meta = {"name": "body", "authors": ["a"], "licenseUrl": "https://vrm.dev/licenses/1.0/"}
    extension = {"specVersion": "1.0", "meta": meta, "humanoid": {"humanBones": humanoid}}
    document |= {"extensionsUsed": ["VRMC_vrm"], "extensions": {"VRMC_vrm": extension}}
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    head = struct.pack("<III", 0x46546C67, 2, 20 + len(text) + len(rest))
    path.write_bytes(head + struct.pack("<II", len(text), 0x4E4F534A) + text + rest)


def test_only_the_humanoid_is_animated_and_only_the_hips_move(
    body: Body, take: Take, tmp_path: Path
) -> None:
    (path,) = FORMATS["vrma"](take, body, tmp_path / "a.vrma")
    document, _ = document_of(path)
    assert document["extensionsUsed"] == ["VRMC_vrm_animation"]
    extension = document["extensions"]["VRMC_vrm_animation"]
    assert extension["specVersion"] == "1.0"
    bones = extension["humanoid"]["humanBones"]
    names = {name: document["nodes"][bone["node"]]["name"] for name, bone in bones.items()}
    assert names == {name: name for name in names}
    required = [
        "hips",
        "spine",
        "head",
        "leftUpperArm",
        "rightLowerArm",
        "leftHand",
        "rightUpperLeg",
        "leftFoot",
    ]
    assert set(required) <= set(names)
    assert "meshes" not in document
    channels = [channel["target"] for channel in document["animations"][0]["channels"]]
    moved = [target["node"] for target in channels if target["path"] == "translation"]
    assert moved == [bones["hips"]["node"]]


@pytest.mark.interop
def test_an_avatar_plays_every_frame(body: Body, take: Take, tmp_path: Path) -> None:
    for package in ("three", "@pixiv/three-vrm", "@pixiv/three-vrm-animation"):
        npm_package(package)
    options = ExportOptions(world="camera")
    (motion,) = FORMATS["vrma"](take, body, tmp_path / "a.vrma", options)
    (glb,) = FORMATS["glb"](take, body, tmp_path / "a.glb", ExportOptions(rig="vrm"))
    write_avatar(tmp_path / "a.vrm", glb)
    times = tmp_path / "times.json"
    times.write_text(json.dumps(frame_times(take.frame_rate)))
    command = [program("node"), _PLAYER, node_modules(), tmp_path / "a.vrm", motion, times]
    done = subprocess.run(command, capture_output=True, timeout=_TIMEOUT, check=False)
    assert done.returncode == 0, done.stderr.decode()
    found = json.loads(done.stdout)
    assert found["warnings"] == []
    assert found["duration"] == pytest.approx((FRAMES - 1) * 1001 / 30000, rel=1e-5)
    names = joint_names(body, "vrm")
    columns = [names.index(bone) for bone in found["bones"]]
    distance = np.linalg.norm(found["positions"] - expected_joints(take)[:, columns], axis=-1)
    assert len(columns) >= 20
    assert distance.max() < TOLERANCE


@pytest.mark.interop
def test_the_khronos_validator_finds_no_fault(body: Body, take: Take, tmp_path: Path) -> None:
    package = npm_package("gltf-validator")
    (path,) = FORMATS["vrma"](take, body, tmp_path / "a.vrma")
    script = (
        "const v = require(process.argv[1]);"
        "v.validateBytes(new Uint8Array(require('fs').readFileSync(process.argv[2])))"
        ".then(r => console.log(JSON.stringify(r.issues)))"
    )
    done = subprocess.run(
        [program("node"), "-e", script, str(package), str(path)],
        capture_output=True,
        timeout=_TIMEOUT,
        check=True,
    )
    issues = json.loads(done.stdout)
    assert (issues["numErrors"], issues["numWarnings"]) == (0, 0), issues
