"""Retargeting of a take to another body."""

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


def retarget_take(take: Take, source: Body, target: Body) -> tuple[Take, Array]:
    """Return a take retargeted to another body.

    Parameters
    ----------
    take : Take
    source : Body
        Body of the take.
    target : Body

    Returns
    -------
    take : Take
        Take of the target body; people, frames and scores stay.
    error : (R,) array
        Mean distance in metres of the joints that both bodies have, for each row.

    Raises
    ------
    InputError
        If the take was not made with `source`.
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
            # a finger is as uncertain as its hand
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
        ground=None,  # legs of another length reach another one
    ), found.error
