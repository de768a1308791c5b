"""Mapping of a character's nodes to the humanoid's bones: how each was found, what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from pymaf_live.characters.bone_names import (
    BONES,
    CENTRE_NAMES,
    OPTIONAL_BONES,
    SIDED_BONES,
    SIDED_NAMES,
    is_twist,
    split_name,
)
from pymaf_live.characters.model import Character
from pymaf_live.characters.structure import bones_by_structure
from pymaf_live.errors import InputError
from pymaf_live.types import Ints

Source = Literal["file", "name", "structure", "user"]
"""Origin of a bone: the file's humanoid extension, a known name, the shape of the skeleton, or the
user."""

_CHAINS = (
    ("UpperArm", "LowerArm", "Hand"),
    ("UpperLeg", "LowerLeg", "Foot"),
)
_ABOVE = {"Shoulder": "UpperArm", "Foot": "Toes"}
"""Bones that are ancestors of another one."""


@dataclass(frozen=True)
class BoneMapping:
    """Nodes of the humanoid's bones."""

    bones: Mapping[str, int]
    """Node of each mapped bone, by the names in `bone_names.BONES`."""
    found_by: Mapping[str, Source]

    @property
    def missing(self) -> tuple[str, ...]:
        """Required bones without a node."""
        return tuple(b for b in BONES if b not in self.bones and b not in OPTIONAL_BONES)

    @property
    def missing_optional(self) -> tuple[str, ...]:
        """Other bones without a node."""
        return tuple(b for b in BONES if b not in self.bones and b in OPTIONAL_BONES)

    def with_bone(self, bone: str, node: int | None) -> BoneMapping:
        """Return a copy in which the user has set a bone, or removed it."""
        bones, found_by = dict(self.bones), dict(self.found_by)
        bones.pop(bone, None)
        found_by.pop(bone, None)
        if node is not None:
            bones[bone], found_by[bone] = node, "user"
        return replace(self, bones=bones, found_by=found_by)


@dataclass(frozen=True)
class Chains:
    """Nodes between the mapped bones."""

    spine: tuple[int, ...]
    """Above the hips, up to the bone that carries the arms."""
    neck: tuple[int, ...]
    """Between that and the head."""
    twists: Mapping[str, tuple[int, ...]]
    """Twist bones of each upper and lower arm and leg."""


def find_mapping(character: Character) -> BoneMapping:
    """Map a character's nodes: by the file's humanoid, by known names, by structure.

    Later ways fill the gaps of earlier ones.
    """
    ways: list[tuple[Source, Mapping[str, int]]] = [
        ("file", {bone: n for bone, n in character.humanoid.items() if bone in BONES}),
        ("name", bones_by_name(character)),
    ]
    bones: dict[str, int] = {}
    found_by: dict[str, Source] = {}
    for source, found in ways:
        _fill(bones, found_by, found, source)
    if any(bone not in bones for bone in BONES if bone not in OPTIONAL_BONES):
        _fill(bones, found_by, bones_by_structure(character), "structure")
    _set_hips(character, bones, found_by)
    return BoneMapping(bones, found_by)


def require_mapping(character: Character, mapping: BoneMapping) -> None:
    """Check that a mapping can be used.

    Raises
    ------
    InputError
        If required bones are missing, or the bones of a limb are not below one another.
    """
    if mapping.missing:
        names = ", ".join(mapping.missing[:4])
        more = f" and {len(mapping.missing) - 4} more" if len(mapping.missing) > 4 else ""
        raise InputError(
            f"{character.path}: no bone was found for {names}{more}; set the bone mapping by hand"
        )
    bones = mapping.bones
    pairs = [("hips", "head")]
    for side in ("left", "right"):
        pairs += [("hips", f"{side}UpperLeg"), ("hips", f"{side}UpperArm")]
        for chain in _CHAINS:
            pairs += [(side + a, side + b) for a, b in pairwise(chain)]
        pairs += [(side + a, side + b) for a, b in _ABOVE.items() if side + a in bones]
    for upper, lower in pairs:
        if lower in bones and not is_ancestor(character.parents, bones[upper], bones[lower]):
            raise InputError(
                f"{character.path}: the bone of {lower} ({character.names[bones[lower]]}) is not "
                f"below that of {upper} ({character.names[bones[upper]]}); correct the mapping"
            )


def chains(character: Character, mapping: BoneMapping) -> Chains:
    """Return the nodes between the mapped bones of a mapping that can be used."""
    bones, parents = mapping.bones, character.parents
    arms = [bones.get(f"{side}Shoulder", bones[f"{side}UpperArm"]) for side in ("left", "right")]
    top = common_ancestor(parents, [int(parents[arm]) for arm in arms] + [bones["head"]])
    if top < 0 or not is_ancestor(parents, bones["hips"], top):
        top = bones["hips"]
    spine = path_between(parents, bones["hips"], top)
    neck = path_between(parents, top, bones["head"])[:-1]
    twists = {
        f"{side}{bone}": _twists(character, bones[f"{side}{bone}"], bones[f"{side}{end}"])
        for side in ("left", "right")
        for chain in _CHAINS
        for bone, end in pairwise(chain)
    }
    return Chains(tuple(spine), tuple(neck), twists)


def _twists(character: Character, node: int, end: int) -> tuple[int, ...]:
    """Return the twist bones below a limb's bone; `end` is the limb's next bone."""
    return tuple(
        child
        for child in character.children(node)
        if is_twist(character.names[child]) and not is_ancestor(character.parents, child, end)
    )


def bones_by_name(character: Character) -> dict[str, int]:
    """Return the bones that have known names."""
    split = [split_name(name) for name in character.names]
    useful = _with_joints(character)
    found: dict[str, int] = {}
    for bone, names in CENTRE_NAMES.items():
        node = _first(split, "", names, useful)
        if node is not None:
            found[bone] = node
    for side in ("left", "right"):
        nodes: dict[str, int] = {}
        taken: set[int] = set()
        # bones with names of their own before those whose names another bone may have
        for bone in sorted(SIDED_BONES, key=lambda b: b in ("UpperArm", "UpperLeg", "Shoulder")):
            node = _first(split, side, SIDED_NAMES[bone], useful, taken)
            if node is not None:
                nodes[bone] = node
                taken.add(node)
        _resolve(character, split, side, nodes, useful)
        found |= {f"{side}{bone}": node for bone, node in nodes.items()}
    return found


def _resolve(
    character: Character,
    split: Sequence[tuple[str, str]],
    side: str,
    nodes: dict[str, int],
    useful: frozenset[int],
) -> None:
    """Reassign names that stand for two bones, by the other names of the same side."""
    cores = {core for own, core in split if own == side}

    def use(bone: str, *names: str) -> None:
        node = _first(split, side, names, useful)
        if node is None:
            nodes.pop(bone, None)
        else:
            nodes[bone] = node

    if "leg" in cores and cores & {"knee", "calf", "shin", "lowerleg", "lowleg"}:
        use("LowerLeg", *(n for n in SIDED_NAMES["LowerLeg"] if n != "leg"))
        use("UpperLeg", *SIDED_NAMES["UpperLeg"])
    elif "leg" in cores and cores & {"upleg", "upperleg", "thigh", "hip"}:
        use("LowerLeg", *SIDED_NAMES["LowerLeg"])
        use("UpperLeg", *(n for n in SIDED_NAMES["UpperLeg"] if n != "leg"))
    if cores & {"upperarm", "uparm", "shldr", "arm"}:
        use("UpperArm", *(n for n in SIDED_NAMES["UpperArm"] if n != "shoulder"))
        use("Shoulder", *SIDED_NAMES["Shoulder"])
    elif cores & {"collar", "clavicle"}:
        use("UpperArm", "shoulder")
        use("Shoulder", "collar", "clavicle")
    if "ankle" in cores:
        use("Foot", "ankle")
        use("Toes", *SIDED_NAMES["Toes"])
    else:
        use("Foot", "foot")
        use("Toes", *(n for n in SIDED_NAMES["Toes"] if n != "foot"))
    if "Toes" in nodes and not (
        "Foot" in nodes and is_ancestor(character.parents, nodes["Foot"], nodes["Toes"])
    ):
        del nodes["Toes"]


def _first(
    split: Sequence[tuple[str, str]],
    side: str,
    names: tuple[str, ...],
    useful: frozenset[int],
    taken: set[int] | frozenset[int] = frozenset(),
) -> int | None:
    """Return the first node, parents first, with the most specific of some names."""
    for name in names:
        for node, (own, core) in enumerate(split):
            if own == side and core == name and node in useful and node not in taken:
                return node
    return None


def _with_joints(character: Character) -> frozenset[int]:
    """Return the nodes that move vertices, themselves or through nodes below them."""
    useful = set(character.joint_nodes)
    for node in reversed(range(len(character.parents))):
        if node in useful and character.parents[node] >= 0:
            useful.add(int(character.parents[node]))
    return frozenset(useful)


def _fill(
    bones: dict[str, int], found_by: dict[str, Source], found: Mapping[str, int], source: Source
) -> None:
    used = set(bones.values())
    for bone, node in found.items():
        if bone not in bones and node not in used:
            bones[bone], found_by[bone] = node, source
            used.add(node)


def _set_hips(character: Character, bones: dict[str, int], found_by: dict[str, Source]) -> None:
    """Make the hips a bone that carries both legs and the head, where they are mapped."""
    ends = [bones[b] for b in ("leftUpperLeg", "rightUpperLeg", "head") if b in bones]
    parents = character.parents
    if len(ends) < 3:
        return
    hips = bones.get("hips")
    if hips is not None and all(is_ancestor(parents, hips, end) for end in ends):
        return
    common = common_ancestor(parents, [int(parents[end]) for end in ends])
    if common >= 0:
        bones["hips"], found_by["hips"] = common, "structure"


def is_ancestor(parents: Ints, above: int, node: int) -> bool:
    """Return True if `above` is `node` or one of its ancestors."""
    while node >= 0 and node != above:
        node = int(parents[node])
    return node == above


def common_ancestor(parents: Ints, nodes: list[int]) -> int:
    """Return the lowest node that is, or is above, all of some nodes; -1 without one."""
    node = nodes[0]
    while node >= 0 and not all(is_ancestor(parents, node, each) for each in nodes):
        node = int(parents[node])
    return node


def path_between(parents: Ints, above: int, node: int) -> list[int]:
    """Return the nodes below `above` down to `node`, which is the last."""
    path: list[int] = []
    while node >= 0 and node != above:
        path.append(node)
        node = int(parents[node])
    return path[::-1]
