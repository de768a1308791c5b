"""Bones of a humanoid found by the shape of its skeleton alone.

The skeleton must be nearly symmetric at rest. Arms are the mirrored pair of chains that ends
farthest from the plane of symmetry, legs the longest other pair; sides follow from the feet, which
point forward.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.spatial import cKDTree

from pymaf_live.characters.model import Character
from pymaf_live.types import Array

_TOLERANCE = 0.03
"""Distance from the mirrored place, relative to the skeleton's size."""
_MIN_CHAIN = 3
_MAX_CHILDREN = 64
"""Children of a node that carries limbs."""
_ANKLE_HEIGHT = 0.2
"""Largest height of an ankle above the lowest joint, relative to the hip's."""
_PALM = 0.2
"""Part of an arm below which its last bone is a palm, not a lower arm."""


@dataclass(frozen=True)
class _Pair:
    """Mirrored chains on a node of the centre line."""

    centre: int
    first: tuple[int, ...]
    second: tuple[int, ...]


def bones_by_structure(character: Character) -> dict[str, int]:
    """Return the humanoid bones that the shape of the skeleton gives, {} if it is no humanoid."""
    joints = sorted(_with_ancestors(character))
    points = character.rest[:, :3, 3]
    if len(joints) < 2 * _MIN_CHAIN + 3:
        return {}
    size = float(np.ptp(points[joints], axis=0).max())
    if size <= 0:
        return {}
    for lateral in _axes_by_symmetry(points[joints], size):
        pairs = _pairs(character, set(joints), points, lateral, size)
        found = _humanoid(character, set(joints), points, lateral, pairs)
        if found:
            return found
    return {}


def _with_ancestors(character: Character) -> set[int]:
    nodes = set(character.joint_nodes)
    for node in list(nodes):
        parent = int(character.parents[node])
        while parent >= 0 and parent not in nodes:
            nodes.add(parent)
            parent = int(character.parents[parent])
    return nodes


def _axes_by_symmetry(points: Array, size: float) -> list[int]:
    """Return the axes 0..2, the one that the skeleton is most symmetric about first."""
    middle = np.median(points, axis=0)
    scores = []
    for axis in range(3):
        if float(np.ptp(points[:, axis])) < 0.1 * size:
            scores.append(np.inf)
            continue
        mirrored = points.copy()
        mirrored[:, axis] = 2 * middle[axis] - mirrored[:, axis]
        scores.append(float(cKDTree(points).query(mirrored)[0].mean()))
    return [int(axis) for axis in np.argsort(scores) if np.isfinite(scores[axis])]


def _pairs(
    character: Character, joints: set[int], points: Array, lateral: int, size: float
) -> list[_Pair]:
    middle = float(np.median(points[sorted(joints), lateral]))
    reach = _reaches(character, joints, points)
    pairs = []
    for node in sorted(joints):
        if abs(points[node, lateral] - middle) > _TOLERANCE * size:
            continue
        children = character.children(node)
        if len(children) > _MAX_CHILDREN:
            continue
        chains = [_chain(character, joints, reach, child) for child in children]
        chains = [chain for chain in chains if len(chain) >= _MIN_CHAIN]
        for index, first in enumerate(chains):
            pairs += [
                _Pair(node, first, second)
                for second in chains[index + 1 :]
                if len(first) == len(second)
                and _mirrored(points, first, second, lateral, middle, _TOLERANCE * size)
            ]
    return pairs


def _chain(character: Character, joints: set[int], reach: Array, start: int) -> tuple[int, ...]:
    """Return the nodes from `start` along the child whose subtree reaches farthest."""
    chain = [start]
    while True:
        children = [c for c in character.children(chain[-1]) if c in joints]
        if not children or start not in joints:
            return tuple(chain)
        chain.append(max(children, key=lambda c: float(reach[c])))


def _reaches(character: Character, joints: set[int], points: Array) -> Array:
    """Return the length (B,) of each node's longest path below, with the bone that leads to it."""
    below, reach = np.zeros(len(points)), np.zeros(len(points))
    for node in reversed(sorted(joints)):
        parent = int(character.parents[node])
        reach[node] = below[node]
        if parent >= 0:
            reach[node] += float(np.linalg.norm(points[node] - points[parent]))
            below[parent] = max(below[parent], reach[node])
    return reach


def _mirrored(
    points: Array,
    first: tuple[int, ...],
    second: tuple[int, ...],
    lateral: int,
    middle: float,
    tolerance: float,
) -> bool:
    mirrored = points[list(first)].copy()
    mirrored[:, lateral] = 2 * middle - mirrored[:, lateral]
    close = bool((np.linalg.norm(mirrored - points[list(second)], axis=-1) < tolerance).all())
    return close and abs(float(points[first[-1], lateral]) - middle) > tolerance


def _humanoid(
    character: Character, joints: set[int], points: Array, lateral: int, pairs: list[_Pair]
) -> dict[str, int]:
    if len(pairs) < 2:
        return {}
    middle = float(np.median(points[sorted(joints), lateral]))
    arms = max(pairs, key=lambda pair: abs(float(points[pair.first[-1], lateral]) - middle))
    others = [pair for pair in pairs if not set(pair.first) & set(arms.first)]
    legs = max(
        others,
        default=None,
        key=lambda pair: float(np.linalg.norm(points[pair.first[-1]] - points[pair.first[0]])),
    )
    if legs is None:
        return {}
    trunk = points[arms.first[0]] + points[arms.second[0]] - points[legs.first[0]]
    trunk = trunk - points[legs.second[0]]
    trunk[lateral] = 0.0
    axis = int(np.abs(trunk).argmax())
    up = np.zeros(3)
    up[axis] = np.sign(trunk[axis])
    height = points @ up
    above = _above_chest(character, joints, height, arms.centre)
    leg, other_leg = _leg(legs.first, height), _leg(legs.second, height)
    arm = _arm(character, joints, points, arms.first)
    if not above or not leg or not other_leg or not arm:
        return {}
    other_arm = tuple(arms.second[arms.first.index(node)] for node in arm)
    forward = 3 - axis - lateral
    toes = points[legs.first[-1], forward] - points[leg[2], forward]
    if len(leg) < 4 or abs(toes) < 1e-9:
        return {}
    facing = np.zeros(3)
    facing[forward] = np.sign(toes)
    left = np.cross(up, facing)
    found = {"hips": _hips(character, legs.centre, arms.centre), "head": above[-1]}
    if len(above) > 1:
        found["neck"] = above[0]
    for side, sign in (("left", 1.0), ("right", -1.0)):
        own_leg = (
            leg if sign * float((points[leg[0]] - points[other_leg[0]]) @ left) > 0 else other_leg
        )
        own_arm = (
            arm if sign * float((points[arm[-1]] - points[other_arm[-1]]) @ left) > 0 else other_arm
        )
        names = ("UpperLeg", "LowerLeg", "Foot", "Toes")
        found |= {f"{side}{name}": n for name, n in zip(names, own_leg, strict=False)}
        names = ("Shoulder", "UpperArm", "LowerArm", "Hand")
        found |= {
            f"{side}{n}": node for n, node in zip(names[-len(own_arm) :], own_arm, strict=True)
        }
    return found


def _hips(character: Character, legs: int, arms: int) -> int:
    """Return the node that carries both legs and arms."""
    above = {legs}
    node = legs
    while (node := int(character.parents[node])) >= 0:
        above.add(node)
    node = arms
    while node >= 0 and node not in above:
        node = int(character.parents[node])
    return node if node >= 0 else legs


def _above_chest(character: Character, joints: set[int], height: Array, chest: int) -> list[int]:
    """Return neck and head, or the head alone: the chain that rises from the chest."""
    chain: list[int] = []
    node = chest
    while True:
        rising = [c for c in character.children(node) if c in joints and height[c] > height[node]]
        centre = [c for c in rising if not _has_mirror(character, joints, c, rising)]
        if not centre or len(chain) >= 8:
            break
        node = max(centre, key=lambda c: float(height[c]))
        chain.append(node)
    return chain[:2]


def _has_mirror(character: Character, joints: set[int], node: int, others: list[int]) -> bool:
    """Return True if another child of the same parent has as many nodes below it."""

    def size(root: int) -> int:
        return 1 + sum(size(c) for c in character.children(root) if c in joints)

    own = size(node)
    return own >= _MIN_CHAIN and any(size(o) == own for o in others if o != node)


def _leg(chain: tuple[int, ...], height: Array) -> tuple[int, ...]:
    """Return thigh, shank, foot and, if there is one, toes of a chain."""
    lowest = min(float(height[node]) for node in chain)
    limit = lowest + _ANKLE_HEIGHT * (float(height[chain[0]]) - lowest)
    ankle = next((i for i, node in enumerate(chain) if height[node] <= limit), 0)
    if ankle < 2:
        return ()
    drops = [float(height[a] - height[b]) for a, b in pairwise(chain[: ankle + 1])]
    start = int(np.argmax(np.array(drops) > 0.15 * sum(drops)))
    if ankle - start < 2:
        return ()
    half = (height[chain[start]] + height[chain[ankle]]) / 2
    inner = range(start + 1, ankle)
    knee = min(inner, key=lambda i: abs(float(height[chain[i]] - half)))
    return tuple(chain[i] for i in (start, knee, ankle)) + chain[ankle + 1 : ankle + 2]


def _arm(
    character: Character, joints: set[int], points: Array, chain: tuple[int, ...]
) -> tuple[int, ...]:
    """Return shoulder (if there is one), upper arm, lower arm and hand of a chain."""
    fingers = [
        i for i, node in enumerate(chain) if sum(c in joints for c in character.children(node)) >= 3
    ]
    hand = fingers[-1] if fingers else len(chain) - 1
    lengths = [float(np.linalg.norm(points[b] - points[a])) for a, b in pairwise(chain[: hand + 1])]
    while not fingers and hand > 2 and lengths[-1] < _PALM * sum(lengths):
        hand -= 1
        lengths.pop()
    if hand < 2:
        return ()
    total = sum(lengths)
    # a clavicle is shorter than either half of the arm
    start = 1 if hand >= 3 and lengths[0] < 0.35 * total else 0
    walked = np.cumsum(lengths[start:])
    inner = np.arange(len(walked) - 1)
    elbow = start + 1 + int(np.abs(walked[inner] / walked[-1] - 0.5).argmin())
    return tuple(chain[i] for i in ([0] if start else []) + [start, elbow, hand])
