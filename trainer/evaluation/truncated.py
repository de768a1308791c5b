"""Half bodies: held-out people whose lower part is cut off, as close to a webcam.

What lies below a line across the trunk is black: at the hips ('waist') or half way from the hips
to the shoulders ('chest'). The crop is the rule's on the joints that are left, then, as in the
program, on what the network makes of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import cv2
import numpy as np

from pymaf_live.body import Body, rest_joints
from pymaf_live.tracking.crop import crop_from_points
from pymaf_live.types import Array, Crop, Image, Mask
from trainer.body.joint_limits import impossible
from trainer.data.lspet import (
    LEFT_HIP,
    LEFT_SHOULDER,
    LIMBS,
    RIGHT_HIP,
    RIGHT_SHOULDER,
    ImageStore,
    JointSet,
    annotated_turn,
)
from trainer.evaluation.inference import estimate_twice
from trainer.evaluation.mesh_eval import BodyPoser
from trainer.evaluation.metrics import PCK_THRESHOLD, normalized_errors
from trainer.evaluation.network import Estimates, Network

Cut = Literal["waist", "chest"]

_UP = {"waist": 0.0, "chest": 0.5}
"""Where the cut lies on the way from the hips to the shoulders."""

_LEAST_TRUNK = 0.12
"""Of the person's extent in the picture."""

_LONGEST = 1.5
"""A bone longer than this many times the mean body's, or shorter than its inverse, is no bone.

Of the bodies fitted to LSPET that were kept none has a longer one and 0.7 % have a shorter one."""

_FARTHEST = 6.0
"""Crop units from the crop's middle beyond which no joint of a person in the crop can be."""


def measure_truncated(
    network: Network, joint_set: JointSet, rows: Sequence[int], bodies: BodyPoser
) -> dict[str, Any]:
    """Shares of impossible and exploded bodies, and PCK of the joints left, cut by cut.

    Parameters
    ----------
    network : Network
    joint_set : JointSet
    rows : sequence of int
        Those without both hips and both shoulders are left out.
    bodies : Bodies
    """
    figures: dict[str, Any] = {}
    for cut in ("waist", "chest"):
        people = [row for row in rows if _trunk_known(joint_set.joints[row])]
        figures |= _measure_cut(network, joint_set, people, bodies, cut)
    return figures


def _measure_cut(
    network: Network, joint_set: JointSet, rows: Sequence[int], bodies: BodyPoser, cut: Cut
) -> dict[str, Any]:
    pictures = ImageStore(joint_set)
    left = np.stack([visible(joint_set.joints[row], cut) for row in rows])
    crops = [half_crop(joints, network.size) for joints in left]

    def image(index: int) -> Image:
        return blackened(pictures[rows[index]], joint_set.joints[rows[index]], cut)

    _, looked = estimate_twice(network, bodies, image, crops, cut)
    levels = range(len(looked.estimates.rotations))
    # the torso's length is the whole annotation's, the joints judged are those that can be seen
    joints, shown = joint_set.joints[list(rows)], left[:, LIMBS, 2] > 0
    figures: dict[str, Any] = {f"{cut}_people": len(rows), f"{cut}_pck_visible": []}
    for level in levels:
        missed = normalized_errors(looked.points(bodies, "lsp", level), joints)[shown]
        figures[f"{cut}_pck_visible"].append(float((missed < PCK_THRESHOLD).mean()))
    rotations = looked.estimates.rotations
    figures[f"{cut}_impossible"] = [
        float(impossible(bodies.body, rotations[level]).mean()) for level in levels
    ]
    figures[f"{cut}_exploded"] = [
        float(exploded(looked.estimates, level, bodies).mean()) for level in levels
    ]
    figures[f"{cut}_shrunk"] = [
        float(shrunk(looked.estimates, level, bodies).mean()) for level in levels
    ]
    return figures


def exploded(estimates: Estimates, level: int, bodies: BodyPoser) -> Mask:
    """Whether a body (N,) flies apart.

    A bone `_LONGEST` times longer than the mean body's, a scale that is not positive, a joint
    `_FARTHEST` half crops from the crop's middle, or a number that is none.
    """
    shape, camera = estimates.shape[level], estimates.camera[level]
    finite = _finite(estimates, level)
    sound = np.where(finite[:, None], shape, 0.0)
    stretched = (_bone_ratios(bodies.body, sound) > _LONGEST).any(axis=1)
    rotations = np.where(finite[:, None, None, None], estimates.rotations[level], np.eye(3))
    joints = bodies.joints(rotations, sound)
    scale, shift = camera[:, :1], camera[:, 1:]
    flat = np.abs(scale[:, None] * (joints[..., :2] + shift[:, None]))
    far = ~(flat.max(axis=(1, 2)) < _FARTHEST)
    return np.asarray(~finite | stretched | (camera[:, 0] <= 0) | far)


def shrunk(estimates: Estimates, level: int, bodies: BodyPoser) -> Mask:
    """Whether a body (N,) is squeezed into what can be seen: a bone `_LONGEST` times too short."""
    shape = np.where(_finite(estimates, level)[:, None], estimates.shape[level], 0.0)
    return np.asarray((_bone_ratios(bodies.body, shape) < 1 / _LONGEST).any(axis=1))


def _finite(estimates: Estimates, level: int) -> Mask:
    parts = estimates.rotations[level], estimates.shape[level], estimates.camera[level]
    flat = np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)
    return np.asarray(np.isfinite(flat).all(axis=1))


def visible(joints: Array, cut: Cut) -> Array:
    """Annotated joints (14, 3) with the flag 0 on what lies below the cut."""
    origin, up, length = _trunk(joints)
    height = (joints[:, :2] - origin) @ up / length
    left = joints.copy()
    # joints on the very line stay, or the waist's cut would have no hips
    left[:, 2] *= height >= _UP[cut] - 0.15
    return left


def blackened(image: Image, joints: Array, cut: Cut) -> Image:
    """The picture with all below the cut black, a sixth of the trunk under the joints left."""
    origin, up, length = _trunk(joints)
    height, width = image.shape[:2]
    y, x = np.mgrid[:height, :width]
    along = ((x - origin[0]) * up[0] + (y - origin[1]) * up[1]) / length
    shown = (along >= _UP[cut] - 0.17).astype(np.uint8)
    return np.asarray(cv2.bitwise_and(image, image, mask=shown), dtype=np.uint8)


def half_crop(joints: Array, size: int) -> Crop:
    """The crop rule on what is left of a person."""
    known = joints[joints[:, 2] > 0, :2]
    return crop_from_points(known, annotated_turn(joints), size)


def _trunk(joints: Array) -> tuple[Array, Array, float]:
    hips = joints[[RIGHT_HIP, LEFT_HIP], :2].mean(axis=0)
    shoulders = joints[[RIGHT_SHOULDER, LEFT_SHOULDER], :2].mean(axis=0)
    length = max(float(np.linalg.norm(shoulders - hips)), 1.0)
    return hips, (shoulders - hips) / length, length


def _trunk_known(joints: Array) -> bool:
    trunk = [RIGHT_HIP, LEFT_HIP, RIGHT_SHOULDER, LEFT_SHOULDER]
    if not (joints[trunk, 2] > 0).all():
        return False
    _, _, length = _trunk(joints)
    # seen from above or bent double there is no waist to cut at
    return length > _LEAST_TRUNK * float(np.ptp(joints[joints[:, 2] > 0, :2], axis=0).max())


def _bone_ratios(body: Body, shape: Array) -> Array:
    """Lengths of the bones (N, J - 1) as multiples of the mean body's."""
    child = np.flatnonzero(body.parents >= 0)

    def lengths(shape: Array) -> Array:
        rest = rest_joints(body, shape)
        return np.asarray(np.linalg.norm(rest[:, child] - rest[:, body.parents[child]], axis=-1))

    return np.asarray(lengths(shape) / lengths(np.zeros_like(shape[:1])))
