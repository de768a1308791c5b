"""New animation in a character's own FBX file: everything else stays as it is, byte for byte.

Only the frame rate and time span of the file's settings, and the counts of objects, change with it.
Bones keep their rotation orders, pre- and post-rotations and pivots; the curves are computed for
them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from pymaf_live.characters.model import Character, clean_name
from pymaf_live.characters.retarget import CharacterMotion
from pymaf_live.errors import OutputError
from pymaf_live.export.euler import Order, continuous_angles
from pymaf_live.export.fbx_builder import ObjectTable, frame_ticks
from pymaf_live.export.fbx_document import CUSTOM_TIME_MODE, TIME_MODES, add_take
from pymaf_live.export.fbx_nodes import Int32, Node, packed, write_file
from pymaf_live.export.fbx_tree import child, read_tree, value
from pymaf_live.system.reporter import Reporter, StepReporter
from pymaf_live.types import Array, Ints

_ORDERS: tuple[tuple[str, Order], ...] = (
    ("XYZ", "zyx"),
    ("XZY", "yzx"),
    ("YZX", "xzy"),
    ("YXZ", "zxy"),
    ("ZXY", "yxz"),
    ("ZYX", "xyz"),
)
"""Rotation orders by FBX's numbers: name, and order of the matrix product."""
_VECTORS = (
    "Lcl Translation",
    "Lcl Rotation",
    "Lcl Scaling",
    "PreRotation",
    "PostRotation",
    "RotationOffset",
    "RotationPivot",
    "ScalingOffset",
    "ScalingPivot",
)
_TOLERANCE = 1e-3
"""Largest difference between a bone's rest transform as computed here and as read, relative to the
character's size."""


class UnsupportedFileError(Exception):
    """File that cannot keep its content; the message says why."""


@dataclass(frozen=True, eq=False)
class _Model:
    """Transform properties of a model."""

    id: int
    vectors: dict[str, Array]
    order: Order

    def rotation(self, local: Array) -> Array:
        """Return the rotation (..., 3, 3) of 'Lcl Rotation' that gives a local rotation."""
        before = _euler(self.vectors["PreRotation"])
        after = _euler(self.vectors["PostRotation"])
        return np.asarray(before.T @ local @ after)

    def translation(self, local: Array, place: Array) -> Array:
        """Return 'Lcl Translation' (..., 3) that puts a node with a local rotation at a place."""
        v = self.vectors
        inner = v["ScalingOffset"] + v["ScalingPivot"] - v["Lcl Scaling"] * v["ScalingPivot"]
        turned = local @ (inner - v["RotationPivot"])
        return np.asarray(place - v["RotationOffset"] - v["RotationPivot"] - turned)

    def rest(self) -> Array:
        """Return the local transform (4, 4) that the properties give."""
        v = self.vectors
        before, after = _euler(v["PreRotation"]), _euler(v["PostRotation"])
        local = before @ _euler(v["Lcl Rotation"], self.order) @ after.T
        matrix = np.eye(4)
        matrix[:3, :3] = local * v["Lcl Scaling"]
        matrix[:3, 3] = v["Lcl Translation"] - self.translation(local, np.zeros(3))
        return matrix


def write_original_fbx(
    path: Path,
    character: Character,
    motion: CharacterMotion,
    rate: Fraction,
    name: str,
    reporter: Reporter,
) -> None:
    """Write a character's own FBX file with a motion as a further animation stack.

    Raises
    ------
    UnsupportedFileError
        If the file is text, older than FBX 7.0, or has transforms that cannot be animated.
    OutputError
        If the file would become too large.
    Interrupted
        If the reporter is cancelled.
    """
    try:
        version, top = read_tree(character.path.read_bytes())
    except (OSError, ValueError) as error:
        raise UnsupportedFileError(str(error)) from error
    sections = {node.name: node for node in top}
    objects, connections = sections.get("Objects"), sections.get("Connections")
    if objects is None or connections is None:
        raise UnsupportedFileError("it has no objects")
    models = _models(character, motion, objects, connections)
    name = _unique_stack(objects, name)
    table = ObjectTable(objects, connections, _largest_id(objects))
    known = len(objects.children)
    ticks = frame_ticks(len(motion.hips_position), rate)
    layer, times = table.add_stack(name, int(ticks[-1])), packed(ticks)
    for number, node in enumerate(motion.nodes):
        model, local = models[int(node)], motion.rotations[:, number]
        place = character.local[node, :3, 3]
        moving = model.translation(local, motion.hips_position if node == motion.hips else place)
        if node == motion.hips or np.ptp(moving, axis=0).max() > 1e-6 * np.abs(place).max():
            table.add_curves(layer, model.id, "T", "Lcl Translation", moving, times)
        turns = model.rotation(local)
        angles = np.degrees(continuous_angles(turns[:, None], model.order))[:, 0]
        by_axis = angles[:, [model.order.index(letter) for letter in "xyz"]]
        table.add_curves(layer, model.id, "R", "Lcl Rotation", by_axis, times)
        StepReporter(reporter, 0.0, 0.8).progress((number + 1) / len(motion.nodes))
    _count(sections.get("Definitions"), objects.children[known:])
    _set_rate(sections.get("GlobalSettings"), rate, int(ticks[-1]))
    if "Takes" in sections:
        add_take(sections["Takes"], int(ticks[-1]), name)
    try:
        with path.open("wb") as file:
            write_file(file, top, version=version)
    except OverflowError as error:
        raise OutputError(f"cannot write {path}: the motion is too long for FBX") from error


def node_paths(names: Sequence[str], parents: Ints, *, root: bool) -> list[tuple[str, ...]]:
    """Return the names of each node and its ancestors.

    Parameters
    ----------
    names : (B,) sequence of str
    parents : (B,) array
        Parents come before their children.
    root : bool
        Leave out the nodes without a parent: the root that readers of FBX add.
    """
    paths: list[tuple[str, ...]] = []
    for name, parent in zip(names, parents, strict=True):
        if parent < 0:
            paths.append(() if root else (name,))
        else:
            paths.append((name, *paths[parent]))
    return paths


def _models(
    character: Character, motion: CharacterMotion, objects: Node, connections: Node
) -> dict[int, _Model]:
    """Return the models of the animated nodes.

    Nodes and models are matched by the names from the root down.
    """
    found = {value(node.properties[0]): node for node in objects.children if node.name == "Model"}
    parents: dict[Any, Any] = {}
    for each in connections.children:
        properties = [value(item) for item in each.properties]
        if len(properties) < 3 or properties[0] != "OO" or properties[1] not in found:
            continue
        if properties[2] in found or properties[2] == 0:
            parents[properties[1]] = properties[2]
    by_path: dict[tuple[str, ...], list[Any]] = {}
    for model in found:
        above: list[str] = []
        each = model
        while each in found and len(above) <= len(found):
            above.append(_model_name(found[each]))
            each = parents.get(each, 0)
        by_path.setdefault(tuple(above), []).append(model)
    paths = node_paths(character.names, character.parents, root=True)
    size = float(np.ptp(character.rest[:, :3, 3], axis=0).max())
    models = {}
    for node in motion.nodes:
        ids = by_path.get(paths[node], [])
        if len(ids) != 1:
            raise UnsupportedFileError(f"bone {character.names[node]} is not unique in it")
        model = _model(ids[0], found[ids[0]])
        scale = float(np.cbrt(abs(np.linalg.det(character.rest[node, :3, :3]))))
        difference = model.rest() - character.local[node]
        limit = _TOLERANCE * max(size / max(scale, 1e-12), 1.0)
        if np.abs(difference[:3, :3]).max() > 1e-3 or np.abs(difference[:3, 3]).max() > limit:
            raise UnsupportedFileError(f"bone {character.names[node]} inherits its scale unusually")
        models[int(node)] = model
    return models


def _model_name(node: Node) -> str:
    name = value(node.properties[1]) if len(node.properties) > 1 else ""
    return clean_name(str(name).split("\0")[0])


def _model(model_id: int, node: Node) -> _Model:
    vectors: dict[str, Array] = {name: np.zeros(3) for name in _VECTORS}
    vectors["Lcl Scaling"] = np.ones(3)
    order = 0
    properties = child(node, "Properties70") or Node("")
    for each in properties.children:
        values = [value(item) for item in each.properties]
        if len(values) >= 7 and values[0] in vectors:
            vectors[values[0]] = np.array([float(part) for part in values[4:7]])
        if len(values) >= 5 and values[0] == "RotationOrder":
            order = int(values[4])
    if not 0 <= order < len(_ORDERS):
        raise UnsupportedFileError("a bone has spherical rotations")
    return _Model(model_id, vectors, _ORDERS[order][1])


def _euler(degrees: Array, order: Order = "zyx") -> Array:
    """Return the rotation (3, 3) of Euler angles about x, y and z."""
    turns = {}
    for axis, letter in enumerate("xyz"):
        angle = np.radians(degrees[axis])
        turn = np.eye(3)
        i, j = (axis + 1) % 3, (axis + 2) % 3
        turn[[i, j], [i, j]] = np.cos(angle)
        turn[i, j], turn[j, i] = -np.sin(angle), np.sin(angle)
        turns[letter] = turn
    return np.asarray(turns[order[0]] @ turns[order[1]] @ turns[order[2]])


def _unique_stack(objects: Node, name: str) -> str:
    used = {_model_name(node) for node in objects.children if node.name == "AnimationStack"}
    choice, number = name, 1
    while choice in used:
        number += 1
        choice = f"{name} {number}"
    return choice


def _largest_id(objects: Node) -> int:
    ids = [value(node.properties[0]) for node in objects.children if node.properties]
    largest = max((each for each in ids if isinstance(each, int)), default=0)
    if largest > 1 << 62:  # ids may be addresses; the new ones need room above
        raise UnsupportedFileError("its object numbers are too large")
    return max(largest, 1_000_000)


def _count(definitions: Node | None, added: list[Node]) -> None:
    """Raise the counts of objects by those that were added."""
    if definitions is None:
        return
    kinds = [node.name for node in added]
    for each in definitions.children:
        kind = value(each.properties[0]) if each.properties else None
        count = child(each, "Count")
        if each.name == "Count":
            each.properties = [Int32(int(value(each.properties[0])) + len(added))]
        elif kind in kinds and count is not None:
            count.properties = [Int32(int(value(count.properties[0])) + kinds.count(str(kind)))]
            kinds = [name for name in kinds if name != kind]
    for kind in dict.fromkeys(kinds):
        definitions.add("ObjectType", kind).add("Count", Int32(kinds.count(kind)))


def _set_rate(settings: Node | None, rate: Fraction, ticks: int) -> None:
    properties = child(settings, "Properties70") if settings is not None else None
    if properties is None:
        return
    mode = TIME_MODES.get(rate, CUSTOM_TIME_MODE)
    wanted: dict[str, tuple[Any, ...]] = {
        "TimeMode": ("enum", "", "", Int32(mode)),
        "CustomFrameRate": ("double", "Number", "", float(rate)),
        "TimeSpanStart": ("KTime", "Time", "", 0),
        "TimeSpanStop": ("KTime", "Time", "", ticks),
    }
    for each in properties.children:
        name = value(each.properties[0]) if each.properties else None
        if name in wanted:
            each.properties = [name, *wanted.pop(name)]
    for name, rest in wanted.items():
        properties.add("P", name, *rest)
