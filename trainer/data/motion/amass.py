"""AMASS clips: npz files of SMPL-H poses (Mahmood et al., ICCV 2019; non-commercial terms).

`poses` (F, 3 per joint) rotation vectors, the body's joints first in SMPL's order; `trans` (F, 3)
m; `betas`; `mocap_framerate`; z up. The poses are used unchanged: our body has SMPL's joints, tree
and T-pose. Where the two rest poses differ (up to 6 cm in a joint's position, some 5 degrees in the
forearms), the limbs are rotated by that amount, which is acceptable for a source of poses. The
shape belongs to SMPL-H and is ignored.
"""

from __future__ import annotations

import zipfile
from io import BytesIO

import numpy as np
from scipy.spatial.transform import Rotation

from pymaf_live.body import Body
from pymaf_live.errors import InputError
from pymaf_live.types import Array
from trainer.data.motion.skeleton_clip import MAX_FRAMES

BODY_JOINTS = 22
"""SMPL's joints without the two hands, which SMPL-H replaces by fingers."""

_UPRIGHT = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
"""z up to y up."""


def read_amass(content: bytes, body: Body, name: str = "the clip") -> tuple[Array, Array, float]:
    """Read a clip onto our body.

    Parameters
    ----------
    content : bytes
        Content of the npz file.
    body : Body
        With SMPL's joints.
    name : str
        Name of the file in error messages.

    Returns
    -------
    rotations : (F, J, 3, 3) array
        Relative to the parent; hands in line with the wrists.
    translation : (F, 3) array
        Metres, y up.
    frame_rate : float

    Raises
    ------
    InputError
        If the content is not a valid AMASS file.
    """
    try:
        with np.load(BytesIO(content), allow_pickle=False) as file:
            poses = np.asarray(file["poses"], dtype=np.float64)
            translation = np.asarray(file["trans"], dtype=np.float64)
            rate = float(file["mocap_framerate"])
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{name} is not an AMASS clip: {error}") from error
    if poses.ndim != 2 or poses.shape[1] < 3 * BODY_JOINTS or poses.shape[1] % 3:
        raise InputError(f"{name}: poses {poses.shape} are not rotation vectors of SMPL-H")
    if not 0 < len(poses) <= MAX_FRAMES or translation.shape != (len(poses), 3):
        raise InputError(f"{name}: trans {translation.shape} does not fit poses {poses.shape}")
    if not (np.isfinite(poses).all() and np.isfinite(translation).all() and 0.1 < rate < 10_000):
        raise InputError(f"{name} contains numbers that are not finite, or an invalid frame rate")
    if body.joint_count < BODY_JOINTS:
        raise InputError(f"{name} needs a body of at least {BODY_JOINTS} joints")
    vectors = poses[:, : 3 * BODY_JOINTS].reshape(-1, 3)
    rotations = np.tile(np.eye(3), (len(poses), body.joint_count, 1, 1))
    rotations[:, :BODY_JOINTS] = (
        Rotation.from_rotvec(vectors).as_matrix().reshape(len(poses), -1, 3, 3)
    )
    pelvis = np.asarray(body.joint_regressor[0] @ body.template).reshape(3)
    rotations[:, 0] = _UPRIGHT @ rotations[:, 0]
    # the root rotates about the pelvis, which is not at the origin
    return rotations, (translation + pelvis) @ _UPRIGHT.T - pelvis, rate
