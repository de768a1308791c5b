"""VRM's extensions of glTF: which node is which bone, and the main colours of toon materials.

Written to the specifications of the VRM Consortium, 0.x (extension `VRM`) and 1.0 (`VRMC_vrm`).
Bone names are those of 1.0; 0.x calls the bones of the thumb differently.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pymaf_live.characters.gltf_container import ContainerError

_MAX_BONES = 100
_THUMB = {"Proximal": "Metacarpal", "Intermediate": "Proximal"}


def is_vrm(document: Mapping[str, Any]) -> bool:
    """Return True for a document with one of VRM's extensions."""
    extensions = document.get("extensions")
    return isinstance(extensions, dict) and bool({"VRM", "VRMC_vrm"} & extensions.keys())


def humanoid_nodes(document: Mapping[str, Any]) -> dict[str, object]:
    """Return the node index of each humanoid bone as found in the file, {} without an extension.

    Raises
    ------
    ContainerError
        If the extension is damaged.
    """
    extensions = document.get("extensions")
    if not isinstance(extensions, dict):
        return {}
    if isinstance(extensions.get("VRMC_vrm"), dict):
        humanoid = extensions["VRMC_vrm"].get("humanoid")
        bones = humanoid.get("humanBones") if isinstance(humanoid, dict) else None
        if not isinstance(bones, dict) or len(bones) > _MAX_BONES:
            raise ContainerError("the VRM extension has no humanoid")
        return {
            str(name): each["node"]
            for name, each in bones.items()
            if isinstance(each, dict) and "node" in each
        }
    if isinstance(extensions.get("VRM"), dict):
        humanoid = extensions["VRM"].get("humanoid")
        listed = humanoid.get("humanBones") if isinstance(humanoid, dict) else None
        if not isinstance(listed, list) or len(listed) > _MAX_BONES:
            raise ContainerError("the VRM extension has no humanoid")
        return {
            _new_name(str(each.get("bone"))): each["node"]
            for each in listed
            if isinstance(each, dict) and each.get("node") not in (None, -1)
        }
    return {}


def _new_name(old: str) -> str:
    """Return VRM 1.0's name of a bone of 0.x."""
    for before, after in _THUMB.items():
        if old.endswith("Thumb" + before):
            return old.removesuffix(before) + after
    return old


def toon_colours(
    document: Mapping[str, Any],
) -> dict[int, tuple[tuple[float, ...], object]]:
    """Return linear RGBA and texture index of the MToon and unlit materials of VRM 0.x."""
    extensions = document.get("extensions")
    vrm = extensions.get("VRM") if isinstance(extensions, dict) else None
    listed = vrm.get("materialProperties") if isinstance(vrm, dict) else None
    found: dict[int, tuple[tuple[float, ...], object]] = {}
    for index, each in enumerate(listed if isinstance(listed, list) else []):
        if not isinstance(each, dict) or each.get("shader") in (None, "VRM_USE_GLTFSHADER"):
            continue
        vectors, textures = each.get("vectorProperties"), each.get("textureProperties")
        colour = vectors.get("_Color") if isinstance(vectors, dict) else None
        if not isinstance(colour, list) or len(colour) != 4:
            colour = [1.0, 1.0, 1.0, 1.0]
        if not all(isinstance(part, int | float) and 0 <= part <= 1 for part in colour):
            colour = [1.0, 1.0, 1.0, 1.0]
        main = textures.get("_MainTex") if isinstance(textures, dict) else None
        # 0.x stores the colour as sRGB
        linear = (*(float(part) ** 2.2 for part in colour[:3]), float(colour[3]))
        found[index] = (linear, main)
    return found
