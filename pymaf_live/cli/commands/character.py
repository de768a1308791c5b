"""The command `character`."""

from __future__ import annotations

from typing import Annotated

import typer

from pymaf_live.cli.output import print_note
from pymaf_live.errors import UsageError


def character(
    *,
    name: Annotated[
        str, typer.Argument(metavar="FILE", help="Character: a .vrm, .glb, .gltf or .fbx file.")
    ],
    bones: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="BONE=NAME",
            help="Map a bone to the character's bone with this name, and save the mapping; "
            "without a name the bone is left out. May be repeated.",
            show_default=False,
        ),
    ] = None,
) -> int:
    """Show how a character's bones are mapped, and correct the mapping."""
    from pymaf_live.characters.bone_names import BONES
    from pymaf_live.characters.load import load_character
    from pymaf_live.characters.mapping_file import load_mapping
    from pymaf_live.characters.retarget import Retargeter
    from pymaf_live.workflows.character import character_path, set_bones

    if bones:
        print(f"saved {set_bones(name, dict(_pair(text) for text in bones))}")
    read = load_character(character_path(name))
    mapping = load_mapping(read)
    for bone in BONES:
        if bone in mapping.bones:
            print(f"{bone:14} {read.names[mapping.bones[bone]]} ({mapping.found_by[bone]})")
        else:
            print(f"{bone:14} - {'optional' if bone in mapping.missing_optional else 'MISSING'}")
    for note in read.notes:
        print_note(note)
    measures = Retargeter(read, mapping).measures
    print(
        f"{read.path.name}: {read.kind}, {len(read.names)} nodes, {read.triangle_count} triangles, "
        f"{len(read.textures)} textures, {measures.rest_pose}-pose at rest"
    )
    return 0


def _pair(text: str) -> tuple[str, str]:
    bone, found, name = text.partition("=")
    if not found:
        raise UsageError(f"--set needs a bone and a name, such as hips=Pelvis, not {text!r}")
    return bone.strip(), name.strip()
