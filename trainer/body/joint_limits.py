"""Joint limits: used by the fit's prior and to count anatomically impossible bodies."""

from __future__ import annotations

import numpy as np

from pymaf_live.body import Body
from pymaf_live.body.rotations import axis_angle_from_matrix
from pymaf_live.types import Array, Mask

# rotation vectors (rad) within which a joint moves freely: (joint, axis, low, high), SMPL's frame,
# in which a knee bends back about +x, the left elbow forward about -y, the right about +y
LIMITS = (
    ("left_knee", 0, 0.0, 2.6), ("right_knee", 0, 0.0, 2.6),
    ("left_knee", 1, -0.25, 0.25), ("right_knee", 1, -0.25, 0.25),
    ("left_knee", 2, -0.12, 0.12), ("right_knee", 2, -0.12, 0.12),
    ("left_elbow", 1, -2.6, 0.0), ("right_elbow", 1, 0.0, 2.6),
    ("left_elbow", 2, -0.3, 0.3), ("right_elbow", 2, -0.3, 0.3),
    ("left_elbow", 0, -1.2, 1.2), ("right_elbow", 0, -1.2, 1.2),
    ("left_hip", 0, -2.4, 0.7), ("right_hip", 0, -2.4, 0.7),
    ("left_hip", 1, -0.9, 0.9), ("right_hip", 1, -0.9, 0.9),
    ("left_hip", 2, -0.6, 1.4), ("right_hip", 2, -1.4, 0.6),
    ("spine1", 0, -0.25, 0.6), ("spine2", 0, -0.25, 0.6), ("spine3", 0, -0.2, 0.4),
    ("spine1", 1, -0.4, 0.4), ("spine2", 1, -0.4, 0.4), ("spine3", 1, -0.3, 0.3),
    ("spine1", 2, -0.3, 0.3), ("spine2", 2, -0.3, 0.3), ("spine3", 2, -0.3, 0.3),
    ("neck", 0, -0.6, 0.7), ("neck", 1, -0.7, 0.7), ("neck", 2, -0.5, 0.5),
    ("head", 0, -0.4, 0.4), ("head", 1, -0.5, 0.5), ("head", 2, -0.4, 0.4),
    ("left_ankle", 0, -0.7, 0.9), ("right_ankle", 0, -0.7, 0.9),
    ("left_ankle", 1, -0.5, 0.5), ("right_ankle", 1, -0.5, 0.5),
    ("left_ankle", 2, -0.4, 0.4), ("right_ankle", 2, -0.4, 0.4),
    ("left_collar", 0, -0.3, 0.3), ("right_collar", 0, -0.3, 0.3),
    ("left_collar", 1, -0.5, 0.3), ("right_collar", 1, -0.3, 0.5),
    ("left_collar", 2, -0.2, 0.6), ("right_collar", 2, -0.6, 0.2),
    ("left_wrist", 0, -0.8, 0.8), ("right_wrist", 0, -0.8, 0.8),
    ("left_wrist", 1, -0.6, 0.6), ("right_wrist", 1, -0.6, 0.6),
    ("left_wrist", 2, -1.0, 1.0), ("right_wrist", 2, -1.0, 1.0),
)  # fmt: skip
"""Ranges that the fit's prior favours: our estimate of comfortable motion, not anatomy's limits."""

MARGIN = 0.5
"""Radians (29 degrees) beyond a limit from which a joint counts as impossible.

It is exceeded by 0.4 % of the accepted fits to LSPET's sports images and by 3 % of the rejected.
"""


def violates_joint_limits(body: Body, rotations: Array, margin: float = MARGIN) -> Mask:
    """Return a mask (N,) of the bodies with an anatomically impossible joint.

    A component of the joint's rotation vector lies more than `margin` beyond `LIMITS`: knees and
    elbows bent backwards, shins and forearms bent sideways, twisted necks. Shoulders and the root
    have no limits. Rotations that are not finite count as impossible.

    Parameters
    ----------
    body : Body
        With SMPL's joint names; limits of joints that it lacks are ignored.
    rotations : (N, J, 3, 3) array
        Relative to the parent.
    margin : float
        Radians.
    """
    rotations = np.asarray(rotations, dtype=np.float64)
    finite = np.isfinite(rotations.reshape(len(rotations), -1))
    broken = np.asarray(~np.all(finite, axis=1), dtype=np.bool_)
    valid = np.where(broken[:, None, None, None], np.eye(3), rotations)
    names, violated = list(body.joint_names), np.zeros(len(rotations), bool)
    vectors = {
        name: axis_angle_from_matrix(valid[:, names.index(name)])
        for name in {name for name, _, _, _ in LIMITS}
        if name in names
    }
    for name, axis, low, high in LIMITS:
        if name in vectors:
            angle = vectors[name][:, axis]
            violated |= (angle < low - margin) | (angle > high + margin)
    return np.asarray(violated | broken, dtype=np.bool_)
