"""Open a character with its bone mapping, and correct the mapping."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pymaf_live.characters.bone_names import BONES
from pymaf_live.characters.load import load_character
from pymaf_live.characters.mapping import BoneMapping
from pymaf_live.characters.mapping_file import load_mapping, save_mapping
from pymaf_live.characters.model import Character
from pymaf_live.characters.retarget import Retargeter
from pymaf_live.errors import UsageError
from pymaf_live.resources import resource

SHIPPED = "alex"
"""Name of the character that comes with the program."""


def character_path(name: str | Path) -> Path:
    """Return the file of a character: 'alex', or a path."""
    return resource("characters/alex.vrm") if str(name) == SHIPPED else Path(name)


def open_character(name: str | Path, bone_map: Path | None = None) -> Retargeter:
    """Read a character and prepare it for retargeting.

    Parameters
    ----------
    name : str or Path
        'alex', or a VRM, glTF or FBX file.
    bone_map : Path, optional
        File of corrections to the bone mapping; by default those that are saved for this character.

    Raises
    ------
    InputError
        If the file or the mapping cannot be used.
    """
    character = load_character(character_path(name))
    return Retargeter(character, load_mapping(character, bone_map))


def corrected_mapping(
    character: Character, mapping: BoneMapping, corrections: Mapping[str, str]
) -> BoneMapping:
    """Return a mapping with bones set to nodes by name, or removed by an empty name.

    Raises
    ------
    UsageError
        If there is no such bone, or the character does not have exactly one such node.
    """
    for bone, name in corrections.items():
        if bone not in BONES:
            raise UsageError(f"there is no bone {bone!r}; the bones are {', '.join(BONES)}")
        if name and character.names.count(name) != 1:
            raise UsageError(f"{character.path} has no single bone named {name!r}")
        mapping = mapping.with_bone(bone, character.names.index(name) if name else None)
    return mapping


def set_bones(name: str | Path, corrections: Mapping[str, str]) -> Path:
    """Correct a character's bone mapping, check it, and save it; return its file.

    Raises
    ------
    UsageError
        If a bone or node does not exist.
    InputError
        If the character cannot be used with the corrected mapping.
    OutputError
        If the mapping cannot be saved.
    """
    character = load_character(character_path(name))
    mapping = corrected_mapping(character, load_mapping(character), corrections)
    Retargeter(character, mapping)
    return save_mapping(character, mapping)
