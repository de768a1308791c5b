"""Skin weights of SMPL's 24 joints from MakeHuman's bones: smooth, symmetric, four per vertex."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix, diags

from pymaf_live.types import Array
from trainer.body.open_body.geometry import directed_edges, smoothstep
from trainer.body.open_body.half_mesh import HalfMesh
from trainer.body.open_body.rig import Rig, bone_and_side
from trainer.body.open_body.skeleton import JOINT_MIRROR, JOINT_ROW

_DIFFUSION_STEPS = 6
"""Number of smoothing steps over the surface, which widen the transitions at joints."""
_MIN_EDGE = 2e-3
"""Metres: shorter edges diffuse weights no faster."""
_MIN_WEIGHT = 2e-3
_JOINTS_PER_VERTEX = 4

# prefix of a bone's name -> the joint of its side
_JOINT_OF_BONE = (
    (("clavicle", "shoulder01"), "collar"), (("upperarm",), "shoulder"), (("lowerarm",), "elbow"),
    (("wrist", "metacarpal", "finger1"), "wrist"), (("finger",), "hand"), (("upperleg",), "hip"),
    (("lowerleg",), "knee"), (("foot",), "ankle"), (("toe",), "foot"),
)  # fmt: skip
_SIDES = {".L": "left_", ".R": "right_", "": ""}
_SPINE = (("spine1", 0.085), ("spine2", 0.075), ("spine3", 0.075))
"""Joint and half the height, in metres, of the blend of the trunk's weight at that joint."""


def build_skin_weights(
    rig: Rig, half: HalfMesh, mean: Array, template: Array, joints: Array
) -> Array:
    """Return the weights (V, 24); rows sum to one, at most four entries are positive.

    Parameters
    ----------
    rig : Rig
    half : HalfMesh
    mean : (H, 3) array
        Half body, m.
    template : (V, 3) array
        Whole body, m.
    joints : (24, 3) array
        Joints of the mean body, m.
    """
    weights = _whole(_by_bones(rig, half, mean, joints), half)
    smoothed = _diffused(weights, half, template)
    # fingers and toes are adjacent on the surface: their weights are not smoothed
    ends = [JOINT_ROW[side + end] for end in ("hand", "foot") for side in ("left_", "right_")]
    fixed = smoothstep(weights[:, ends].sum(1))[:, None]
    smoothed = fixed * weights + (1 - fixed) * smoothed
    smallest = np.argsort(-smoothed, axis=1)[:, _JOINTS_PER_VERTEX:]
    np.put_along_axis(smoothed, smallest, 0, 1)
    smoothed[smoothed < _MIN_WEIGHT] = 0
    smoothed /= smoothed.sum(1, keepdims=True)
    weights = 0.5 * (smoothed + smoothed[half.mirror][:, JOINT_MIRROR])
    # left and right weights are equal on the midline and are removed together
    fifth = -np.sort(-weights, axis=1)[:, _JOINTS_PER_VERTEX : _JOINTS_PER_VERTEX + 1]
    weights[weights <= fifth + 1e-9] = 0
    weights /= weights.sum(1, keepdims=True)
    return np.asarray(weights)


def _by_bones(rig: Rig, half: HalfMesh, mean: Array, joints: Array) -> Array:
    """Return the weights (H, 24): summed over each joint's bones, the trunk split by height."""
    weights = np.zeros((half.half_count, 24))
    trunk = np.zeros(half.half_count)
    for column, bone in enumerate(rig.bones):
        own = rig.weights[half.base_vertex, column]
        joint = _joint_of(bone)
        if joint is None:
            trunk += own
        else:
            weights[:, JOINT_ROW[joint]] += own
    # shares of the trunk at or above each spine joint, decreasing upwards
    shares: list[Array] = [np.ones(half.half_count)]
    for joint, reach in _SPINE:
        above = mean[:, 1] - (joints[JOINT_ROW[joint], 1] - reach)
        share = smoothstep(above / (2 * reach))
        shares.append(share if joint == "spine1" else np.minimum(shares[-1], share))
    for name, lower, upper in zip(
        ("pelvis", "spine1", "spine2", "spine3"),
        shares,
        [*shares[1:], np.zeros(half.half_count)],
        strict=True,
    ):
        weights[:, JOINT_ROW[name]] += trunk * (lower - upper)
    return weights


def _joint_of(bone: str) -> str | None:
    """Return the joint that moves with a bone; None for the trunk, which is split by height."""
    name, side = bone_and_side(bone)
    if name in ("root", "pelvis", "breast") or name.startswith("spine"):
        return None
    for starts, joint in _JOINT_OF_BONE:
        if name.startswith(starts):
            return _SIDES[side] + joint
    return "neck" if name.startswith("neck") else "head"


def _whole(weights: Array, half: HalfMesh) -> Array:
    """Return the weights (V, 24) of the whole body from those of the half (H, 24).

    They are symmetric on the midline.
    """
    whole = np.zeros((half.count, 24))
    whole[: half.half_count] = weights
    whole[half.half_count :] = weights[half.off_midline][:, JOINT_MIRROR]
    midline = np.flatnonzero(half.on_midline)
    whole[midline] = 0.5 * (whole[midline] + whole[midline][:, JOINT_MIRROR])
    return whole


def _diffused(weights: Array, half: HalfMesh, template: Array) -> Array:
    """Return the weights after a few steps of diffusion, faster along short edges."""
    edges = directed_edges(half.faces)
    length = np.linalg.norm(template[edges[:, 0]] - template[edges[:, 1]], axis=1)
    rate = 1.0 / np.maximum(length, _MIN_EDGE)
    count = half.count
    averaging = csr_matrix((rate, (edges[:, 0], edges[:, 1])), (count, count))
    averaging = diags(1 / np.asarray(averaging.sum(1)).ravel()) @ averaging
    smoothed = weights.copy()
    for _ in range(_DIFFUSION_STEPS):
        smoothed = 0.5 * smoothed + 0.5 * (averaging @ smoothed)
    return smoothed
