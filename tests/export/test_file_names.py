"""Tests of people's names in file names and inside the files."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from pymaf_live.body import Body, default_body
from pymaf_live.export.file_names import person_suffixes, safe_file_part, scene_names
from pymaf_live.export.formats import FORMATS
from pymaf_live.takes import read_take
from pymaf_live.takes.people import names_of, with_name, without_people
from pymaf_live.takes.take import Take
from tests.helpers.take import make_take, standing, walking_past

ONE_A_PERSON = sorted(name for name, each in FORMATS.items() if each.per_person)


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


@pytest.fixture(scope="module")
def take(body: Body) -> Take:
    """Zoë has the most frames, 舞 fewer, 5 fewest and no name."""
    frames = {0: np.arange(6), 2: np.arange(8), 5: np.arange(4)}
    made = make_take(
        body,
        np.arange(8) / 30,
        {person: standing(body, len(which)) for person, which in frames.items()},
        {person: walking_past(which / 30, 0.6 * person) for person, which in frames.items()},
        frames=frames,
    )
    return with_name(with_name(made, 2, "Zoë Lee"), 0, "舞")


def needed(name: str) -> None:
    if FORMATS[name].missing:
        pytest.skip(FORMATS[name].missing)


@pytest.mark.parametrize("name", ONE_A_PERSON)
def test_files_of_several_people_have_their_names(
    body: Body, take: Take, tmp_path: Path, name: str
) -> None:
    needed(name)
    format_ = FORMATS[name]
    done = format_.write(take, body, format_.target(tmp_path / "street"))
    wanted = [f"street{who}{format_.suffix}" for who in ("_Zoë Lee", "_舞", "_person5")]
    assert [each.path.name for each in done] == wanted
    assert all(each.path.exists() for each in done)
    # gaps are noted by name too
    assert "舞 was not seen in 2 of 8 frames" in done[1].note
    # existing files are found, so that they are replaced only on request
    found = format_.existing(tmp_path / "street", ["Zoë Lee", "舞"])
    assert {path.name for path in found} == set(wanted)


@pytest.mark.parametrize("name", ONE_A_PERSON)
def test_file_of_a_single_person_has_the_requested_name(
    body: Body, take: Take, tmp_path: Path, name: str
) -> None:
    needed(name)
    target = FORMATS[name].target(tmp_path / "one")
    (done,) = FORMATS[name](without_people(take, {0, 5}), body, target)
    assert done == target


def test_npz_contains_the_names(body: Body, take: Take, tmp_path: Path) -> None:
    (file,) = FORMATS["npz"](take, body, tmp_path / "street.npz")
    assert names_of(read_take(file)) == {0: "舞", 2: "Zoë Lee"}


def test_gltf_has_the_name_above_the_bones(body: Body, take: Take, tmp_path: Path) -> None:
    files = FORMATS["glb"](take, body, tmp_path / "street.glb")
    for file, who in zip(files, ("Zoë Lee", "舞", "person5"), strict=True):
        content = file.read_bytes()
        (length,) = struct.unpack_from("<I", content, 12)
        document = json.loads(content[20 : 20 + length])
        nodes = document["nodes"]
        above = [node for node in nodes if 0 in node.get("children", [])]
        assert [node["name"] for node in above] == [who]
        assert nodes[document["skins"][0]["joints"][0]]["name"] == "pelvis"
        tops = {nodes[index]["name"] for index in document["scenes"][0]["nodes"]}
        assert tops == {who, f"{who} body"}
        assert document["animations"][0]["name"] == who


def test_fbx_has_the_name_above_the_bones(body: Body, take: Take, tmp_path: Path) -> None:
    import ufbx

    files = FORMATS["fbx"](take, body, tmp_path / "street.fbx")
    for file, who in zip(files, ("Zoë Lee", "舞", "person5"), strict=True):
        scene = ufbx.load_file(str(file))
        nodes = [scene.nodes[index] for index in range(len(scene.nodes))]
        names = [str(node.name) for node in nodes]
        above = nodes[names.index("pelvis")].parent
        assert (str(above.name), above.is_root) == (who, False)
        # a program that looks for the topmost attribute finds the root bone
        assert above.attrib is None
        assert f"{who} body" in names


def test_usd_has_the_name_of_its_person(body: Body, take: Take, tmp_path: Path) -> None:
    pytest.importorskip("pxr")
    from pxr import Usd

    files = FORMATS["usd"](take, body, tmp_path / "street.usd")
    for file, prim, who in zip(
        files,
        ("/Zoe_Lee", "/person", "/person5"),
        ("Zoë Lee", "舞", "person5"),
        strict=True,
    ):
        stage = Usd.Stage.Open(str(file))
        root = stage.GetDefaultPrim()
        assert (str(root.GetPath()), root.GetDisplayName()) == (prim, who)
        names = {child.GetName() for child in root.GetChildren()}
        assert names == {f"{prim[1:]}_{kind}" for kind in ("skeleton", "motion", "body")}


def test_person_named_like_a_bone_is_not_a_bone(body: Body, take: Take, tmp_path: Path) -> None:
    named = with_name(take, 2, "left_hip")
    for name in ("fbx", "glb", "usd"):
        if not FORMATS[name].missing:
            done = FORMATS[name].write(named, body, FORMATS[name].target(tmp_path / "a"))
            assert all(each.joint_error is not None for each in done)


def test_clashing_names_are_distinguished_by_number() -> None:
    assert person_suffixes([2, 0, 5], {2: "Ann", 0: "ANN"}) == ["_Ann", "_ANN_person0", "_person5"]
    # a person named like another's number
    assert person_suffixes([1, 3], {1: "person3"}) == ["_person3_person1", "_person3"]
    assert person_suffixes([1, 3], {}) == ["", "_person3"]
    assert person_suffixes([1, 3], {3: "Bo"}) == ["", "_Bo"]
    assert person_suffixes([1], {1: "Bo"}) == [""]


def test_people_have_different_names_inside_the_files() -> None:
    assert scene_names([2, 0, 5], {2: "Ann", 0: "Ann"}) == {
        2: "Ann",
        0: "Ann_person0",
        5: "person5",
    }
    assert scene_names([1, 3], {1: "person3"}) == {1: "person3", 3: "person3_person3"}
    assert scene_names([1], {}) == {1: ""}
    assert scene_names([1], {1: "Bo"}) == {1: "Bo"}


def test_safe_file_part_is_valid_on_every_system() -> None:
    assert safe_file_part("a/b\\c:d*e") == "a_b_c_d_e"
    assert safe_file_part(" .. ") == ""
    assert person_suffixes([1, 2], {1: "..", 2: "Bo."}) == ["", "_Bo"]
    long = safe_file_part("舞" * 60)
    assert len(long.encode()) <= 80
    assert set(long) == {"舞"}
    # equal names in different Unicode normal forms
    assert safe_file_part("Zoe\u0308") == safe_file_part("Zo\u00eb")
