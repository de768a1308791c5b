"""Takes on characters: the character's file stays as it is, bad input is refused in one line."""

from __future__ import annotations

import json
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pymaf_live as pl
from pymaf_live.body import Body, default_body
from pymaf_live.cli.app import main
from pymaf_live.errors import InputError, OutputExistsError, UsageError
from pymaf_live.export.fbx_nodes import Node, Packed
from pymaf_live.export.fbx_tree import child, read_tree, value
from pymaf_live.takes import write_take
from pymaf_live.takes.take import Take
from tests.export.judges import judged_take
from tools.make_alex import write_all


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


@pytest.fixture(scope="module")
def take(body: Body) -> Take:
    return judged_take(body, Fraction(30000, 1001))


@pytest.fixture(scope="module")
def alex(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_all(tmp_path_factory.mktemp("alex"))


def parts(path: Path) -> tuple[dict[str, Any], bytes]:
    """Return the JSON and the binary part of a glTF binary."""
    content = path.read_bytes()
    (length,) = struct.unpack_from("<I", content, 12)
    return json.loads(content[20 : 20 + length]), content[28 + length :]


@pytest.mark.parametrize(("rig", "suffix"), [("vrm", "vrm"), ("vrm", "glb"), ("wild", "glb")])
def test_gltf_keeps_everything_and_gets_one_animation(
    take: Take, alex: dict[str, Path], tmp_path: Path, rig: str, suffix: str
) -> None:
    (path,) = pl.export(take, tmp_path / f"a.{suffix}", character=alex[rig])
    before, binary = parts(alex[rig])
    after, longer = parts(path)
    assert longer[: len(binary)] == binary
    (animation,) = after.pop("animations")
    assert animation["extras"]["frame_rate"] == [30000, 1001]
    assert after["buffers"].pop()["byteLength"] == len(longer)
    before["buffers"].pop()
    for table in ("accessors", "bufferViews"):
        kept = after.pop(table)[: len(before[table])]
        assert kept == before.pop(table)
    assert after == before
    names = [before["nodes"][c["target"]["node"]]["name"] for c in animation["channels"]]
    assert len(set(names)) == 22
    moved = [c["target"]["path"] for c in animation["channels"]].count("translation")
    assert moved == 1


def _objects(path: Path) -> tuple[list[Node], dict[str, Node]]:
    _, top = read_tree(path.read_bytes())
    sections = {node.name: node for node in top}
    return sections["Objects"].children, sections


@pytest.mark.parametrize("rig", ["mixamo", "unreal"])
def test_fbx_keeps_everything_and_gets_one_stack(
    take: Take, alex: dict[str, Path], tmp_path: Path, rig: str
) -> None:
    (path,) = pl.export(take, tmp_path / "a.fbx", character=alex[rig])
    before, old = _objects(alex[rig])
    after, new = _objects(path)
    assert after[: len(before)] == before
    assert new["Connections"].children[: len(old["Connections"].children)] == (
        old["Connections"].children
    )
    added = [node.name for node in after[len(before) :]]
    assert added[:2] == ["AnimationStack", "AnimationLayer"]
    assert set(added[2:]) == {"AnimationCurveNode", "AnimationCurve"}
    counts = {
        value(each.properties[0]): value(child(each, "Count").properties[0])
        for each in new["Definitions"].children
        if each.name == "ObjectType"
    }
    assert counts["AnimationCurve"] == added.count("AnimationCurve")
    assert counts["Model"] == sum(node.name == "Model" for node in before)
    assert all(isinstance(part, Packed) for node in after for part in node.properties)


def test_a_second_export_of_an_exported_fbx_adds_a_second_stack(
    take: Take, alex: dict[str, Path], tmp_path: Path
) -> None:
    (first,) = pl.export(take, tmp_path / "a.fbx", character=alex["mixamo"])
    (second,) = pl.export(take, tmp_path / "b.fbx", character=first, rate=60)
    stacks = [node for node in _objects(second)[0] if node.name == "AnimationStack"]
    names = [value(node.properties[1]).split("\0")[0] for node in stacks]
    assert names == ["motion", "motion 2"]


def test_files_of_other_formats_are_converted_with_their_texture(
    take: Take, alex: dict[str, Path], tmp_path: Path
) -> None:
    (glb,) = pl.export(take, tmp_path / "a.glb", character=alex["unreal"])
    document, _ = parts(glb)
    assert document["images"][0]["mimeType"] == "image/png"
    assert document["materials"][0]["pbrMetallicRoughness"]["baseColorTexture"] == {"index": 0}
    (fbx,) = pl.export(take, tmp_path / "a.fbx", character=alex["vrm"])
    objects, _ = _objects(fbx)
    video = next(node for node in objects if node.name == "Video")
    assert b"\x89PNG" in child(video, "Content").properties[0].content[:16]


def test_one_file_per_person_and_nothing_is_replaced(
    take: Take, alex: dict[str, Path], tmp_path: Path
) -> None:
    target = tmp_path / "a.glb"
    pl.export(take, target, character=alex["vrm"], in_place=True)
    with pytest.raises(OutputExistsError):
        pl.export(take, target, character=alex["vrm"])
    assert [each.name for each in tmp_path.iterdir()] == ["a.glb"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--to", "a.bvh", "--character", "{vrm}"], 2, "a character is exported to files that end"),
        (["--to", "a.vrm", "--character", "{wild}"], 2, "only a VRM character can be exported"),
        (["--to", "a.glb", "--character", "{vrm}", "--rig", "mixamo"], 2, "--rig has no effect"),
        (["--to", "a.glb", "--bone-map", "a.json"], 2, "--bone-map needs --character"),
        (["--to", "a.glb", "--character", "none.vrm"], 3, "none.vrm cannot be read: No such file"),
        (["--to", "a.glb", "--character", "{vrm}", "--bone-map", "no.json"], 3, "no.json cannot"),
    ],
)
def test_bad_input_is_refused_in_one_line(
    take: Take,
    alex: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_take(Path("take.npz"), take)
    filled = [each.format(**alex) for each in arguments]
    assert main(["export", "take.npz", *filled]) == code
    error = capsys.readouterr().err.strip()
    assert message in error
    assert "\n" not in error
    assert [each.name for each in tmp_path.iterdir()] == ["take.npz"]


def test_the_mapping_is_shown_corrected_and_saved(
    alex: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("pymaf_live.characters.mapping_file.mapping_folder", lambda: tmp_path)
    assert main(["character", str(alex["mixamo"])]) == 0
    shown = capsys.readouterr().out
    assert "leftUpperArm   mixamorig:LeftArm (name)" in shown
    assert "T-pose at rest" in shown
    assert main(["character", str(alex["mixamo"]), "--set", "neck="]) == 0
    assert "neck           - optional" in capsys.readouterr().out
    assert main(["character", str(alex["mixamo"]), "--set", "hips=mixamorig:Head"]) == 3
    assert "is not below that of hips" in capsys.readouterr().err
    assert main(["character", str(alex["mixamo"]), "--set", "tail=x"]) == 2
    assert "there is no bone 'tail'" in capsys.readouterr().err


def test_options_that_do_not_apply_are_refused(take: Take, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="characters have no option rig"):
        pl.export(take, tmp_path / "a.glb", character="alex", rig="mixamo")
    with pytest.raises(InputError):
        pl.export(take, tmp_path / "a.glb", character=tmp_path)


def test_alex_comes_with_the_program(take: Take, tmp_path: Path) -> None:
    (path,) = pl.export(take, tmp_path / "a.vrm", character="alex")
    document, _ = parts(path)
    assert "VRMC_vrm" in document["extensions"]
    times = document["accessors"][document["animations"][0]["samplers"][0]["input"]]
    assert times["max"] == pytest.approx([(len(np.unique(take.frame)) - 1) * 1.001 / 30], rel=1e-5)
