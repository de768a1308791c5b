"""Bone mappings that the user has corrected, saved per character by the hash of its file."""

from __future__ import annotations

import json
from pathlib import Path

import platformdirs

from pymaf_live.characters.bone_names import BONES
from pymaf_live.characters.mapping import BoneMapping, find_mapping
from pymaf_live.characters.model import Character
from pymaf_live.errors import InputError
from pymaf_live.system.atomic_write import atomic_write, make_folder
from pymaf_live.system.regular_file import open_regular

_MAX_BYTES = 1 << 20


def mapping_folder() -> Path:
    """Return the folder of the saved mappings, beside the settings."""
    return Path(platformdirs.user_config_dir("pymaf-live", appauthor=False)) / "characters"


def mapping_path(character: Character, folder: Path | None = None) -> Path:
    """Return the file of a character's mapping."""
    return (folder or mapping_folder()) / f"{character.sha256}.json"


def save_mapping(character: Character, mapping: BoneMapping, folder: Path | None = None) -> Path:
    """Save the bones that the user has set, and those they have removed; return the file.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    found = find_mapping(character)
    bones = {
        bone: [mapping.bones[bone], character.names[mapping.bones[bone]]]
        if bone in mapping.bones
        else None
        for bone in BONES
        if mapping.bones.get(bone) != found.bones.get(bone)
    }
    path = mapping_path(character, folder)
    make_folder(path.parent)
    text = json.dumps({"character": character.path.name, "bones": bones}, indent=1)
    with atomic_write(path, force=True) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    return path


def load_mapping(character: Character, path: Path | None = None) -> BoneMapping:
    """Return a character's mapping: the found one with the user's corrections.

    Parameters
    ----------
    character : Character
    path : Path, optional
        File of corrections; by default the saved one, if there is any.

    Raises
    ------
    InputError
        If the file is damaged, or names bones that the character lacks.
    """
    mapping = find_mapping(character)
    source = path or mapping_path(character)
    if path is None and not source.is_file():
        return mapping
    for bone, node in _corrections(source, character).items():
        mapping = mapping.with_bone(bone, node)
    return mapping


def _corrections(path: Path, character: Character) -> dict[str, int | None]:
    try:
        with open_regular(path) as file:
            content = file.read(_MAX_BYTES + 1)
        document = json.loads(content.decode("utf-8")) if len(content) <= _MAX_BYTES else None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not a bone mapping") from error
    bones = document.get("bones") if isinstance(document, dict) else None
    if not isinstance(bones, dict):
        raise InputError(f"{path} is not a bone mapping")
    return {
        str(bone): None if entry is None else _node(path, character, str(bone), entry)
        for bone, entry in bones.items()
    }


def _node(path: Path, character: Character, bone: str, entry: object) -> int:
    """Return the node of an entry: its name, or [index, name] where names repeat."""
    if bone not in BONES:
        raise InputError(f"{path}: there is no bone {bone[:40]!r}")
    if isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], int):
        index, name = entry
        if 0 <= index < len(character.names) and character.names[index] == name:
            return int(index)
        entry = name
    if isinstance(entry, str) and character.names.count(entry) == 1:
        return character.names.index(entry)
    raise InputError(f"{path}: the character has no single bone {str(entry)[:60]!r} for {bone}")
