"""Surface parts in the layout of DensePose: 24 parts, each a topological disc on the mesh."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from pymaf_live.types import Array, Ints
from trainer.body.open_body.half_mesh import HalfMesh
from trainer.body.open_body.skeleton import JOINT_ROW, mirrored_name

PARTS = (
    "torso_back", "torso_front", "right_hand", "left_hand", "left_foot", "right_foot",
    "right_upper_leg_back", "left_upper_leg_back", "right_upper_leg_front", "left_upper_leg_front",
    "right_lower_leg_back", "left_lower_leg_back", "right_lower_leg_front", "left_lower_leg_front",
    "left_upper_arm_inside", "right_upper_arm_inside", "left_upper_arm_outside",
    "right_upper_arm_outside", "left_lower_arm_inside", "right_lower_arm_inside",
    "left_lower_arm_outside", "right_lower_arm_outside", "head_right", "head_left",
)  # fmt: skip
"""Names in the order of their numbers, which start at 1 (Gueler et al., 'DensePose', CVPR 2018)."""

PART_NUMBER = {name: number for number, name in enumerate(PARTS, start=1)}

MIRRORED_PART = {PART_NUMBER[name]: PART_NUMBER[mirrored_name(name)] for name in PARTS}
"""Part number -> number of the part on the other side."""

SIX_PARTS = ("head", "torso", "left_arm", "right_arm", "left_leg", "right_leg")
"""Names of the coarse parts, numbered from 0."""

_TORSO, _HEAD, _HAND, _FOOT, _UPPER_LEG, _LOWER_LEG, _UPPER_ARM, _LOWER_ARM = range(8)
_SEGMENT_OF_JOINT = (
    _TORSO, _UPPER_LEG, _UPPER_LEG, _TORSO, _LOWER_LEG, _LOWER_LEG, _TORSO, _FOOT, _FOOT, _TORSO,
    _FOOT, _FOOT, _HEAD, _TORSO, _TORSO, _HEAD, _UPPER_ARM, _UPPER_ARM, _LOWER_ARM, _LOWER_ARM,
    _HAND, _HAND, _HAND, _HAND,
)  # fmt: skip
_MAX_ITERATIONS = 30


def build_parts(half: HalfMesh, mean: Array, weights: Array, joints: Array) -> NDArray[np.uint8]:
    """Return the part (F,) of every face, 1..24.

    Parameters
    ----------
    half : HalfMesh
    mean : (H, 3) array
        Half body, m.
    weights : (V, 24) array
        Skin weights.
    joints : (24, 3) array
        Joints of the mean body, m.
    """
    segment_weights = np.zeros((half.half_count, 8))
    for joint, segment in enumerate(_SEGMENT_OF_JOINT):
        segment_weights[:, segment] += weights[: half.half_count, joint]
    faces = half.half_faces
    centres = mean[faces].mean(1)
    segments = _segments(faces, segment_weights, centres, joints)
    split = _split(segments, centres, joints, _torso_depth(mean, segment_weights, centres))
    left = _clean(split, faces)
    right = [MIRRORED_PART[part] for part in left.tolist()]
    return np.concatenate([left, right]).astype(np.uint8)


def six_parts(face_part: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the coarse part (F,) of every face, an index into `SIX_PARTS`."""
    return np.array([_coarse(PARTS[part - 1]) for part in face_part], np.uint8)


def parts_of_vertices(faces: NDArray[np.int32], face_part: Ints, count: int) -> NDArray[np.uint8]:
    """Return the most common part (V,) among each vertex's faces."""
    votes = np.zeros((count, len(PARTS) + 1))
    for corner in range(3):
        np.add.at(votes, (faces[:, corner], face_part), 1)
    return np.asarray(votes.argmax(1), np.uint8)


def _coarse(part: str) -> int:
    if part.startswith("torso"):
        return SIX_PARTS.index("torso")
    if part.startswith("head"):
        return SIX_PARTS.index("head")
    side = "left_" if "left" in part else "right_"
    return SIX_PARTS.index(side + ("arm" if "arm" in part or "hand" in part else "leg"))


def _segments(faces: Ints, weights: Array, centres: Array, joints: Array) -> Ints:
    """Return the segment (F / 2,) of the left half's faces.

    Elbow, wrist, knee and ankle are cut straight, which looks better than contours of the weights;
    the weights separate trunk, head, arm and leg.
    """
    arm = weights[:, [_HAND, _UPPER_ARM, _LOWER_ARM]].sum(1)[faces].mean(1) > 0.5
    leg = weights[:, [_FOOT, _UPPER_LEG, _LOWER_LEG]].sum(1)[faces].mean(1) > 0.5
    head = weights[:, _HEAD][faces].mean(1) > 0.5
    elbow, wrist = joints[JOINT_ROW["left_elbow"]], joints[JOINT_ROW["left_wrist"]]
    knee, ankle = joints[JOINT_ROW["left_knee"]], joints[JOINT_ROW["left_ankle"]]
    segments = np.zeros(len(faces), int)
    segments[head] = _HEAD
    across = centres[arm, 0]
    segments[arm] = np.where(
        across > wrist[0], _HAND, np.where(across > elbow[0], _LOWER_ARM, _UPPER_ARM)
    )
    # the cut at the ankle rises towards the front
    slope = 0.35 * np.minimum(centres[leg, 2] - ankle[2], 0.04) + 0.02
    above_ankle = centres[leg, 1] - ankle[1] > slope
    segments[leg] = np.where(
        centres[leg, 1] > knee[1], _UPPER_LEG, np.where(above_ankle, _LOWER_LEG, _FOOT)
    )
    return segments


def _split(segments: Ints, centres: Array, joints: Array, torso_depth: Array) -> Ints:
    """Return the part of each left face: front or back, inside or outside of its segment."""

    def bones(*names: str) -> Array:
        chain = [joints[JOINT_ROW["left_" + name]] for name in names]
        return _nearest_on_chain(centres, chain)

    parts = np.zeros(len(segments), int)
    leg, arm = bones("hip", "knee", "ankle"), bones("shoulder", "elbow", "wrist")
    torso = segments == _TORSO
    parts[torso] = np.where(
        centres[torso, 2] > torso_depth[torso],
        PART_NUMBER["torso_front"],
        PART_NUMBER["torso_back"],
    )
    parts[segments == _HEAD] = PART_NUMBER["head_left"]
    parts[segments == _HAND] = PART_NUMBER["left_hand"]
    parts[segments == _FOOT] = PART_NUMBER["left_foot"]
    for segment, name, axis, middle, words in (
        (_UPPER_LEG, "upper_leg", 2, leg, ("front", "back")),
        (_LOWER_LEG, "lower_leg", 2, leg, ("front", "back")),
        (_UPPER_ARM, "upper_arm", 1, arm, ("outside", "inside")),
        (_LOWER_ARM, "lower_arm", 1, arm, ("outside", "inside")),
    ):
        own = segments == segment
        over, under = (PART_NUMBER[f"left_{name}_{word}"] for word in words)
        parts[own] = np.where(centres[own, axis] > middle[own, axis], over, under)
    return parts


def _nearest_on_chain(points: Array, chain: Sequence[Array]) -> Array:
    """Return the nearest points on a chain of bones, each extended by half its length, (N, 3)."""
    nearest, least = np.zeros_like(points), np.full(len(points), np.inf)
    for start, end in pairwise(chain):
        bone = end - start
        share = np.clip(((points - start) @ bone) / (bone @ bone), -0.5, 1.5)[:, None]
        on_bone = start + share * bone
        square = ((points - on_bone) ** 2).sum(1)
        closer = square < least
        nearest[closer], least[closer] = on_bone[closer], square[closer]
    return nearest


def _torso_depth(mean: Array, segment_weights: Array, centres: Array) -> Array:
    """Return the depth (F / 2,) halfway between back and front of the torso at each height."""
    torso = segment_weights[:, _TORSO] > 0.5
    levels = np.linspace(mean[:, 1].min(), mean[:, 1].max(), 60)
    middles = np.full(len(levels), np.nan)
    for row, level in enumerate(levels):
        depth = mean[torso & (np.abs(mean[:, 1] - level) < 0.03), 2]
        if len(depth) > 8:
            middles[row] = 0.5 * (np.percentile(depth, 8) + np.percentile(depth, 92))
    known = ~np.isnan(middles)
    middles = np.interp(levels, levels[known], middles[known])
    middles = np.convolve(np.pad(middles, 3, mode="edge"), np.ones(7) / 7, "valid")
    return np.asarray(np.interp(centres[:, 1], levels, middles))


def _clean(parts: Ints, faces: Ints) -> Ints:
    """Return cleaned parts, each one a disc on the half mesh (the torso: half a disc)."""
    pairs = _adjacent_faces(faces)
    neighbours: dict[int, list[int]] = defaultdict(list)
    for a, b in pairs.tolist():
        neighbours[a].append(b)
        neighbours[b].append(a)
    fans: dict[int, list[int]] = defaultdict(list)
    for number, face in enumerate(faces.tolist()):
        for vertex in face:
            fans[vertex].append(number)
    parts = parts.copy()
    for _ in range(_MAX_ITERATIONS):
        changed = _absorb_single_faces(parts, neighbours)
        changed += _absorb_islands(parts, pairs, neighbours)
        changed += sum(_open_pinch(parts, fan, neighbours) for fan in fans.values())
        if not changed:
            break
    return parts


def _adjacent_faces(faces: Ints) -> Ints:
    """Return pairs (N, 2) of faces that share an edge."""
    faces_of_edge: dict[tuple[int, int], list[int]] = defaultdict(list)
    for number, face in enumerate(faces.tolist()):
        for a, b in ((face[0], face[1]), (face[1], face[2]), (face[2], face[0])):
            faces_of_edge[(min(a, b), max(a, b))].append(number)
    return np.array([pair for pair in faces_of_edge.values() if len(pair) == 2])


def _absorb_single_faces(parts: Ints, neighbours: dict[int, list[int]]) -> int:
    """Reassign faces that another part surrounds; return their number."""
    changed = 0
    for number in range(len(parts)):
        around = neighbours[number]
        votes = Counter(parts[near] for near in around)
        part, count = votes.most_common(1)[0]
        own = votes.get(parts[number], 0)
        outvoted = count >= 2 and len(around) - count <= 1 and own <= len(around) - count
        if part != parts[number] and outvoted and own <= 1 and count > own:
            parts[number] = part
            changed += 1
    return changed


def _absorb_islands(parts: Ints, pairs: Ints, neighbours: dict[int, list[int]]) -> int:
    """Reassign all but the largest component of each part; return the number of faces."""
    same = parts[pairs[:, 0]] == parts[pairs[:, 1]]
    edges = (np.ones(same.sum()), (pairs[same, 0], pairs[same, 1]))
    graph = coo_matrix(edges, (len(parts), len(parts)))
    component = connected_components(graph, directed=False)[1]
    changed = 0
    for part in np.unique(parts):
        for label, _ in Counter(component[parts == part]).most_common()[1:]:
            island = np.flatnonzero(component == label)
            votes = Counter(
                parts[near]
                for number in island.tolist()
                for near in neighbours[number]
                if parts[near] != part
            )
            parts[island] = votes.most_common(1)[0][0]
            changed += len(island)
    return changed


def _open_pinch(parts: Ints, fan: list[int], neighbours: dict[int, list[int]]) -> int:
    """Reassign the smaller of two fans of a part at one vertex; return the number of faces."""
    changed = 0
    for part in {parts[number] for number in fan}:
        own = [number for number in fan if parts[number] == part]
        if len(own) < 2:
            continue
        roots = _connected(own, neighbours)
        sizes = Counter(roots[number] for number in own)
        if len(sizes) < 2:
            continue
        smallest = sizes.most_common()[-1][0]
        for number in own:
            if roots[number] != smallest:
                continue
            around = [parts[near] for near in neighbours[number] if parts[near] != part]
            if around:
                parts[number] = Counter(around).most_common(1)[0][0]
                changed += 1
    return changed


def _connected(faces: list[int], neighbours: dict[int, list[int]]) -> dict[int, int]:
    """Return a representative of the connected component of each face (union-find)."""
    parent = {number: number for number in faces}

    def root(number: int) -> int:
        while parent[number] != number:
            number = parent[number]
        return number

    for number in faces:
        for near in neighbours[number]:
            if near in parent:
                parent[root(number)] = root(near)
    return {number: root(number) for number in faces}
