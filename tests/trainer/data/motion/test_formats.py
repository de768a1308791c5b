"""Tests of motion formats: synthetic clips with known positions, and real clips on our body."""

from __future__ import annotations

import json
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pymaf_live.body import default_body, pose_joints
from pymaf_live.errors import InputError
from tests.helpers.paths import SHARED
from trainer.data.motion.amass import read_amass
from trainer.data.motion.amc import parse_amc, parse_asf
from trainer.data.motion.bvh import CMU_UNIT, parse_bvh, read_bandai_bvh, read_cmu_bvh
from trainer.data.motion.clips import FREE_FORMATS, LICENCES, Motion, read_motions
from trainer.data.motion.deepmimic import read_deepmimic
from trainer.data.motion.expmap import read_expmap
from trainer.data.motion.retarget import retarget

REAL = SHARED / "data" / "mocap"
BODY = default_body()
NAMES = list(BODY.joint_names)

BVH = """HIERARCHY
ROOT hips
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT knee
  {
    OFFSET 0 -4 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    End Site
    {
      OFFSET 0 -3 0
    }
  }
  JOINT slider
  {
    OFFSET 9 9 9
    CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
    End Site
    {
      OFFSET 0 0 1
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.04
1 10 0  0 0 0  0 90 0  1 0 0  0 0 0
1 10 0  90 90 0  0 0 0  0 2 0  0 0 0
"""


def test_bvh_clip_has_known_positions() -> None:
    clip = parse_bvh(BVH, 0.1)
    assert clip.frame_rate == pytest.approx(25)
    knee, slider = clip.bone("knee"), clip.bone("slider")
    # the shin starts at (1, 6); 90 degrees about x rotate down (-y) to backwards (-z)
    np.testing.assert_allclose(clip.starts[0, knee], [0.1, 0.6, 0], atol=1e-12)
    np.testing.assert_allclose(clip.ends[0, knee], [0.1, 0.6, -0.3], atol=1e-12)
    # position channels replace the offset
    np.testing.assert_allclose(clip.starts[0, slider], [0.2, 1.0, 0], atol=1e-12)
    # z first, then x about the axis rotated by z: -y -> (x by 90) -z -> (z by 90) -z
    np.testing.assert_allclose(clip.starts[1, knee], [0.1, 1.0, -0.4], atol=1e-12)
    np.testing.assert_allclose(clip.ends[1, knee], [0.1, 1.0, -0.7], atol=1e-12)
    np.testing.assert_allclose(clip.starts[1, slider], [0.1, 1.0, 0.2], atol=1e-12)


@pytest.mark.parametrize(
    "text",
    [
        "",
        BVH.replace("MOTION", "MOVES"),
        BVH.replace("Frames: 2", "Frames: 3"),
        BVH.replace("Frames: 2", "Frames: -2"),
        BVH.replace("Frames: 2", "Frames: 99999999999"),
        BVH.replace("0.04", "0"),
        BVH.replace("1 10 0  90", "1 10 nan  90"),
        BVH.replace("1 10 0  90", "1 10 90"),
        BVH.replace("OFFSET 0 -4 0", "OFFSET 0 -4"),
        BVH.replace("OFFSET 0 -4 0", "OFFSET 0 inf 0"),
        BVH.replace("CHANNELS 3 Zrotation", "CHANNELS 3 Wrotation"),
        BVH.replace("CHANNELS 3", "CHANNELS 300000000"),
        BVH.replace("}\nMOTION", "MOTION"),
        BVH.replace("JOINT slider", "ROOT slider"),
    ],
)
def test_invalid_bvh_is_rejected(text: str) -> None:
    with pytest.raises(InputError, match="the clip is not a valid BVH"):
        parse_bvh(text, 1.0)


def test_bvh_with_other_skeletons_is_rejected() -> None:
    with pytest.raises(InputError, match="not of CMU's skeleton"):
        read_cmu_bvh(BVH)
    with pytest.raises(InputError, match="not of Bandai's skeleton"):
        read_bandai_bvh(BVH)


def expmap_rows(*turns: dict[int, tuple[float, float, float]]) -> str:
    rows = ["9,9,9," + ",".join(["0.5"] * 114)]
    for turned in turns:
        values = np.zeros(117)
        values[:3] = 0, 17, 0
        for row, vector in turned.items():
            values[3 + 3 * row : 6 + 3 * row] = vector
        rows.append(",".join(map(str, values)))
    return "\n".join(rows)


def test_exponential_maps_rotate_row_vectors() -> None:
    # row 2 is the left thigh
    clip = read_expmap(expmap_rows({}, {2: (-np.pi / 2, 0, 0)}))
    assert len(clip.world) == 2
    assert clip.frame_rate == 120
    thigh = clip.bone("lfemur")
    way = clip.ends[:, thigh] - clip.starts[:, thigh]
    np.testing.assert_allclose(way[0] / CMU_UNIT, [2.60, -7.13, 0])
    # for column vectors this is +90 degrees about x: down becomes backwards
    np.testing.assert_allclose(way[1] / CMU_UNIT, [2.60, 0, -7.13], atol=1e-9)
    left, right = clip.starts[0, clip.bone("lhumerus")], clip.starts[0, clip.bone("rhumerus")]
    assert left[0] > 0.15
    assert right[0] == pytest.approx(-left[0])


@pytest.mark.parametrize(
    "text",
    ["", "1,2,3", expmap_rows(), expmap_rows({}).replace("17", "nan"), expmap_rows({}) + "\n1,2"],
)
def test_invalid_exponential_maps_are_rejected(text: str) -> None:
    with pytest.raises(InputError, match="exponential maps"):
        read_expmap(text)


def deepmimic_frame(**turns: Any) -> list[float]:
    parts = [("chest", 4), ("neck", 4), ("right_hip", 4), ("right_knee", 1), ("right_ankle", 4),
             ("right_shoulder", 4), ("right_elbow", 1), ("left_hip", 4), ("left_knee", 1),
             ("left_ankle", 4), ("left_shoulder", 4), ("left_elbow", 1)]  # fmt: skip
    frame = [0.02, 0.0, 0.9, 0.0, *turns.get("root", (1, 0, 0, 0))]
    for name, count in parts:
        frame += turns.get(name, (1, 0, 0, 0) if count == 4 else (0,))
    return frame


def deepmimic(frames: list[list[float]]) -> str:
    return json.dumps({"Loop": "none", "Frames": frames})


def test_deepmimic_character_has_known_directions() -> None:
    half = np.sqrt(0.5)
    clip = read_deepmimic(
        deepmimic([
            deepmimic_frame(),
            deepmimic_frame(right_knee=(-np.pi / 2,), left_elbow=(np.pi / 2,)),
            deepmimic_frame(root=(half, 0, half, 0)),
        ])
    )  # fmt: skip
    assert clip.frame_rate == pytest.approx(50)

    def way(frame: int, bone: str) -> np.ndarray:
        row = clip.bone(bone)
        along = clip.ends[frame, row] - clip.starts[frame, row]
        return np.asarray(along / np.linalg.norm(along))

    # left is +x and front is +z, as in our body
    assert clip.starts[0, clip.bone("lfemur"), 0] == pytest.approx(0.085)
    assert clip.starts[0, clip.bone("rhumerus"), 0] == pytest.approx(-0.183)
    np.testing.assert_allclose(way(0, "lhumerus"), [0, -1, 0], atol=1e-12)
    np.testing.assert_allclose(way(1, "rtibia"), [0, 0, -1], atol=1e-12)
    np.testing.assert_allclose(way(1, "lradius"), [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(way(1, "ltibia"), [0, -1, 0], atol=1e-12)
    # rotated by 90 degrees to the left: the left hip is at the back
    assert clip.starts[2, clip.bone("lfemur"), 2] == pytest.approx(-0.085)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        json.dumps({"Frames": 3}),
        deepmimic([deepmimic_frame()]),
        deepmimic([deepmimic_frame()[:-1]] * 2),
        deepmimic([deepmimic_frame(), [*deepmimic_frame(), 1.0]]),
        deepmimic([[0.0, *deepmimic_frame()[1:]]] * 3),
        deepmimic([deepmimic_frame(root=(0, 0, 0, 0))] * 2),
        deepmimic([deepmimic_frame(chest=(float("nan"),) * 4)] * 2),
    ],
)
def test_invalid_deepmimic_is_rejected(text: str) -> None:
    with pytest.raises(InputError, match="DeepMimic"):
        read_deepmimic(text)


def amass(**changes: Any) -> bytes:
    poses = np.zeros((3, 156))
    poses[:, 0] = np.pi / 2  # upright with z up
    poses[1, 3 * NAMES.index("left_knee")] = np.pi / 2
    poses[:, 66:] = 1.0  # fingers, which our body lacks
    arrays = {
        "poses": poses,
        "trans": np.array([[0, 0, 1.0], [0.5, 0, 1.0], [0, 0.25, 1.0]]),
        "betas": np.zeros(16),
        "mocap_framerate": np.array(100.0),
        "gender": np.array("neutral"),
    }
    buffer = BytesIO()
    np.savez(buffer, **{k: v for k, v in (arrays | changes).items() if v is not None})
    return buffer.getvalue()


@pytest.mark.parametrize("width", [156, 165])
def test_amass_clip_is_upright(width: int) -> None:
    poses = np.zeros((3, width))
    with np.load(BytesIO(amass())) as file:
        poses[:, :156] = file["poses"]
    rotations, translation, rate = read_amass(amass(poses=poses), BODY)
    assert rate == 100
    joints = pose_joints(BODY, rotations, np.zeros((3, BODY.shape_count)), translation)
    rest = np.asarray(BODY.joint_regressor @ BODY.template)
    # z up becomes y up; the body rotates about its pelvis, as in SMPL
    pelvis = rest[0]
    np.testing.assert_allclose(
        joints[0], rest - pelvis + [pelvis[0], 1 + pelvis[2], -pelvis[1]], atol=1e-9
    )
    np.testing.assert_allclose(joints[1, 0] - joints[0, 0], [0.5, 0, 0], atol=1e-9)
    np.testing.assert_allclose(joints[2, 0] - joints[0, 0], [0, 0, -0.25], atol=1e-9)
    knee, ankle = NAMES.index("left_knee"), NAMES.index("left_ankle")
    assert joints[1, ankle, 2] - joints[1, knee, 2] < -0.3
    hand = NAMES.index("left_hand")
    np.testing.assert_array_equal(rotations[:, hand], np.tile(np.eye(3), (3, 1, 1)))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK no npz",
        amass(poses=None),
        amass(poses=np.zeros((3, 63))),
        amass(poses=np.full((3, 156), np.nan)),
        amass(trans=np.zeros((2, 3))),
        amass(mocap_framerate=np.array(0.0)),
        amass(poses=np.array([{}], dtype=object)),
    ],
)
def test_invalid_amass_is_rejected(content: bytes) -> None:
    with pytest.raises(InputError, match="the clip"):
        read_amass(content, BODY)


def test_folder_of_amass_files_is_read(tmp_path: Path) -> None:
    (tmp_path / "actor").mkdir()
    (tmp_path / "actor" / "walk_poses.npz").write_bytes(amass())
    np.savez(tmp_path / "actor" / "shape.npz", betas=np.zeros(16))
    (motion,) = read_motions(tmp_path)
    assert (motion.source, motion.format, len(motion)) == ("actor/walk_poses.npz", "amass", 3)
    with pytest.raises(InputError, match="no motion"):
        list(read_motions(tmp_path, {"deepmimic"}))
    with pytest.raises(InputError, match="unknown motion formats fbx"):
        list(read_motions(tmp_path, {"fbx"}))


def test_indexed_clips_are_selected_by_format(tmp_path: Path) -> None:
    entries = [
        {"file": "deepmimic/a.txt", "action": "stand"},
        {"file": "cmu_expmap/b.txt", "action": "stand too"},
        {"file": "deepmimic/gone.txt", "action": "none"},
    ]
    with zipfile.ZipFile(tmp_path / "clips.zip", "w") as archive:
        archive.writestr("deepmimic/a.txt", deepmimic([deepmimic_frame()] * 3))
        archive.writestr("cmu_expmap/b.txt", expmap_rows({}, {}))
    (tmp_path / "index.json").write_text(json.dumps(entries))
    (motion,) = read_motions(tmp_path, {"cmu_expmap"})
    assert (motion.action, motion.licence) == ("stand too", "LicenseRef-CMU-mocap")
    clips = read_motions(tmp_path, {"deepmimic"})
    assert next(clips).licence == "MIT"
    with pytest.raises(InputError, match=r"deepmimic/gone\.txt"):
        next(clips)
    with pytest.raises(InputError, match="none of the clips requested"):
        list(read_motions(tmp_path, {"bandai_bvh"}))
    (tmp_path / "index.json").write_text('{"file": ')
    with pytest.raises(InputError, match="no indexed clips"):
        list(read_motions(tmp_path))


real = pytest.mark.skipif(
    not REAL.exists(), reason="the mocap clips are missing (../shared/data/mocap)"
)


def joints_of(motion: Motion) -> np.ndarray:
    shapes = np.zeros((len(motion), BODY.shape_count))
    return pose_joints(BODY, motion.rotations, shapes, motion.translation)


@real
def test_amc_and_bvh_of_one_trial_agree() -> None:
    count = 200
    with zipfile.ZipFile(REAL / "clips.zip") as archive:
        asf, amc, bvh = (
            archive.read(name).decode("latin1")
            for name in ("cmu_amc/01.asf", "cmu_amc/01_01.amc", "cmu_bvh/01_01.bvh")
        )
    amc = amc.replace("\r", "").partition(f"\n{count + 1}\n")[0] + "\n"
    lines = bvh.replace("\r", "").split("\n")
    start = next(k for k, line in enumerate(lines) if line.startswith("Frames:"))
    # the BVH file has a T-pose before the motion
    lines[start] = f"Frames: {count + 1}"
    clips = (
        parse_amc(amc, parse_asf(asf)),
        read_cmu_bvh("\n".join(lines[: start + count + 3])),
    )
    shape = np.zeros(BODY.shape_count)
    (one, places), (other, other_places) = (retarget(clip, BODY, shape) for clip in clips)
    assert len(one) == len(other) == count
    np.testing.assert_allclose(one, other, atol=1e-4)
    np.testing.assert_allclose(places, other_places, atol=1e-4)


@real
@pytest.mark.integration
def test_every_real_clip_is_plausible() -> None:
    motions = list(read_motions(REAL))
    assert {m.format for m in motions} == LICENCES.keys() - {"amass"}
    assert len(motions) == 63
    assert len(list(read_motions(REAL, FREE_FORMATS))) == 46
    knees = [NAMES.index("left_knee"), NAMES.index("right_knee")]
    for motion in motions:
        joints = joints_of(motion)
        # the feet reach the ground at 0
        lowest = np.median(joints[:, :, 1].min(axis=1))
        assert -0.06 < lowest < 0.12, motion.source
        # knees bend about +x, without hyperextension
        for knee in knees:
            w = motion.rotations[:, knee]
            bend = np.arctan2(w[:, 2, 1] - w[:, 1, 2], w[:, 1, 1] + w[:, 2, 2])
            assert np.median(bend) > -0.2, motion.source
            assert bend.min() > -0.5, motion.source


@real
@pytest.mark.parametrize(
    "source",
    [
        "deepmimic/humanoid3d_walk.txt",
        "cmu_expmap/walking_1.txt",
        "bandai_bvh/dataset-1_walk_normal_001.bvh",
        "deepmimic/humanoid3d_run.txt",
        "bandai_bvh/dataset-1_run_normal_001.bvh",
    ],
)
def test_walkers_move_forwards_and_upright(source: str) -> None:
    (motion,) = read_motions(REAL, sources={source})
    joints = joints_of(motion)
    front = motion.rotations[:, 0, :, 2]
    moved = np.diff(joints[:, 0], axis=0)
    assert (moved * front[:-1]).sum(-1).mean() * motion.frame_rate > 0.5
    up = joints[:, NAMES.index("neck")] - joints[:, 0]
    assert (up[:, 1] / np.linalg.norm(up, axis=1)).min() > 0.8
    left = joints[:, NAMES.index("left_hip")] - joints[:, NAMES.index("right_hip")]
    assert (np.cross([0.0, 1, 0], front) * left).sum(-1).min() > 0
    for side in ("left", "right"):
        foot = joints[:, NAMES.index(f"{side}_foot")] - joints[:, NAMES.index(f"{side}_ankle")]
        assert (foot * front).sum(-1).mean() > 0.04
