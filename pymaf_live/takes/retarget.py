"""A take of one body as a take of another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pymaf_live.body import Body, project
from pymaf_live.body.retarget import retarget_poses
from pymaf_live.body.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from pymaf_live.takes import camera_at
from pymaf_live.takes.npz_file import require_body
from pymaf_live.takes.take import Take
from pymaf_live.types import Array


def retargeted_take(take: Take, source: Body, target: Body) -> tuple[Take, Array]:
    """Carry a take over to another body.

    Parameters
    ----------
    take : Take
    source : Body
        That of the take.
    target : Body

    Returns
    -------
    take : Take
        Of the target; who was seen where, and how surely, stays.
    error : (R,) array
        Metres that the joints which both bodies have lie apart, on average over each row.

    Raises
    ------
    InputError
        If the take is not of the source.
    ModelError
        If the bodies have too few joints in common.
    """
    require_body(take, source)
    found = retarget_poses(
        source, target, matrix_from_axis_angle(take.pose), take.shape, take.translation
    )
    flat = np.zeros((len(take.frame), target.joint_count, 2))
    for frame in np.unique(take.frame):
        rows = take.frame == frame
        flat[rows] = project(found.joints[rows], camera_at(take, int(frame)))
    score = np.zeros((len(take.frame), target.joint_count))
    for joint, name in enumerate(target.joint_names):
        if name in take.joint_names:
            score[:, joint] = take.joint_score[:, take.joint_names.index(name)]
        else:
            # a finger is known no better than its hand
            score[:, joint] = score[:, int(target.parents[joint])]
    return replace(
        take,
        pose=axis_angle_from_matrix(found.rotations),
        shape=found.shape,
        translation=found.translation,
        joints=found.joints,
        joints_2d=flat,
        joint_score=score,
        joint_names=target.joint_names,
        parents=target.parents,
        body_sha256=target.sha256,
    ), found.error
