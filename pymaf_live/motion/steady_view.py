"""Takes of a moving camera, as seen from the place where the camera was in the first frame.

The camera turns and zooms, as `Take.camera_motion` tells; that it also changes its place is not
taken into account. A zoom makes people look nearer than they are.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pymaf_live.body import project
from pymaf_live.body.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from pymaf_live.takes.take import Take
from pymaf_live.types import Array


def steadied(take: Take) -> Take:
    """Return a take with the people in the first frame's camera frame.

    Their positions in the image stay those of the frames. The ground is left out: in the take it is
    that of the moving camera.

    Raises
    ------
    ValueError
        If the motion of the camera is unknown.
    """
    rotation, zoom = _motion(take)
    root = np.asarray(take.joints[:, 0], dtype=np.float64)
    root = np.concatenate([root[:, :2], root[:, 2:] * zoom], axis=1)
    moved = _moved(take, rotation, np.einsum("nij,nj->ni", rotation, root))
    return replace(moved, camera_motion=None, ground=None)


def unsteadied(steady: Take, take: Take) -> Take:
    """Return a take like `steady`, of `steadied`, in the camera frames of `take`."""
    rotation, zoom = _motion(take)
    back = np.swapaxes(rotation, 1, 2)
    root = np.einsum("nij,nj->ni", back, np.asarray(steady.joints[:, 0], dtype=np.float64))
    root = np.concatenate([root[:, :2], root[:, 2:] / zoom], axis=1)
    moved = _moved(steady, back, root)
    joints_2d = project(np.asarray(moved.joints, dtype=np.float64), take.camera)
    box = np.concatenate([joints_2d.min(axis=1), joints_2d.max(axis=1)], axis=1)
    return replace(
        moved, joints_2d=joints_2d, box=box, camera_motion=take.camera_motion, ground=take.ground
    )


def _motion(take: Take) -> tuple[Array, Array]:
    """Return the rotation (R, 3, 3) and the zoom (R, 1) of the camera in each row."""
    if take.camera_motion is None:
        raise ValueError("the motion of the camera is unknown")
    motion = np.asarray(take.camera_motion, dtype=np.float64)[take.frame]
    return matrix_from_axis_angle(motion[:, :3]), motion[:, 3:]


def _moved(take: Take, rotation: Array, root: Array) -> Take:
    """Return the take with all people turned (R, 3, 3), the root joint at (R, 3) m."""
    joints = np.asarray(take.joints, dtype=np.float64)
    pose = np.array(take.pose, dtype=np.float64)
    pose[:, 0] = axis_angle_from_matrix(rotation @ matrix_from_axis_angle(pose[:, 0]))
    around = np.einsum("nij,nkj->nki", rotation, joints - joints[:, :1])
    translation = np.asarray(take.translation, dtype=np.float64) - joints[:, 0] + root
    return replace(take, pose=pose, joints=root[:, None] + around, translation=translation)
