"""AMASS clips: npz files of SMPL-H poses (Mahmood et al., ICCV 2019; non-commercial terms).

`poses` (F, 3 a joint) rotation vectors, the body's joints first in SMPL's order; `trans` (F, 3) m;
`betas`; `mocap_framerate`; z up. The poses are taken as they stand: our body has SMPL's joints,
tree and T-pose, and where the two rest poses differ (up to 6 cm in a joint's place, some 5 degrees
in the forearms) a limb comes out turned by that much, which does no harm to a source of poses. The
shape is SMPL-H's own and is left.
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
        Of the npz file.
    body : Body
        With SMPL's joints.
    name : str
        What to call the file in a complaint.

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
        If it is no sound AMASS file.
    """
    try:
        with np.load(BytesIO(content), allow_pickle=False) as file:
            poses = np.asarray(file["poses"], dtype=np.float64)
            places = np.asarray(file["trans"], dtype=np.float64)
            rate = float(file["mocap_framerate"])
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{name} is no AMASS clip: {error}") from error
    if poses.ndim != 2 or poses.shape[1] < 3 * BODY_JOINTS or poses.shape[1] % 3:
        raise InputError(f"{name}: poses {poses.shape} are not rotation vectors of SMPL-H")
    if not 0 < len(poses) <= MAX_FRAMES or places.shape != (len(poses), 3):
        raise InputError(f"{name}: trans {places.shape} does not fit poses {poses.shape}")
    if not (np.isfinite(poses).all() and np.isfinite(places).all() and 0.1 < rate < 10_000):
        raise InputError(f"{name} has numbers that are not finite, or no frame rate")
    if body.joint_count < BODY_JOINTS:
        raise InputError(f"{name} is for bodies of at least {BODY_JOINTS} joints")
    vectors = poses[:, : 3 * BODY_JOINTS].reshape(-1, 3)
    rotations = np.tile(np.eye(3), (len(poses), body.joint_count, 1, 1))
    rotations[:, :BODY_JOINTS] = (
        Rotation.from_rotvec(vectors).as_matrix().reshape(len(poses), -1, 3, 3)
    )
    pelvis = np.asarray(body.joint_regressor[0] @ body.template).reshape(3)
    rotations[:, 0] = _UPRIGHT @ rotations[:, 0]
    # the root turns about the pelvis, which does not lie at the origin
    return rotations, (places + pelvis) @ _UPRIGHT.T - pelvis, rate
