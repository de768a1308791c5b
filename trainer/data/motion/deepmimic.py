"""DeepMimic's motion files: JSON, one row of 44 numbers per frame.

A row: seconds, root position (m, y up), root rotation, then the rotations of chest, neck and limbs;
quaternions w, x, y, z; knees and elbows are angles about the character's own z. At rest the
character faces +x, its right side at +z, its arms at its sides (Peng et al., 'DeepMimic',
SIGGRAPH 2018; the data are MIT).
"""

from __future__ import annotations

import json

import numpy as np
from scipy.spatial.transform import Rotation

from pymaf_live.errors import InputError
from pymaf_live.types import Array
from trainer.data.motion.skeleton_clip import (
    MAX_FRAMES,
    SkeletonClip,
    forward_kinematics,
    interpolate_rotations,
)

# after seconds, root position (3) and root quaternion (4): part, number of values
_PARTS = (
    ("chest", 4), ("neck", 4), ("rfemur", 4), ("rtibia", 1), ("rfoot", 4), ("rhumerus", 4),
    ("rradius", 1), ("lfemur", 4), ("ltibia", 1), ("lfoot", 4), ("lhumerus", 4), ("lradius", 1),
)  # fmt: skip
_WIDTH = 8 + sum(count for _, count in _PARTS)

# parent, start in the parent and offset along the bone, metres, in the character's own axes
_TREE = {
    "root": ("", (0, 0, 0), (0, 0.236, 0)),
    "chest": ("root", (0, 0.236, 0), (0, 0.224, 0)),
    "neck": ("chest", (0, 0.224, 0), (0, 0.175, 0)),
    "rfemur": ("root", (0, 0, 0.085), (0, -0.422, 0)),
    "rtibia": ("rfemur", (0, -0.422, 0), (0, -0.410, 0)),
    "rfoot": ("rtibia", (0, -0.410, 0), (0.13, -0.05, 0)),
    "rhumerus": ("chest", (-0.024, 0.244, 0.183), (0, -0.275, 0)),
    "rradius": ("rhumerus", (0, -0.275, 0), (0, -0.259, 0)),
    "lfemur": ("root", (0, 0, -0.085), (0, -0.422, 0)),
    "ltibia": ("lfemur", (0, -0.422, 0), (0, -0.410, 0)),
    "lfoot": ("ltibia", (0, -0.410, 0), (0.13, -0.05, 0)),
    "lhumerus": ("chest", (-0.024, 0.244, -0.183), (0, -0.275, 0)),
    "lradius": ("lhumerus", (0, -0.275, 0), (0, -0.259, 0)),
}

# CMU bones that the character lacks -> the bone that they move with
_COPIED_BONES = {
    "ltoes": "lfoot", "rtoes": "rfoot", "lclavicle": "chest", "rclavicle": "chest",
    "lwrist": "lradius", "rwrist": "rradius", "lhand": "lradius", "rhand": "rradius",
    "thorax": "chest", "head": "neck",
}  # fmt: skip
# CMU bones that divide the rotation of one joint: bone -> (from, to, fraction)
_DIVIDED_BONES = {
    "lowerback": ("root", "chest", 1 / 3),
    "upperback": ("root", "chest", 2 / 3),
    "lowerneck": ("chest", "neck", 0.5),
}

# the character's x (front) is our z, its z (right) is our -x
_TO_OUR_AXES = np.array([[0.0, 0, -1], [0, 1, 0], [1, 0, 0]])


def read_deepmimic(text: str, name: str = "the clip") -> SkeletonClip:
    """Read a clip.

    Parameters
    ----------
    text : str
    name : str
        Name of the file in error messages.

    Raises
    ------
    InputError
        If the text is not a valid motion file of the humanoid.
    """
    try:
        rows = json.loads(text)["Frames"]
        if not isinstance(rows, list) or not 2 <= len(rows) <= MAX_FRAMES:
            raise ValueError("it has fewer than two frames or too many")
        values = np.array(rows, dtype=np.float64)
        if values.shape[1:] != (_WIDTH,):
            raise ValueError(f"frames do not have {_WIDTH} numbers")
        if not np.isfinite(values).all():
            raise ValueError("it contains numbers that are not finite")
        # ignore the last frame's duration, it is often 0
        seconds = float(np.median(values[:-1, 0]))
        if not 1e-4 < seconds < 10:
            raise ValueError(f"its frames last {seconds:g} seconds")
        local = _local(values)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise InputError(f"{name} is not a valid DeepMimic clip: {error}") from error
    names = list(_TREE)
    parents = [names.index(parent) if parent else -1 for parent, _, _ in _TREE.values()]
    starts = np.array([start for _, start, _ in _TREE.values()]) @ _TO_OUR_AXES.T
    offsets = np.array([offset for _, _, offset in _TREE.values()]) @ _TO_OUR_AXES.T
    root = values[:, 1:4] @ _TO_OUR_AXES.T
    clip = forward_kinematics(names, parents, starts, offsets, local, root, 1 / seconds)
    return _with_cmu_bones(clip)


def _local(values: Array) -> Array:
    """Return the local rotations (F, B, 3, 3) in the order of `_TREE`."""
    columns, local = 8, [_quaternion(values[:, 4:8])]
    rotations = {}
    for part, count in _PARTS:
        numbers = values[:, columns : columns + count]
        columns += count
        if count == 1:
            numbers = np.column_stack(
                [np.cos(numbers / 2), 0 * numbers, 0 * numbers, np.sin(numbers / 2)]
            )
        rotations[part] = _quaternion(numbers)
    local += [rotations[part] for part in _TREE if part != "root"]
    return np.stack(local, axis=1)


def _quaternion(numbers: Array) -> Array:
    """Convert quaternions (F, 4) w, x, y, z in the character's axes to (F, 3, 3) in ours."""
    rotations = Rotation.from_quat(numbers[:, [1, 2, 3, 0]]).as_matrix()
    return np.asarray(_TO_OUR_AXES @ rotations @ _TO_OUR_AXES.T)


def _with_cmu_bones(clip: SkeletonClip) -> SkeletonClip:
    """Return the clip with the CMU bones that the character lacks."""
    names, rows = list(clip.names), [clip.bone(bone) for bone in _COPIED_BONES.values()]
    world = [clip.world, clip.world[:, rows]]
    for first, second, fraction in _DIVIDED_BONES.values():
        divided = interpolate_rotations(
            clip.world[:, clip.bone(first)], clip.world[:, clip.bone(second)], fraction
        )
        world.append(divided[:, None])
    rows += [clip.bone(first) for first, _, _ in _DIVIDED_BONES.values()]
    return SkeletonClip(
        (*names, *_COPIED_BONES, *_DIVIDED_BONES),
        np.concatenate([clip.offsets, clip.offsets[rows]]),
        np.concatenate(world, axis=1),
        np.concatenate([clip.starts, clip.starts[:, rows]], axis=1),
        np.concatenate([clip.ends, clip.ends[:, rows]], axis=1),
        clip.frame_rate,
    )
