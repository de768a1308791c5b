"""Key points as weighted sums of vertices, and the key-point sets of data sets and networks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pymaf_live.types import Array, Ints
from trainer.body.open_body.half_mesh import HalfMesh
from trainer.body.open_body.joint_regressor import Regression, RowError
from trainer.body.open_body.skeleton import JOINT_ROW, JOINTS

_LIMBS = ("knee", "ankle", "shoulder", "elbow", "wrist")
_FINGERS = ("thumb", "index", "middle", "ring", "pinky")
_KNUCKLES = {"thumb": "l-finger-1-2", "index": "l-finger-2-1", "pinky": "l-finger-5-1"}
"""Finger -> MakeHuman's joint cube of its knuckle."""

KEYPOINT_SETS = {
    "lsp": (
        "right_ankle right_knee right_hip left_hip left_knee left_ankle right_wrist right_elbow "
        "right_shoulder left_shoulder left_elbow left_wrist neck_base head_top"
    ),
    "coco": (
        "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow "
        "right_elbow left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle "
        "right_ankle"
    ),
    "blazepose": (
        "nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer "
        "left_ear right_ear left_mouth right_mouth left_shoulder right_shoulder left_elbow "
        "right_elbow left_wrist right_wrist left_pinky_knuckle right_pinky_knuckle "
        "left_index_knuckle right_index_knuckle left_thumb_knuckle right_thumb_knuckle left_hip "
        "right_hip left_knee right_knee left_ankle right_ankle left_heel right_heel "
        "left_foot_index right_foot_index"
    ),
    "h36m": (
        "mid_hip right_hip right_knee right_ankle left_hip left_knee left_ankle spine_mid "
        "neck_base jaw head_top left_shoulder left_elbow left_wrist right_shoulder right_elbow "
        "right_wrist"
    ),
    "openpose25": (
        "nose neck_base right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist "
        "mid_hip right_hip right_knee right_ankle left_hip left_knee left_ankle right_eye left_eye "
        "right_ear left_ear left_big_toe_tip left_small_toe_tip left_heel right_big_toe_tip "
        "right_small_toe_tip right_heel"
    ),
    "spin_extra9": (
        "right_hip left_hip neck_base head_top mid_hip neck_base spine_mid jaw head_center"
    ),
}
"""Name of a set -> its key points in order."""


@dataclass(frozen=True)
class KeypointRows:
    """Rows (V,) of the key-point regressor by name, in the file's order."""

    rows: dict[str, Array]
    ear: Ints
    """Half vertices of the left ear's rim."""
    errors: list[RowError]


def build_keypoints(
    regression: Regression,
    half: HalfMesh,
    regressor: Array,
    landmarks: dict[str, int],
    cubes: dict[str, Array],
    joints: Array,
) -> KeypointRows:
    """Build the rows of all key points.

    Parameters
    ----------
    regression : Regression
    half : HalfMesh
    regressor : (24, V) array
        Joints from vertices.
    landmarks : dict of str to int
        Named vertices of the left side and the midline.
    cubes : dict of str to (S, 3) array
        MakeHuman's joint cubes in the T-posed samples, m.
    joints : (S, 24, 3) array
        SMPL's joints in the samples, m.
    """
    rows = {"smpl_" + name: regressor[row] for row, name in enumerate(JOINTS)}

    def add(name: str, row: Array) -> None:
        rows["left_" + name], rows["right_" + name] = row, row[half.mirror]

    def vertices(*numbers: int) -> Array:
        row = np.zeros(half.count)
        np.add.at(row, list(numbers), 1 / len(numbers))
        return row

    for name in ("nose", "chin", "head_top"):
        rows[name] = vertices(landmarks[name])
    for name in ("eye", "eye_inner", "eye_outer", "mouth"):
        add(name, vertices(landmarks["left_" + name]))
    ear = _ear_rim(regression)
    add("ear", vertices(*ear.tolist()))
    for name in _FINGERS:
        add(name + "_tip", vertices(landmarks[f"left_{name}_tip"]))
    for name in ("big_toe_tip", "small_toe_tip", "heel"):
        add(name, vertices(landmarks["left_" + name]))
    toes = landmarks["left_big_toe_tip"], landmarks["left_second_toe_tip"]
    add("foot_index", vertices(*toes))
    for finger, cube in _KNUCKLES.items():
        add(finger + "_knuckle", _knuckle(regression, half, cubes[cube]))
    hip, error = _surface_hip(regression, cubes, joints)
    add("hip", hip)
    for name in _LIMBS:
        add(name, regressor[JOINT_ROW["left_" + name]])
    rows["mid_hip"] = 0.5 * (rows["left_hip"] + rows["right_hip"])
    rows["mid_shoulder"] = 0.5 * (rows["left_shoulder"] + rows["right_shoulder"])
    neck, head = regressor[JOINT_ROW["neck"]], regressor[JOINT_ROW["head"]]
    rows["neck_base"] = _between(rows["mid_shoulder"], neck, 0.5)
    rows["jaw"] = _between(rows["chin"], head, 0.45)
    rows["head_center"] = _between(rows["head_top"], head, 0.45)
    rows["spine_mid"] = regressor[JOINT_ROW["spine2"]] * 0.5 + regressor[JOINT_ROW["spine1"]] * 0.5
    return KeypointRows(rows, ear, [error])


def _ear_rim(regression: Regression) -> Ints:
    head = regression.half_weights[:, JOINT_ROW["head"]] > 0.9
    across = regression.mean[:, 0]
    return np.flatnonzero((across > 0.955 * across[head].max()) & head)


def _knuckle(regression: Regression, half: HalfMesh, cube: Array) -> Array:
    """Return the row (V,) of a knuckle at MakeHuman's joint cube (S, 3)."""
    distance = np.linalg.norm(regression.mean - cube.mean(0), axis=1)
    hand = regression.share("left_wrist", "left_hand") > 0.9
    near = np.flatnonzero(hand & (distance < max(0.022, np.sort(distance)[24])))
    row = np.zeros(half.count)
    row[near] = regression.local_row(cube, near, on_midline=False)
    return row


def _surface_hip(
    regression: Regression, cubes: dict[str, Array], joints: Array
) -> tuple[Array, RowError]:
    """Return the row of the hip as annotated in LSP and COCO.

    It lies slightly farther out and higher than SMPL's hip joint.
    """
    hip = joints[:, JOINT_ROW["left_hip"]].copy()
    hip[:, 0] = cubes["l-upper-leg"][:, 0] * 0.92
    hip[:, 1] += 0.012
    row, error = regression.row("hip (LSP, COCO)", hip, "left_hip")
    return row, error


def _between(first: Array, second: Array, share: float) -> Array:
    return np.asarray((1 - share) * first + share * second)
