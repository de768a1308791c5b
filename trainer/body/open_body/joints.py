"""SMPL's 24 joints in T-posed bodies, from MakeHuman's joint cubes and the trunk's profile."""

from __future__ import annotations

import numpy as np

from pymaf_live.types import Array, Ints
from trainer.body.open_body.half_mesh import HalfMesh
from trainer.body.open_body.rig import Rig
from trainer.body.open_body.skeleton import JOINT_MIRROR, JOINT_ROW, MIRROR
from trainer.body.open_body.tpose import TPosed

# SMPL's spine joints: relative height between hip and neck, relative depth from back to front
_SPINE = {
    "pelvis": (0.150, 0.4), "spine1": (0.325, 0.32), "spine2": (0.53, 0.37),
    "spine3": (0.66, 0.46),
}  # fmt: skip
_ORIGIN_ABOVE_PELVIS, _ORIGIN_BEHIND_PELVIS = 0.130, -0.028
"""Offset of the origin from the pelvis: up in statures, in depth in metres."""


def smpl_joints(posed: TPosed, trunk: Ints) -> Array:
    """Return the joints (S, 24, 3) m; those of the right side are mirrored.

    Parameters
    ----------
    posed : TPosed
    trunk : (N,) int array
        Half vertices of the trunk on the midline: its profile.
    """
    cubes = posed.cubes
    neck = cubes["neck"]
    hip = cubes["l-upper-leg"].copy()
    hip[:, 0] *= 0.80
    hip[:, 1] -= 0.012
    joints = np.zeros((len(neck), 24, 3))
    # MakeHuman's own spine cubes depend on body weight
    for name, (height, depth) in _SPINE.items():
        level = hip[:, 1] + height * (neck - hip)[:, 1]
        place = _in_profile(posed.points[:, trunk], level, depth)
        joints[:, JOINT_ROW[name]] = np.stack([np.zeros(len(neck)), level, place], 1)
    joints[:, JOINT_ROW["pelvis"], 2] = hip[:, 2] + 0.006
    joints[:, JOINT_ROW["neck"]] = neck
    joints[:, JOINT_ROW["head"]] = neck + 0.80 * (cubes["head"] - neck)
    joints[:, JOINT_ROW["head"], 2] += 0.006
    shoulder = cubes["l-shoulder"]
    left = {
        "hip": hip,
        "knee": cubes["l-knee"],
        "ankle": cubes["l-ankle"],
        "foot": np.mean([cubes[f"l-toe-{toe}-1"] for toe in (1, 2, 3, 4)], 0),
        "shoulder": shoulder,
        "collar": np.stack(
            [
                0.46 * shoulder[:, 0],
                shoulder[:, 1] - 0.025,
                0.75 * shoulder[:, 2] + 0.25 * neck[:, 2],
            ],
            1,
        ),
        "elbow": cubes["l-elbow"],
        "wrist": cubes["l-hand"],
        "hand": cubes["l-finger-3-1"],
    }
    for part, places in left.items():
        joints[:, JOINT_ROW["left_" + part]] = places
    for name, row in JOINT_ROW.items():
        if name.startswith("right"):
            joints[:, row] = joints[:, JOINT_MIRROR[row]] * MIRROR
    return joints


def trunk_profile(rig: Rig, half: HalfMesh) -> Ints:
    """Return the half vertices (N,) of the trunk that lie on the midline."""
    share = rig.share(_is_trunk_bone)[half.base_vertex]
    return np.flatnonzero(half.on_midline & (share > 0.5))


def origins(joints: Array, statures: Array) -> Array:
    """Return the origin (S, 3) of each body.

    It lies about 0.13 statures above the pelvis, as in SMPL, whose template has its pelvis near
    (0, -0.22, 0.03), so that weak-perspective cameras have the same meaning.
    """
    depth = np.full(len(statures), _ORIGIN_BEHIND_PELVIS)
    up = _ORIGIN_ABOVE_PELVIS * statures
    return np.asarray(joints[:, JOINT_ROW["pelvis"]] + np.stack([0 * statures, up, depth], 1))


def _is_trunk_bone(bone: str) -> bool:
    return bone in ("root", "pelvis.L", "pelvis.R") or bone.startswith("spine")


def _in_profile(profile: Array, level: Array, depth: float) -> Array:
    """Return z (S,) at heights (S,) and a relative depth between back and front.

    Parameters
    ----------
    profile : (S, N, 3) array
        Points of the trunk on the midline.
    level : (S,) array
    depth : float
        0 at the back, 1 at the front.
    """
    places = np.zeros(len(profile))
    for body, points in enumerate(profile):
        middle = np.median(points[:, 2])
        ends = []
        for surface in (points[points[:, 2] < middle], points[points[:, 2] >= middle]):
            ordered = surface[np.argsort(surface[:, 1])]
            ends.append(np.interp(level[body], ordered[:, 1], ordered[:, 2]))
        places[body] = (1 - depth) * ends[0] + depth * ends[1]
    return places
