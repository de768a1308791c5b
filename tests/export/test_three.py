"""Tests of the exports in three.js, under node (marker `interop`)."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from pymaf_live.body import Body, default_body
from pymaf_live.export.formats import FORMATS
from pymaf_live.export.options import RIGS, ExportOptions
from pymaf_live.takes.take import Take
from tests.export.judges import (
    FRAMES,
    RATES,
    TOLERANCE,
    frame_times,
    joint_names,
    judged_take,
    largest_distance,
    play_in_three,
    require_stated,
)

pytestmark = pytest.mark.interop

METRES = {"fbx": 0.01, "glb": 1.0, "bvh": 0.01}
SKINNED = {"fbx": 1, "glb": 1, "bvh": 0, "bones.fbx": 0, "bones.glb": 0}
CASES = [(rig, name) for rig in RIGS for name in SKINNED if (rig, name) != ("mixamo", "bvh")]


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


@pytest.fixture(scope="module")
def played(
    body: Body, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str], tuple[Take, dict[str, Any]]]:
    """Return the take of each case and what three.js plays of its file."""
    folder = tmp_path_factory.mktemp("three")
    takes, job = [], []
    for rig, name in CASES:
        take = judged_take(body, RATES[rig])
        options = ExportOptions(rig=rig, world="camera", mesh="bones" not in name)
        (path,) = FORMATS[name[-3:]](take, body, folder / f"{rig}.{name}", options)
        takes.append(take)
        job.append((path, frame_times(take.frame_rate)))
    return dict(zip(CASES, zip(takes, play_in_three(folder, job), strict=True), strict=True))


def test_three_cannot_play_bvh_whose_names_have_colons(body: Body, tmp_path: Path) -> None:
    # docs/exports.md names the rig for it; if this fails, three.js has changed
    take = judged_take(body, Fraction(30))
    (path,) = FORMATS["bvh"](take, body, tmp_path / "a.bvh", ExportOptions(rig="mixamo"))
    (found,) = play_in_three(tmp_path, [(path, frame_times(take.frame_rate))])
    assert any("No target node found" in warning for warning in found["warnings"])


@pytest.mark.parametrize(("rig", "name"), CASES)
def test_three_plays_every_frame(
    body: Body, played: dict[tuple[str, str], tuple[Take, dict[str, Any]]], rig: str, name: str
) -> None:
    take, found = played[rig, name]
    # three.js leaves characters out of names that its paths use
    wanted = [name.replace(":", "") for name in joint_names(body, rig)]
    rotated = {name.partition(".")[0] for name in found["tracks"] if name.endswith("quaternion")}
    assert found["warnings"] == []
    assert found["clips"] == 1
    assert rotated == {*wanted, *(["root"] if rig == "unreal" else [])}
    assert found["duration"] == pytest.approx((FRAMES - 1) / float(RATES[rig]), rel=1e-5)
    assert found["skinned"] == SKINNED[name]
    metres = METRES[name[-3:]]
    distance = largest_distance(take, wanted, found["bones"], found["positions"], metres)
    assert distance < TOLERANCE
    if "bones" not in name:
        require_stated("three.js r187", name, rig, distance)
