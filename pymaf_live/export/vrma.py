"""VRM animation (.vrma), one file per person: motion for VRM avatars.

glTF binary with the extension `VRMC_vrm_animation` 1.0 (VRM Consortium): the bones of the rig
`vrm`, without a mesh, and which of them is which bone of VRM's humanoid. Only the hips' position is
animated. Programs put the motion on an avatar of any size.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pymaf_live.export.gltf import read_back, write_document
from pymaf_live.export.options import ExportOptions
from pymaf_live.export.per_person import PerPersonWriter, one_person
from pymaf_live.export.rig_presets import PRESETS
from pymaf_live.export.scene import Scene
from pymaf_live.system.reporter import Reporter

EXTENSION = "VRMC_vrm_animation"


def write_scene(
    path: Path, scene: Scene, scale: float, reporter: Reporter, options: ExportOptions
) -> None:
    """Write a scene on the rig 'vrm'; implements `per_person.WriteScene`."""
    humanoid = set(PRESETS["vrm"].names.values())
    nodes: dict[str, Any] = {
        name: {"node": bone} for bone, name in enumerate(scene.bones.names) if name in humanoid
    }
    extension = {"specVersion": "1.0", "humanoid": {"humanBones": nodes}}
    write_document(path, [scene], reporter, mesh=False, extensions={EXTENSION: extension})


export_vrma = PerPersonWriter(
    suffix=".vrma", unit="m", write=one_person(write_scene), read=read_back, rig="vrm"
)
