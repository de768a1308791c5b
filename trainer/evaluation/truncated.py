"""Half bodies: held-out people whose lower part is cut off, as close to a webcam.

Everything below a line across the trunk is black: at the hips ('waist') or half way from the hips
to the shoulders ('chest'). The first crop follows the crop rule on the joints that are left, the
second, as in the program, on the network's estimate.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import cv2
import numpy as np

from pymaf_live.body import Body, rest_joints
from pymaf_live.body.keypoints import LSP_HIPS, LSP_SHOULDERS
from pymaf_live.system.reporter import SILENT, Reporter
from pymaf_live.types import Array, Image, Mask
from trainer.body.joint_limits import violates_joint_limits
from trainer.data.lspet import LIMBS, ImageStore, JointSet
from trainer.evaluation.inference import estimate_twice, joint_crop
from trainer.evaluation.mesh_eval import BodyPoser
from trainer.evaluation.metrics import PCK_THRESHOLD, normalized_errors
from trainer.evaluation.network import Estimates, Network

Cut = Literal["waist", "chest"]

_HEIGHT = {"waist": 0.0, "chest": 0.5}
"""Height of the cut, as a share of the way from the hips to the shoulders."""

_MIN_TRUNK = 0.12
"""Share of the person's extent in the image."""

_MAX_BONE_RATIO = 1.5
"""A bone longer than this many times the mean body's, or shorter than its inverse, is impossible.

None of the kept bodies fitted to LSPET has a longer one, and 0.7 % have a shorter one."""

_MAX_DISTANCE = 6.0
"""Crop units from the crop's middle beyond which no joint of a person in the crop can be."""


def measure_truncated(
    network: Network,
    joint_set: JointSet,
    rows: Sequence[int],
    bodies: BodyPoser,
    reporter: Reporter = SILENT,
) -> dict[str, Any]:
    """Return shares of impossible and exploded bodies, and PCK of the visible joints, by cut.

    Parameters
    ----------
    network : Network
    joint_set : JointSet
    rows : sequence of int
        Rows without both hips and both shoulders are left out.
    bodies : BodyPoser
    reporter : Reporter
    """
    figures: dict[str, Any] = {}
    for cut in ("waist", "chest"):
        people = [row for row in rows if _trunk_known(joint_set.joints[row])]
        figures |= _measure_cut(network, joint_set, people, bodies, cut, reporter)
    return figures


def _measure_cut(
    network: Network,
    joint_set: JointSet,
    rows: Sequence[int],
    bodies: BodyPoser,
    cut: Cut,
    reporter: Reporter,
) -> dict[str, Any]:
    images = ImageStore(joint_set)
    remaining = np.stack([visible(joint_set.joints[row], cut) for row in rows])
    crops = [joint_crop(joints, network) for joints in remaining]

    def image(index: int) -> Image:
        return blackened(images[rows[index]], joint_set.joints[rows[index]], cut)

    _, found = estimate_twice(network, bodies, image, crops, cut, reporter)
    estimates = found.estimates
    levels = range(len(estimates.rotations))
    # the torso length is the whole annotation's; only visible joints count
    joints, shown = joint_set.joints[list(rows)], remaining[:, LIMBS, 2] > 0
    figures: dict[str, Any] = {f"{cut}_people": len(rows), f"{cut}_pck_visible": []}
    for level in levels:
        errors = normalized_errors(found.points(bodies, "lsp", level), joints)[shown]
        figures[f"{cut}_pck_visible"].append(float((errors < PCK_THRESHOLD).mean()))
    figures[f"{cut}_impossible"] = [
        float(violates_joint_limits(bodies.body, estimates.rotations[level]).mean())
        for level in levels
    ]
    figures[f"{cut}_exploded"] = [
        float(exploded(estimates, level, bodies).mean()) for level in levels
    ]
    figures[f"{cut}_shrunk"] = [float(shrunk(estimates, level, bodies).mean()) for level in levels]
    return figures


def exploded(estimates: Estimates, level: int, bodies: BodyPoser) -> Mask:
    """Return a mask (N,) of bodies that fly apart.

    Such a body has a bone `_MAX_BONE_RATIO` times longer than the mean body's, a scale that is not
    positive, a joint `_MAX_DISTANCE` half crops from the crop's middle, or a value that is not
    finite.
    """
    shape, camera = estimates.shape[level], estimates.camera[level]
    finite = _finite(estimates, level)
    finite_shape = np.where(finite[:, None], shape, 0.0)
    stretched = (_bone_ratios(bodies.body, finite_shape) > _MAX_BONE_RATIO).any(axis=1)
    rotations = np.where(finite[:, None, None, None], estimates.rotations[level], np.eye(3))
    joints = bodies.joints(rotations, finite_shape)
    scale, shift = camera[:, :1], camera[:, 1:]
    distance = np.abs(scale[:, None] * (joints[..., :2] + shift[:, None]))
    far = ~(distance.max(axis=(1, 2)) < _MAX_DISTANCE)
    return np.asarray(~finite | stretched | (camera[:, 0] <= 0) | far)


def shrunk(estimates: Estimates, level: int, bodies: BodyPoser) -> Mask:
    """Return a mask (N,) of bodies squeezed into the visible part: a bone is too short."""
    shape = np.where(_finite(estimates, level)[:, None], estimates.shape[level], 0.0)
    return np.asarray((_bone_ratios(bodies.body, shape) < 1 / _MAX_BONE_RATIO).any(axis=1))


def _finite(estimates: Estimates, level: int) -> Mask:
    parts = estimates.rotations[level], estimates.shape[level], estimates.camera[level]
    flat = np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)
    return np.asarray(np.isfinite(flat).all(axis=1))


def visible(joints: Array, cut: Cut) -> Array:
    """Return annotated joints (14, 3) with the flag 0 below the cut."""
    origin, up, length = _trunk(joints)
    height = (joints[:, :2] - origin) @ up / length
    remaining = joints.copy()
    # joints on the line itself stay, or the waist's cut would have no hips
    remaining[:, 2] *= height >= _HEIGHT[cut] - 0.15
    return remaining


def blackened(image: Image, joints: Array, cut: Cut) -> Image:
    """Return an image that is black below the cut, except a sixth of the trunk under the joints."""
    origin, up, length = _trunk(joints)
    height, width = image.shape[:2]
    y, x = np.mgrid[:height, :width]
    along = ((x - origin[0]) * up[0] + (y - origin[1]) * up[1]) / length
    shown = (along >= _HEIGHT[cut] - 0.17).astype(np.uint8)
    return np.asarray(cv2.bitwise_and(image, image, mask=shown), dtype=np.uint8)


def _trunk(joints: Array) -> tuple[Array, Array, float]:
    hips = joints[list(LSP_HIPS), :2].mean(axis=0)
    shoulders = joints[list(LSP_SHOULDERS), :2].mean(axis=0)
    length = max(float(np.linalg.norm(shoulders - hips)), 1.0)
    return hips, (shoulders - hips) / length, length


def _trunk_known(joints: Array) -> bool:
    if not (joints[[*LSP_HIPS, *LSP_SHOULDERS], 2] > 0).all():
        return False
    _, _, length = _trunk(joints)
    # seen from above or bent double there is no waist to cut at
    return length > _MIN_TRUNK * float(np.ptp(joints[joints[:, 2] > 0, :2], axis=0).max())


def _bone_ratios(body: Body, shape: Array) -> Array:
    """Return the lengths of the bones (N, J - 1) as multiples of the mean body's."""
    child = np.flatnonzero(body.parents >= 0)

    def lengths(shape: Array) -> Array:
        rest = rest_joints(body, shape)
        return np.asarray(np.linalg.norm(rest[:, child] - rest[:, body.parents[child]], axis=-1))

    return np.asarray(lengths(shape) / lengths(np.zeros_like(shape[:1])))
