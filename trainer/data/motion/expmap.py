"""CMU clips as exponential maps: the text files of the human-motion-prediction studies.

One row per frame: the root's translation (CMU units, y up) and 38 rotation vectors, in the order of
the joints and end sites in CMU's BVH files. The vectors rotate row vectors, not column vectors: a
bone's rotation is the transpose of the matrix of its vector. The first row is a rest pose.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from pymaf_live.errors import InputError
from pymaf_live.types import Array
from trainer.data.motion.bvh import CMU_UNIT
from trainer.data.motion.skeleton_clip import MAX_FRAMES, SkeletonClip, forward_kinematics

FRAME_RATE = 120.0

_LEFT = ("lhipjoint", "lfemur", "ltibia", "lfoot", "ltoes", "")
_RIGHT = ("rhipjoint", "rfemur", "rtibia", "rfoot", "rtoes", "")
_ARM = ("clavicle", "humerus", "radius", "wrist", "hand", "fingers", "", "thumb", "")
_ROWS = (
    "root", *_LEFT, *_RIGHT,
    "lowerback", "upperback", "thorax", "lowerneck", "upperneck", "head", "",
    *(f"l{bone}" if bone else "" for bone in _ARM), *(f"r{bone}" if bone else "" for bone in _ARM),
)  # fmt: skip
"""Bone of each rotation vector; empty for an end site."""

_PARENT = {
    "lhipjoint": "root", "lfemur": "lhipjoint", "ltibia": "lfemur", "lfoot": "ltibia",
    "ltoes": "lfoot", "rhipjoint": "root", "rfemur": "rhipjoint", "rtibia": "rfemur",
    "rfoot": "rtibia", "rtoes": "rfoot", "lowerback": "root", "upperback": "lowerback",
    "thorax": "upperback", "lowerneck": "thorax", "upperneck": "lowerneck", "head": "upperneck",
    "lclavicle": "thorax", "lhumerus": "lclavicle", "lradius": "lhumerus", "lwrist": "lradius",
    "lhand": "lwrist", "lfingers": "lhand", "lthumb": "lhand", "rclavicle": "thorax",
    "rhumerus": "rclavicle", "rradius": "rhumerus", "rwrist": "rradius", "rhand": "rwrist",
    "rfingers": "rhand", "rthumb": "rhand",
}  # fmt: skip

# offset along each bone at rest, CMU units: an adult of CMU, legs 20 degrees apart, arms in T-pose;
# the clips do not name their actor
_OFFSETS = {
    "lhipjoint": (1.63, -1.80, 0.62), "lfemur": (2.60, -7.13, 0.0), "ltibia": (2.48, -6.81, 0.0),
    "lfoot": (0.21, -0.59, 2.14), "ltoes": (0.0, 0.0, 1.11), "lowerback": (0.0, 2.05, -0.14),
    "upperback": (0.0, 2.06, -0.06), "thorax": (0.0, 2.1, 0.0), "lowerneck": (0.0, 1.57, 0.15),
    "upperneck": (0.0, 1.56, -0.1), "head": (0.0, 1.63, -0.05), "lclavicle": (3.5, 0.83, -0.25),
    "lhumerus": (4.95, 0.0, 0.0), "lradius": (3.36, 0.0, 0.0), "lwrist": (0.7, 0.0, 0.0),
    "lhand": (0.7, 0.0, 0.0), "lfingers": (0.56, 0.0, 0.0), "lthumb": (0.57, 0.0, 0.57),
}  # fmt: skip

# bones that start at the start of their parent, not at its end
_AT_PARENT_START = ("lowerneck", "lclavicle", "rclavicle", "lhand", "rhand", "lthumb", "rthumb")


def read_expmap(text: str, name: str = "the clip") -> SkeletonClip:
    """Read a clip, without its first row.

    Parameters
    ----------
    text : str
    name : str
        Name of the file in error messages.

    Raises
    ------
    InputError
        If the text has fewer than two rows, or a row is not 117 finite numbers.
    """
    width = 3 + 3 * len(_ROWS)
    try:
        rows = [line.split(",") for line in text.splitlines() if line.strip()]
        if not 2 <= len(rows) <= MAX_FRAMES:
            raise ValueError(f"{len(rows)} rows")
        values = np.array([[float(number) for number in row] for row in rows])
        if values.shape[1:] != (width,):
            raise ValueError(f"rows do not have {width} numbers")
        if not np.isfinite(values).all():
            raise ValueError("it contains numbers that are not finite")
    except ValueError as error:
        raise InputError(f"{name} is not a valid clip of exponential maps: {error}") from error
    values = values[1:]
    names = [bone for bone in _ROWS if bone]
    columns = [row for row, bone in enumerate(_ROWS) if bone]
    vectors = values[:, 3:].reshape(len(values), -1, 3)[:, columns]
    rotations = Rotation.from_rotvec(-vectors.reshape(-1, 3)).as_matrix()
    local = rotations.reshape(len(values), len(names), 3, 3)
    parents = [names.index(_PARENT[bone]) if bone in _PARENT else -1 for bone in names]
    offsets = np.array([_offset(bone) for bone in names]) * CMU_UNIT
    starts = offsets[np.maximum(parents, 0)]
    starts[[names.index(bone) for bone in _AT_PARENT_START]] = 0
    return forward_kinematics(
        names, parents, starts, offsets, local, values[:, :3] * CMU_UNIT, FRAME_RATE
    )


def _offset(bone: str) -> Array:
    """Return the offset (3,) of a bone; right bones mirror the left ones."""
    if bone in _OFFSETS:
        return np.array(_OFFSETS[bone])
    mirrored = _OFFSETS.get(f"l{bone[1:]}", (0.0, 0.0, 0.0))
    return np.array(mirrored) * [-1, 1, 1]
