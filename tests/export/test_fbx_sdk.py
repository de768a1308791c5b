"""Tests of the FBX export in Autodesk's FBX SDK, through FBX2glTF (marker `interop`).

FBX2glTF evaluates the animation at 24, 30 or 60 frames per second and writes glTF, which three.js
plays.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from pymaf_live.body import Body, default_body
from pymaf_live.export.formats import FORMATS
from pymaf_live.export.options import RIGS, ExportOptions
from pymaf_live.takes.take import Take
from tests.export.judges import (
    FRAMES,
    TOLERANCE,
    frame_times,
    joint_names,
    judged_take,
    largest_distance,
    play_in_three,
    require_stated,
    through_fbx_sdk,
)

pytestmark = pytest.mark.interop

RATES = {"smpl": 30, "mixamo": 24, "mixamo-plain": 60, "unreal": 60, "unity": 30, "vrm": 24}


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


@pytest.fixture(scope="module")
def played(
    body: Body, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[Take, dict[str, Any]]]:
    """Return the take of each rig, and what three.js plays of the FBX SDK's version of its file."""
    folder = tmp_path_factory.mktemp("fbx_sdk")
    takes, job = [], []
    for rig in RIGS:
        take = judged_take(body, Fraction(RATES[rig]))
        options = ExportOptions(rig=rig, world="camera")
        (path,) = FORMATS["fbx"](take, body, folder / f"{rig}.fbx", options)
        takes.append(take)
        job.append((through_fbx_sdk(path, RATES[rig]), frame_times(take.frame_rate)))
    return dict(zip(RIGS, zip(takes, play_in_three(folder, job), strict=True), strict=True))


@pytest.mark.parametrize("rig", RIGS)
def test_fbx_sdk_plays_every_frame(
    body: Body, played: dict[str, tuple[Take, dict[str, Any]]], rig: str
) -> None:
    take, found = played[rig]
    # three.js leaves characters out of names that its paths use
    wanted = [name.replace(":", "") for name in joint_names(body, rig)]
    rotated = {name.partition(".")[0] for name in found["tracks"] if name.endswith("quaternion")}
    assert found["clips"] == 1
    assert rotated == set(wanted)
    assert found["duration"] == pytest.approx((FRAMES - 1) / RATES[rig], rel=1e-5)
    assert found["skinned"] == 1
    distance = largest_distance(take, wanted, found["bones"], found["positions"])
    assert distance < TOLERANCE
    require_stated("FBX SDK", "fbx", rig, distance)
