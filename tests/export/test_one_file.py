"""Tests of files that hold all people of a take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pymaf_live.body import Body, PointSet, default_body
from pymaf_live.body.rotations import matrix_from_axis_angle
from pymaf_live.errors import UsageError
from pymaf_live.export.formats import FORMATS
from pymaf_live.export.options import ExportOptions, Rig
from pymaf_live.takes.editing import select_rows
from pymaf_live.takes.take import Take
from tests.export.judges import (
    FRAMES,
    TOLERANCE,
    Y_UP_FROM_BLENDER,
    assimp_positions,
    assimp_scene,
    frame_times,
    joint_names,
    khronos_report,
    largest_distance,
    play_in_three,
    through_fbx_sdk,
    walk_in_blender,
)
from tests.helpers.take import make_take, moving_limbs, walking_past

RATE = 30
SKINNED_FRAME = 7
NAMES = {1: "Ann", 2: "Ann", 4: ""}
"""Two people with the same name, and one without."""
SCENE_NAMES = {1: "Ann", 2: "Ann_person2", 4: "person4"}
RIG: Rig = "mixamo"
OPTIONS = ExportOptions(rig=RIG, world="camera", one_file=True)


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


@pytest.fixture(scope="module")
def take(body: Body) -> Take:
    """Return a take of three people of different shapes who swing their limbs differently."""
    times = np.arange(FRAMES) / RATE
    turns = {person: moving_limbs(body, times + person, 0.7) for person in NAMES}
    places = {person: walking_past(times, 0.8 * person - 1.5) for person in NAMES}
    shapes = {person: np.full((FRAMES, body.shape_count), 0.3 * person - 0.6) for person in NAMES}
    made = make_take(body, times, turns, places, rate=Fraction(RATE), shapes=shapes)
    return replace(made, person_number=tuple(NAMES), person_name=tuple(NAMES.values()))


@pytest.fixture(scope="module")
def files(body: Body, take: Take, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the file of each format that holds several people."""
    folder = tmp_path_factory.mktemp("one_file")
    found = {}
    for suffix in ("fbx", "glb", "usd", "usda", "usdz"):
        if FORMATS[suffix].missing:
            continue
        (file,) = FORMATS[suffix].write(take, body, folder / f"three.{suffix}", OPTIONS)
        assert file.path == folder / f"three.{suffix}"
        assert file.joint_error is not None
        assert file.joint_error < TOLERANCE
        found[suffix] = file.path
    return found


def parts(body: Body, take: Take) -> dict[str, tuple[Take, list[str]]]:
    """Return each person's rows and bone names by their name inside the files."""
    return {
        name: (
            select_rows(take, np.flatnonzero(take.person == person)),
            [f"{name}:{bone}" for bone in joint_names(body, RIG)],
        )
        for person, name in SCENE_NAMES.items()
    }


def test_one_person_is_written_as_always(body: Body, take: Take, tmp_path: Path) -> None:
    only = select_rows(take, np.flatnonzero(take.person == 1))
    together = FORMATS["glb"](only, body, tmp_path / "a.glb", OPTIONS)
    each = FORMATS["glb"](only, body, tmp_path / "b.glb", replace(OPTIONS, one_file=False))
    assert together[0].read_bytes() == each[0].read_bytes()


def test_formats_with_one_skeleton_keep_one_file_each(
    body: Body, take: Take, tmp_path: Path
) -> None:
    written = FORMATS["bvh"](take, body, tmp_path / "three.bvh", OPTIONS)
    assert len(written) == len(NAMES)


def test_people_in_place_do_not_share_a_file() -> None:
    with pytest.raises(UsageError, match="one file"):
        ExportOptions(one_file=True, in_place=True)


def test_usd_roots_are_distinct_below_one_prim(body: Body, take: Take, tmp_path: Path) -> None:
    usd = pytest.importorskip("pxr.Usd")
    # neither name has Latin letters, so that both prims would be called alike
    named = replace(take, person_name=("李", "王", ""))
    (path,) = FORMATS["usd"](named, body, tmp_path / "three.usd", OPTIONS)
    stage = usd.Stage.Open(str(path))
    top = stage.GetDefaultPrim()
    assert top.GetName() == "people"
    names = [(each.GetName(), each.GetDisplayName()) for each in top.GetChildren()]
    assert names == [("person", "李"), ("person_2", "王"), ("person4", "person4")]


def test_camera_is_included_once(body: Body, take: Take, tmp_path: Path) -> None:
    usd = pytest.importorskip("pxr.Usd")
    options = replace(OPTIONS, camera=True, mesh=False)
    (path,) = FORMATS["usd"](take, body, tmp_path / "three.usd", options)
    stage = usd.Stage.Open(str(path))
    cameras = [each for each in stage.Traverse() if each.GetTypeName() == "Camera"]
    assert [str(each.GetPath()) for each in cameras] == ["/people/camera"]


def test_validators_find_no_fault(body: Body, take: Take, tmp_path: Path) -> None:
    usd = pytest.importorskip("pxr.Usd")
    from pxr import UsdValidation

    (path,) = FORMATS["usd"](take, body, tmp_path / "three.usd", replace(OPTIONS, camera=True))
    validators = UsdValidation.ValidationRegistry().GetOrLoadAllValidators()
    stage = usd.Stage.Open(str(path))
    assert not UsdValidation.ValidationContext(validators).Validate(stage)


@pytest.mark.interop
def test_the_khronos_validator_finds_no_fault(body: Body, take: Take, tmp_path: Path) -> None:
    (path,) = FORMATS["glb"](take, body, tmp_path / "three.glb", replace(OPTIONS, camera=True))
    report = khronos_report(path)
    assert '"numErrors":0,"numWarnings":0' in report, report


def require_all_joints(
    body: Body,
    take: Take,
    names: Sequence[str],
    positions: Any,
    metres: float = 1.0,
    wanted: Mapping[str, str] | None = None,
) -> None:
    """Require every joint of every person within the tolerance."""
    for part, bones in parts(body, take).values():
        known = [(wanted or {}).get(bone, bone) for bone in bones]
        assert largest_distance(part, known, names, positions, metres) < TOLERANCE


def require_all_meshes(body: Body, take: Take, vertices: np.ndarray) -> None:
    """Require that the meshes (P, V, 3) of one frame are those of the people, in any order."""
    rows = np.flatnonzero(take.frame == SKINNED_FRAME)
    posed = PointSet.vertices(body).pose(
        matrix_from_axis_angle(take.pose[rows]), take.shape[rows], take.translation[rows]
    )
    expected = posed * [1.0, -1.0, -1.0]
    distance = np.linalg.norm(vertices[:, None] - expected, axis=-1).max(axis=-1)
    assert distance.shape == (len(NAMES), len(NAMES))
    assert distance.min(axis=0).max() < 0.003


@pytest.mark.interop
def test_blender_plays_all_people(
    body: Body, take: Take, files: dict[str, Path], tmp_path: Path
) -> None:
    job = [(path, FRAMES, (SKINNED_FRAME,)) for path in files.values()]
    for suffix, found in zip(files, walk_in_blender(tmp_path, job), strict=True):
        require_all_meshes(body, take, found["vertices"] @ Y_UP_FROM_BLENDER.T)
        heads = found["heads"] @ Y_UP_FROM_BLENDER.T
        names = found["names"].tolist()
        assert len(set(found["owners"].tolist())) == len(NAMES)
        if suffix.startswith("usd"):  # bones have plain names in armatures of their own
            owners = [owner.removesuffix("_skeleton") for owner in found["owners"].tolist()]
            names = [f"{o}:{n}" for o, n in zip(owners, names, strict=True)]
            plain = {
                bone: f"{name}:{bone.removeprefix(f'{name}:').replace(':', '_')}"
                for name, (_, bones) in parts(body, take).items()
                for bone in bones
            }
            require_all_joints(body, take, names, heads, wanted=plain)
        else:
            require_all_joints(body, take, names, heads)


@pytest.mark.interop
@pytest.mark.parametrize(("suffix", "metres"), [("fbx", 0.01), ("glb", 1.0)])
def test_assimp_plays_all_people(
    body: Body, take: Take, files: dict[str, Path], suffix: str, metres: float
) -> None:
    scene = assimp_scene(files[suffix])
    assert len(scene["animations"]) == 1
    found = assimp_positions(scene)
    require_all_joints(body, take, list(found), np.stack(list(found.values()), axis=1), metres)


@pytest.mark.interop
def test_three_and_the_fbx_sdk_play_all_people(
    body: Body, take: Take, files: dict[str, Path], tmp_path: Path
) -> None:
    times = frame_times(Fraction(RATE))
    converted = through_fbx_sdk(files["fbx"], RATE)
    played = play_in_three(
        tmp_path, [(path, times) for path in (files["fbx"], files["glb"], converted)]
    )
    # three.js leaves characters out of names that its paths use
    plain = {
        bone: bone.replace(":", "") for _, bones in parts(body, take).values() for bone in bones
    }
    for found, metres in zip(played, (0.01, 1.0, 1.0), strict=True):
        assert found["warnings"] == []
        assert found["clips"] == 1
        assert found["skinned"] == len(NAMES)
        require_all_joints(body, take, found["bones"], found["positions"], metres, wanted=plain)
