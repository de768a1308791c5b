"""Reading a character file of any supported format."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pymaf_live.characters.fbx_import import read_fbx
from pymaf_live.characters.gltf_reader import read_gltf
from pymaf_live.characters.model import Character
from pymaf_live.errors import InputError

SUFFIXES = (".vrm", ".glb", ".gltf", ".fbx")
"""Endings of character files."""


def load_character(path: Path) -> Character:
    """Read a character.

    Parameters
    ----------
    path : Path
        A VRM 0.x or 1.0, glTF 2.0 or FBX file; the content decides, not the ending.

    Raises
    ------
    InputError
        If the file is missing, damaged, too large, or has no skeleton.
    """
    path = Path(path)
    character = read_fbx(path) if _is_fbx(path) else read_gltf(path)
    if not character.joint_nodes:
        raise InputError(f"{path}: it has no skeleton that moves a mesh")
    if not np.isfinite(character.rest).all() or np.abs(character.rest).max() > 1e9:
        raise InputError(f"{path}: its bones are not at finite places")
    return character


def _is_fbx(path: Path) -> bool:
    if path.suffix.lower() == ".fbx":
        return True
    try:
        with path.open("rb") as file:
            return file.read(20).startswith(b"Kaydara FBX Binary")
    except OSError:
        return False
