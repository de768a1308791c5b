"""Tests of ASF/AMC: a synthetic skeleton with known kinematics, and a real clip."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from pymaf_live.body import default_body, pose_joints
from pymaf_live.errors import InputError
from tests.helpers.paths import SHARED
from trainer.data.motion.amc import parse_amc, parse_asf, read_clip
from trainer.data.motion.retarget import resample, retarget

REAL = SHARED / "data" / "mocap"

ASF = """# synthetic
:version 1.10
:name synthetic
:units
  mass 1.0
  length 0.45
  angle deg
:documentation
  two bones
:root
   order TX TY TZ RX RY RZ
   axis XYZ
   position 0 0 0
   orientation 0 0 0
:bonedata
  begin
     id 1
     name thigh
     direction 0 -1 0
     length 9
     axis 0 0 90 XYZ
     dof rx ry rz
     limits (-10 10)
            (-10 10)
            (-10 10)
  end
  begin
     id 2
     name shin
     direction 0 -1 0
     length 4.5
     axis 0 0 0 XYZ
     dof rx
  end
  begin
     id 3
     name tail
     direction 0 0 -1
     length 1.8
     axis 0 0 0 XYZ
  end
:hierarchy
  begin
    root thigh tail
    thigh shin
  end
"""
UNIT = 0.0254 / 0.45


def amc(*rows: str) -> str:
    return ":FULLY-SPECIFIED\n:DEGREES\n" + "\n".join(rows) + "\n"


def test_rest_pose_follows_the_skeleton() -> None:
    clip = parse_amc(amc("1", "root 1 2 3 0 0 0", "thigh 0 0 0", "shin 0"), parse_asf(ASF))
    place = dict(zip(clip.names, clip.ends[0] / UNIT, strict=True))
    np.testing.assert_allclose(place["thigh"], [1, -7, 3], atol=1e-12)
    np.testing.assert_allclose(place["shin"], [1, -11.5, 3], atol=1e-12)
    np.testing.assert_allclose(place["tail"], [1, 2, 1.2], atol=1e-12)


@pytest.mark.parametrize(
    ("row", "thigh", "shin"),
    [
        # the thigh's x axis is the world's y after its rotation by 90 degrees about z: no movement
        (("root 0 0 0 0 0 0", "thigh 90 0 0", "shin 0"), [0, -9, 0], [0, -13.5, 0]),
        # its y axis is the world's -x: down becomes forward (+z) by 90 degrees about -x
        (("root 0 0 0 0 0 0", "thigh 0 90 0", "shin 0"), [0, 0, 9], [0, 0, 13.5]),
        # z stays z: down becomes +x; the knee then bends about the thigh's rotated x
        (("root 0 0 0 0 0 0", "thigh 0 0 90", "shin 90"), [9, 0, 0], [9, 0, -4.5]),
        # the root's x is applied first, then its z: down -> -z (x by 90), which z does not change
        (("root 0 0 0 90 0 90", "thigh 0 0 0", "shin 0"), [0, 0, -9], [0, 0, -13.5]),
    ],
)
def test_known_rotations_produce_known_positions(
    row: tuple[str, ...], thigh: list[float], shin: list[float]
) -> None:
    clip = parse_amc(amc("1", *row), parse_asf(ASF))
    names = clip.names
    np.testing.assert_allclose(clip.ends[0, names.index("thigh")] / UNIT, thigh, atol=1e-9)
    np.testing.assert_allclose(clip.ends[0, names.index("shin")] / UNIT, shin, atol=1e-9)


@pytest.mark.parametrize(
    "text",
    [
        amc(),
        amc("1", "root 0 0 0 0 0 0", "thigh 0 0 0"),
        amc("1", "root 0 0 0 0 0 0", "thigh 0 0", "shin 0"),
        amc("1", "root 0 0 0 0 0 0", "thigh 0 0 nan", "shin 0"),
        amc("1", "root 0 0 0 0 0 0", "thigh 0 0 x", "shin 0"),
        amc("root 0 0 0 0 0 0"),
    ],
)
def test_invalid_clips_are_rejected(text: str) -> None:
    with pytest.raises(InputError, match="the clip"):
        parse_amc(text, parse_asf(ASF))


@pytest.mark.parametrize(
    "text",
    [
        "",
        ASF.replace("angle deg", "angle rad"),
        ASF.replace("length 9", "length nine"),
        ASF.replace("length 9", "length inf"),
        ASF.replace("thigh shin", "thigh arm"),
        ASF.replace("thigh shin", "thigh tail"),
    ],
)
def test_invalid_skeletons_are_rejected(text: str) -> None:
    with pytest.raises(InputError, match="skeleton"):
        parse_asf(text)


def test_clip_is_read_from_zip_and_folder(tmp_path: Path) -> None:
    text = amc("1", "root 0 1 0 0 0 0", "thigh 0 0 0", "shin 0")
    (tmp_path / "a.asf").write_text(ASF)
    (tmp_path / "a.amc").write_text(text)
    with zipfile.ZipFile(tmp_path / "clips.zip", "w") as archive:
        archive.writestr("in/a.asf", ASF)
        archive.writestr("in/a.amc", text)
    from_folder = read_clip(tmp_path, "a.amc", "a.asf")
    from_zip = read_clip(tmp_path, "in/a.amc", "in/a.asf")
    np.testing.assert_array_equal(from_folder.ends, from_zip.ends)
    with pytest.raises(InputError, match=r"missing\.amc"):
        read_clip(tmp_path, "missing.amc", "a.asf")


def test_skeleton_with_other_bones_is_rejected() -> None:
    body = default_body()
    clip = parse_amc(amc("1", "root 0 0 0 0 0 0", "thigh 0 0 0", "shin 0"), parse_asf(ASF))
    with pytest.raises(InputError, match="do not match"):
        retarget(clip, body, np.zeros(body.shape_count))


def test_resampling_interpolates_half_way() -> None:
    turned = np.tile(np.eye(3), (2, 1, 1, 1))
    turned[1, 0] = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    rotations, places = resample(turned, np.array([[0.0, 0, 0], [1, 2, 3]]), 10.0, np.array([0.05]))
    half = np.sqrt(0.5)
    np.testing.assert_allclose(rotations[0, 0], [[half, -half, 0], [half, half, 0], [0, 0, 1]])
    np.testing.assert_allclose(places[0], [0.5, 1.0, 1.5])


@pytest.mark.skipif(not REAL.exists(), reason="the mocap clips are missing (../shared/data/mocap)")
def test_retargeted_limbs_point_in_the_actors_directions() -> None:
    body = default_body()
    clip = read_clip(REAL, "cmu_amc/11_01.amc", "cmu_amc/11.asf")
    shape = np.zeros(body.shape_count)
    rotations, translation = retarget(clip, body, shape)
    assert rotations.shape == (597, body.joint_count, 3, 3)
    shapes = np.zeros((len(rotations), body.shape_count))
    joints = pose_joints(body, rotations, shapes, translation)
    names, bones = list(body.joint_names), clip.names

    def direction(start: str, end: str) -> np.ndarray:
        along = joints[:, names.index(end)] - joints[:, names.index(start)]
        return along / np.linalg.norm(along, axis=-1, keepdims=True)

    for start, end, bone in (
        ("hip", "knee", "femur"),
        ("knee", "ankle", "tibia"),
        ("shoulder", "elbow", "humerus"),
        ("elbow", "wrist", "radius"),
    ):
        for side in ("left", "right"):
            k = bones.index(side[0] + bone)
            source = clip.ends[:, k] - clip.starts[:, k]
            source /= np.linalg.norm(source, axis=-1, keepdims=True)
            ours = direction(f"{side}_{start}", f"{side}_{end}")
            assert (ours * source).sum(-1).min() > 1 - 1e-9, (side, bone)
    # a walk: upright, forwards, knees bent backwards, feet pointing forwards
    assert direction("pelvis", "neck")[:, 1].min() > 0.85
    front = rotations[:, 0, :, 2]
    assert ((translation[-1] - translation[0]) * front.mean(0)).sum() > 1.0
    assert (direction("left_ankle", "left_foot") * front).sum(-1).mean() > 0.5
    left = joints[:, names.index("left_hip")] - joints[:, names.index("right_hip")]
    assert (np.cross([0.0, 1, 0], front) * left).sum(-1).min() > 0
    for side in ("left", "right"):
        middle = (
            joints[:, names.index(f"{side}_hip")] + joints[:, names.index(f"{side}_ankle")]
        ) / 2
        knee = joints[:, names.index(f"{side}_knee")] - middle
        assert ((knee * front).sum(-1) > -0.02).all()
