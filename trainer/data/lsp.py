"""The Leeds Sports Pose sets in the layout in which they were published.

Johnson and Everingham: LSP, 'Clustered pose and nonlinear appearance models for human pose
estimation' (BMVC 2010), 2,000 images `images/im0001.jpg`, `joints.mat` (3, 14, 2000), whose third
row flags HIDDEN joints; LSPET (CVPR 2011), 10,000 images `images/im00001.jpg`, `joints.mat`
(14, 3, 10000), whose third column flags ANNOTATED joints. Neither states a licence; the images are
from Flickr and belong to their owners.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pymaf_live.body.keypoints import LSP_NAMES
from pymaf_live.errors import InputError
from trainer.data.annotated import HIDDEN_WEIGHT
from trainer.data.lspet import LOOSE, JointSet
from trainer.data.matlab import read_mat_array

LSP_TRAINING_COUNT = 1000
"""Number of rows at the start of LSP for training; the others are for testing."""

_MAX_PEOPLE = 1_000_000


def read_lsp(folder: Path) -> JointSet:
    """Read LSP's original layout; a hidden joint weighs `HIDDEN_WEIGHT`.

    Raises
    ------
    InputError
        If the labels are missing or have another layout.
    """
    path = folder / "joints.mat"
    joints = read_mat_array(path, "joints")
    if joints.ndim != 3 or joints.shape[:2] != (3, len(LSP_NAMES)):
        raise InputError(f"{path}: joints {joints.shape} are not LSP's (3, {len(LSP_NAMES)}, N)")
    joints = joints.transpose(2, 1, 0)
    hidden = joints[:, :, 2]
    if not np.isin(hidden, (0, 1)).all():
        raise InputError(f"{path}: a joint is neither hidden (1) nor visible (0)")
    weight = np.where(hidden > 0, HIDDEN_WEIGHT, 1.0)
    return _joint_set(folder, path, np.dstack([joints[:, :, :2], weight]), 4)


def read_original_lspet(folder: Path) -> JointSet:
    """Read LSPET's original layout.

    Raises
    ------
    InputError
        If the labels are missing or have another layout.
    """
    path = folder / "joints.mat"
    joints = read_mat_array(path, "joints")
    if joints.ndim != 3 or joints.shape[:2] != (len(LSP_NAMES), 3):
        raise InputError(f"{path}: joints {joints.shape} are not LSPET's ({len(LSP_NAMES)}, 3, N)")
    joints = joints.transpose(2, 0, 1).copy()
    if not np.isin(joints[:, :, 2], (0, 1)).all():
        raise InputError(f"{path}: a joint is neither annotated (1) nor not (0)")
    # joints that are not annotated have arbitrary coordinates
    joints[joints[:, :, 2] == 0] = 0
    return _joint_set(folder, path, joints, 5)


def _joint_set(folder: Path, path: Path, joints: np.ndarray, digits: int) -> JointSet:
    count = len(joints)
    if not 0 < count <= _MAX_PEOPLE:
        raise InputError(f"{path} has {count} people")
    names = tuple(f"im{row + 1:0{digits}d}.jpg" for row in range(count))
    return JointSet(names, joints, LSP_NAMES, folder, np.full(count, LOOSE, dtype=np.int64))
