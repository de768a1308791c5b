"""Symmetrised skin weights of MakeHuman's default rig."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pymaf_live.errors import InputError
from pymaf_live.types import Array
from trainer.body.open_body.makehuman import MakeHumanMesh

_OTHER_SIDE = {".L": ".R", ".R": ".L"}


@dataclass(frozen=True)
class Rig:
    """Bones and their skin weights; B bones, V vertices."""

    bones: tuple[str, ...]
    """(B,) names; those of a side end in `.L` or `.R`."""
    weights: Array
    """(V, B) rows sum to one, or are zero for vertices that no bone moves."""

    def share(self, accept: Callable[[str], bool]) -> Array:
        """Return the summed weight (V,) of the bones for which `accept` is true."""
        columns = [column for column, bone in enumerate(self.bones) if accept(bone)]
        return np.asarray(self.weights[:, columns].sum(1))


def bone_and_side(bone: str) -> tuple[str, str]:
    """Return a bone's name without its side, and the side: '.L', '.R' or ''."""
    side = bone[-2:] if bone[-2:] in _OTHER_SIDE else ""
    return (bone[:-2] if side else bone), side


def read_rig(mesh: MakeHumanMesh, cornea: int) -> Rig:
    """Read the default rig's weights; the cornea, which has none, gets the head's bone.

    Raises
    ------
    InputError
        If the file is missing or has another format.
    """
    path = mesh.folder / "rigs" / "standard" / "weights.default.json"
    try:
        stored = json.loads(path.read_text("utf-8"))["weights"]
        bones = list(stored)
        weights = np.zeros((len(mesh.vertices), len(bones)))
        for bone, pairs in stored.items():
            if pairs:
                rows = np.array(pairs)
                weights[rows[:, 0].astype(int), bones.index(bone)] = rows[:, 1]
        opposite = [_opposite(bones, column) for column in range(len(bones))]
        weights = 0.5 * (weights + weights[mesh.mirror][:, opposite])
        weights[cornea] = 0
        weights[cornea, bones.index("head")] = 1
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise InputError(f"{path} does not contain the weights of the rig: {error}") from error
    weights /= np.maximum(weights.sum(1, keepdims=True), 1e-12)
    return Rig(tuple(bones), weights)


def _opposite(bones: list[str], column: int) -> int:
    name, side = bone_and_side(bones[column])
    return bones.index(name + _OTHER_SIDE[side]) if side else column
