"""Bone mapping by the file, by names and by structure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pymaf_live.characters.bone_names import BONES
from pymaf_live.characters.load import load_character
from pymaf_live.characters.mapping import chains, find_mapping, require_mapping
from pymaf_live.characters.mapping_file import load_mapping, save_mapping
from pymaf_live.characters.structure import bones_by_structure
from pymaf_live.errors import InputError
from tests.characters.rigs import RIGS, character_of
from tools.make_alex import alex, wild


@pytest.mark.parametrize("program", RIGS)
def test_bones_of_known_programs_are_found_by_name(program: str) -> None:
    rig = RIGS[program]
    character = character_of(rig)
    mapping = find_mapping(character)
    require_mapping(character, mapping)
    wanted = {place: name for name, _, place in rig if place in BONES and place != "hips"}
    assert {bone: character.names[mapping.bones[bone]] for bone in wanted} == wanted
    assert {mapping.found_by[bone] for bone in wanted} == {"name"}
    # the hips carry both the legs and the spine
    assert mapping.bones["hips"] in range(3)
    assert chains(character, mapping).spine


def test_the_extension_of_vrm_comes_first(alex_files: dict[str, Path]) -> None:
    mapping = find_mapping(load_character(alex_files["vrm"]))
    assert set(mapping.found_by.values()) == {"file"}
    assert not mapping.missing
    assert not mapping.missing_optional


def test_a_skeleton_without_names_is_mapped_by_its_shape() -> None:
    named, unnamed = alex("smpl"), wild(alex("smpl"))
    expected = find_mapping(named).bones
    found = bones_by_structure(unnamed)
    assert found == {bone: node + 1 for bone, node in expected.items()}  # below one more node
    assert set(find_mapping(unnamed).found_by.values()) == {"structure"}


def test_twist_spine_and_neck_bones_lie_between_the_mapped_ones(
    alex_files: dict[str, Path],
) -> None:
    character = load_character(alex_files["unreal"])
    between = chains(character, find_mapping(character))
    names = character.names
    assert [names[node] for node in between.spine] == ["spine_01", "spine_02", "spine_03"]
    assert [names[node] for node in between.neck] == ["neck_01"]
    assert [names[n] for n in between.twists["leftUpperArm"]] == ["upperarm_twist_01_l"]
    assert [names[n] for n in between.twists["rightLowerArm"]] == ["lowerarm_twist_01_r"]


def test_corrections_are_saved_by_the_hash_of_the_file(
    alex_files: dict[str, Path], tmp_path: Path
) -> None:
    character = load_character(alex_files["wild"])
    mapping = find_mapping(character).with_bone("neck", 5).with_bone("leftToes", None)
    path = save_mapping(character, mapping, tmp_path)
    assert path.name == f"{character.sha256}.json"
    again = load_mapping(character, path)
    assert again.bones == mapping.bones
    assert again.found_by["neck"] == "user"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "not a bone mapping"),
        ("{", "not a bone mapping"),
        ('{"bones": {"tail": "b00"}}', "no bone 'tail'"),
        ('{"bones": {"hips": "nothing"}}', "no single bone 'nothing' for hips"),
        ('{"bones": {"hips": [99999, "x"]}}', "no single bone 'x' for hips"),
    ],
)
def test_damaged_mappings_are_refused(
    alex_files: dict[str, Path], tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "map.json"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        load_mapping(load_character(alex_files["wild"]), path)


def test_missing_and_misplaced_bones_are_named(alex_files: dict[str, Path]) -> None:
    character = load_character(alex_files["vrm"])
    mapping = find_mapping(character)
    with pytest.raises(InputError, match="no bone was found for hips, leftHand"):
        require_mapping(character, mapping.with_bone("hips", None).with_bone("leftHand", None))
    swapped = mapping.with_bone("leftFoot", mapping.bones["rightFoot"])
    with pytest.raises(InputError, match=r"leftFoot .rightFoot. is not below that of leftLowerLeg"):
        require_mapping(character, swapped)


def test_a_creature_is_no_humanoid() -> None:
    character = alex("smpl")
    keep = np.array([0, 3, 6, 9, 12, 15])  # the trunk
    mesh = character.meshes[0]
    snake = replace(
        character,
        names=tuple(f"n{index}" for index in range(len(keep))),
        parents=np.arange(len(keep)) - 1,
        local=character.local[keep],
        meshes=(
            replace(
                mesh,
                nodes=np.arange(len(keep)),
                inverse_bind=mesh.inverse_bind[keep],
                joints=mesh.joints % len(keep),
            ),
        ),
    )
    mapping = find_mapping(snake)
    assert mapping.bones == {}
    with pytest.raises(InputError, match="no bone was found for hips, head"):
        require_mapping(snake, mapping)


def test_alex_has_no_triangles_on_each_other_and_one_colour_a_triangle(alex_files):
    mesh = load_character(alex_files["vrm"]).meshes[0]
    _, place = np.unique(mesh.vertices.round(6), axis=0, return_inverse=True)
    corners = np.sort(place.ravel()[mesh.faces], axis=1)
    assert len(np.unique(corners, axis=0)) == len(corners)
    assert np.ptp(mesh.uv[mesh.faces], axis=1).max() == 0
