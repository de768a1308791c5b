"""Tests of data sets in SPIN's npz layout, synthesized with our body so the truth is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pymaf_live.body import PointSet, default_body, pixels_from_crop_units
from pymaf_live.errors import InputError, UsageError
from pymaf_live.types import Array
from trainer.data.base import KEYPOINT_NAMES
from trainer.data.factory import DatasetConfig, open_dataset
from trainer.data.spin_npz import SpinDataset

BODY = default_body()
COUNT = 3

SPIN_ORDER = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle",
    "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist",
    "neck", "head_top", "pelvis", "thorax", "spine", "jaw", "head",
    "nose", "left_eye", "right_eye", "left_ear", "right_ear",
)  # fmt: skip


def posed(pose: Array, shape: Array) -> Array:
    """Return LSP's 14 and the face's 5 points of bodies, by the body's regressors."""
    rotations = Rotation.from_rotvec(pose.reshape(-1, 3)).as_matrix()
    rotations = rotations.reshape(len(pose), -1, 3, 3)
    lsp = PointSet.keypoints(BODY, "lsp").pose(rotations, shape)
    coco = PointSet.keypoints(BODY, "coco").pose(rotations, shape)
    return np.concatenate([lsp, coco[:, :5]], axis=1)


def fake_arrays() -> dict[str, Any]:
    """Return people at 100 pixels per metre about (150, 120), leaning by 0, 0.5 and 1 rad."""
    random = np.random.default_rng(3)
    pose = random.normal(size=(COUNT, BODY.joint_count, 3)) * 0.15
    for row in range(COUNT):
        # facing the camera, leaning in the image plane
        lean = Rotation.from_euler("z", 0.5 * row) * Rotation.from_euler("x", np.pi)
        pose[row, 0] = lean.as_rotvec()
    shape = random.normal(size=(COUNT, BODY.shape_count)) * 0.3
    points = posed(pose, shape)
    part, joints = np.zeros((COUNT, 24, 3)), np.zeros((COUNT, 24, 4))
    for row, name in enumerate(SPIN_ORDER):
        if name in KEYPOINT_NAMES:
            point = points[:, KEYPOINT_NAMES.index(name)]
            part[:, row, :2] = point[:, :2] * 100 + [150, 120]
            part[:, row, 2] = 1
            joints[:, row, :3] = point + np.array([0.3, 0.2, 4.0])
            joints[:, row, 3] = 1
    low, high = part[:, :14, :2].min(axis=1), part[:, :14, :2].max(axis=1)
    return {
        "imgname": np.array([f"S1/frame_{row}.jpg" for row in range(COUNT)]),
        "center": (low + high) / 2,
        "scale": 1.2 * (high - low).max(axis=1) / 200,
        "part": part,
        "S": joints,
        "pose": pose.reshape(COUNT, -1),
        "shape": shape,
        "has_smpl": np.array([1, 0, 1]),
        "gender": np.array(["f", "m", "n"]),
    }


def opened(folder: Path, arrays: dict[str, Any], smpl_body: bool = False) -> SpinDataset:
    np.savez(folder / "set.npz", **arrays)
    return SpinDataset(folder / "set.npz", folder, BODY, "h36m", smpl_body=smpl_body)


def test_key_points_and_3d_joints_are_read(tmp_path: Path) -> None:
    arrays = fake_arrays()
    people = opened(tmp_path, arrays)
    assert len(people) == COUNT
    points = posed(arrays["pose"].reshape(COUNT, -1, 3), arrays["shape"])
    for row in range(COUNT):
        known = people.labels(row)
        assert known.body is None
        np.testing.assert_allclose(known.keypoints[:, :2], points[row, :, :2] * 100 + [150, 120])
        assert (known.keypoints[:, 2] == 1).all()
        # the crop is aligned with the trunk, so the joints are rotated back by the lean
        assert known.crop.turn == pytest.approx(0.5 * row, abs=0.15)
        c, s = np.cos(known.crop.turn), np.sin(known.crop.turn)
        middle = (points[row, 2] + points[row, 3]) / 2
        # the crop's x axis is (c, s) in the image, its y axis (-s, c)
        expected = (points[row] - middle) @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
        assert known.joints_3d is not None
        np.testing.assert_allclose(known.joints_3d[:, :3], expected, atol=1e-12)
        np.testing.assert_allclose(known.joints_3d[:, 3], 1)


def test_poses_are_labels_for_an_smpl_body(tmp_path: Path) -> None:
    arrays = fake_arrays()
    people = opened(tmp_path, arrays, smpl_body=True)
    assert people.labels(1).body is None
    for row in (0, 2):
        known = people.labels(row)
        assert known.body is not None
        points = np.concatenate(
            [
                PointSet.keypoints(BODY, "lsp").pose(
                    known.body.rotations[None], known.body.shape[None]
                )[0],
                PointSet.keypoints(BODY, "coco").pose(
                    known.body.rotations[None], known.body.shape[None]
                )[0, :5],
            ]
        )
        scale, shift = known.body.camera[0], known.body.camera[1:]
        in_crop = pixels_from_crop_units(scale * (points[:, :2] + shift), known.crop.size)
        found = known.crop.to_frame(in_crop)
        np.testing.assert_allclose(found, known.keypoints[:, :2], atol=1e-6)
        assert scale == pytest.approx(100 * 2 / known.crop.side)
        np.testing.assert_array_equal(known.body.joint_trust, np.ones(BODY.joint_count))


def test_poses_without_key_points_provide_3d_joints_and_crop(tmp_path: Path) -> None:
    arrays = fake_arrays()
    whole = opened(tmp_path, arrays, smpl_body=True).labels(2)
    alone = {name: arrays[name] for name in ("imgname", "center", "scale", "pose", "shape")}
    known = opened(tmp_path, alone, smpl_body=True).labels(2)
    assert not known.keypoints.any()
    assert known.crop.turn == pytest.approx(whole.crop.turn)
    assert known.joints_3d is not None
    assert whole.joints_3d is not None
    np.testing.assert_allclose(known.joints_3d, whole.joints_3d, atol=1e-12)
    assert known.body is not None
    assert whole.body is not None
    np.testing.assert_allclose(known.body.camera, whole.body.camera, atol=1e-9)
    np.testing.assert_allclose(known.crop.frame_from_crop, whole.crop.frame_from_crop, atol=1e-9)
    with pytest.raises(InputError, match="smpl_body"):
        opened(tmp_path, alone)


def test_openpose_fills_in_missing_annotations(tmp_path: Path) -> None:
    arrays = fake_arrays()
    found = np.zeros((COUNT, 25, 3))
    found[:, 4] = 70, 71, 0.8
    found[:, 7] = 80, 81, 0.9
    found[:, 16] = 90, 91, 0.1
    arrays["openpose"] = found
    arrays["part"][:, SPIN_ORDER.index("right_wrist")] = 0
    arrays["part"][:, SPIN_ORDER.index("left_eye")] = 0
    keypoints = opened(tmp_path, arrays).labels(0).keypoints
    wrist = keypoints[KEYPOINT_NAMES.index("right_wrist")]
    np.testing.assert_allclose(wrist, [70, 71, 0.8])
    assert keypoints[KEYPOINT_NAMES.index("left_wrist"), 0] != 80
    assert not keypoints[KEYPOINT_NAMES.index("left_eye")].any()


def test_3d_joints_without_hips_have_no_weight(tmp_path: Path) -> None:
    arrays = fake_arrays()
    arrays["S"][0, 2, 3] = 0
    arrays["S"][1, 6, 3] = 0
    people = opened(tmp_path, arrays)
    first, second = people.labels(0).joints_3d, people.labels(1).joints_3d
    assert first is not None
    assert second is not None
    assert not first.any()
    assert second[:, 3].tolist() == [0.0 if k == 6 else 1.0 for k in range(19)]


def test_pelvis_and_genders_are_read(tmp_path: Path) -> None:
    arrays = fake_arrays()
    assert opened(tmp_path, arrays).labels(1).pelvis is None
    middle = arrays["S"][:, [2, 3], :3].mean(axis=1)
    arrays["S"][:, 14, :3] = middle + np.array([0.03, 0.0, 0.0])
    arrays["S"][:2, 14, 3] = 1
    people = opened(tmp_path, arrays, smpl_body=True)
    for row in (0, 1):
        known = people.labels(row)
        # 3 cm along the image's x axis, in the frame of the rotated crop
        c, s = np.cos(known.crop.turn), np.sin(known.crop.turn)
        assert known.pelvis is not None
        np.testing.assert_allclose(known.pelvis, [0.03 * c, -0.03 * s, 0], atol=1e-9)
    assert people.labels(2).pelvis is None
    assert people.genders() == ("f", "m", "n")
    arrays["gender"] = np.array([b"Female", b"male", b"n"])
    assert opened(tmp_path, arrays, smpl_body=True).genders() == ("f", "m", "n")
    del arrays["gender"]
    assert opened(tmp_path, arrays, smpl_body=True).genders() == ("n", "n", "n")
    for values, message in (
        (np.array(["f", "x", "n"]), "gender is 'x'"),
        (np.zeros(COUNT), "gender is float64"),
        (np.array([object()] * COUNT), "gender cannot be read"),
    ):
        people = opened(tmp_path, arrays | {"gender": values}, smpl_body=True)
        with pytest.raises(InputError, match=message):
            people.genders()


def test_images_are_read_by_name(tmp_path: Path) -> None:
    arrays = fake_arrays()
    arrays["imgname"] = arrays["imgname"].astype("S")
    people = opened(tmp_path, arrays)
    with pytest.raises(InputError, match=r"S1/frame_0\.jpg is missing"):
        people.image(0)
    (tmp_path / "S1").mkdir()
    cv2.imwrite(str(tmp_path / "S1" / "frame_0.jpg"), np.zeros((20, 30, 3), np.uint8))
    assert people.image(0).shape == (20, 30, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scale": None}, "no scale"),
        ({"scale": np.zeros(COUNT)}, "not above 0"),
        ({"center": np.full((COUNT, 2), np.nan)}, "center has values that are not finite"),
        ({"center": np.zeros((COUNT, 3))}, "center is"),
        ({"part": np.zeros((COUNT, 17, 3))}, "part is"),
        ({"part": np.full((COUNT, 24, 3), np.inf)}, "part has values"),
        ({"S": np.ones((COUNT, 24, 4)) * np.arange(24)[:, None] * 100}, "in metres"),
        ({"imgname": np.array(["../a.jpg"] * COUNT)}, "leads out"),
        ({"imgname": np.array(["/etc/a.jpg"] * COUNT)}, "leads out"),
        ({"imgname": np.zeros(COUNT)}, "not a list of names"),
        ({"imgname": np.array([object()] * COUNT)}, "not a file in SPIN's layout"),
        ({"pose": np.zeros((COUNT, 66))}, "pose is"),
        ({"has_smpl": np.ones(2)}, "has_smpl is"),
    ],
)
def test_invalid_files_are_rejected(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    arrays = {k: v for k, v in (fake_arrays() | change).items() if v is not None}
    with pytest.raises(InputError, match=message):
        opened(tmp_path, arrays, smpl_body=True)


def test_object_arrays_that_are_not_needed_do_not_matter(tmp_path: Path) -> None:
    objects = np.array([{"a": 1}] * COUNT)
    for name in ("maskname", "gender"):
        assert len(opened(tmp_path, fake_arrays() | {name: objects}, smpl_body=True)) == COUNT
    # the poses are needed for an SMPL body only
    arrays = fake_arrays() | {"pose": objects}
    assert len(opened(tmp_path, arrays)) == COUNT
    with pytest.raises(InputError, match="not a file in SPIN's layout"):
        opened(tmp_path, arrays, smpl_body=True)


def test_missing_and_broken_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no .*set\.npz"):
        SpinDataset(tmp_path / "set.npz", tmp_path, BODY, "h36m")
    (tmp_path / "set.npz").write_bytes(b"PK broken")
    with pytest.raises(InputError, match=r"set\.npz is not a file"):
        SpinDataset(tmp_path / "set.npz", tmp_path, BODY, "h36m")


def test_configuration_opens_the_set(tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", **fake_arrays())
    config = DatasetConfig(kind="h36m", folder=tmp_path, labels=tmp_path / "set.npz")
    assert open_dataset(config, BODY).name == "h36m"
    with pytest.raises(UsageError, match="npz"):
        open_dataset(DatasetConfig(kind="3dpw", folder=tmp_path), BODY)
    with pytest.raises(UsageError, match="held-out"):
        open_dataset(config.model_copy(update={"rows": "held_out"}), BODY)
    with pytest.raises(UsageError, match="does not support fits"):
        open_dataset(config.model_copy(update={"fits": tmp_path}), BODY)


def test_last_500_rows_of_lspet_are_held_out(tmp_path: Path) -> None:
    count = 520
    joints = np.ones((count, 14, 3), np.float32)
    joints[:, :, 0], joints[:, :, 1] = np.arange(14), np.arange(14) * 3
    joints[:, 0, 0] = np.arange(count) + 100
    np.savez(
        tmp_path / "labels.npz",
        name=np.array([f"im{row}.jpg" for row in range(count)]),
        shard=np.zeros(count, np.int16),
        joints=joints,
        joint_names=np.array([str(k) for k in range(14)]),
    )
    config = DatasetConfig(kind="lspet", folder=tmp_path)
    train = open_dataset(config, BODY)
    held = open_dataset(config.model_copy(update={"rows": "held_out"}), BODY)
    whole = open_dataset(config.model_copy(update={"rows": "all"}), BODY)
    assert (len(train), len(held), len(whole)) == (20, 500, 520)
    assert train.labels(19).keypoints[0, 0] == 119
    assert held.labels(0).keypoints[0, 0] == 120
    assert held.labels(499).keypoints[0, 0] == 619
