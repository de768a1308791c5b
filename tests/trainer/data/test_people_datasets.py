"""Tests of the readers of the 2D data sets, each with a small sample in its published layout."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from pymaf_live.body.keypoints import LSP_NAMES
from pymaf_live.errors import InputError
from tests.helpers.paths import SHARED
from trainer.data.annotated import DatasetSubset, KeypointDataset, keypoint_crop
from trainer.data.base import KEYPOINT_MIRROR, KEYPOINT_NAMES
from trainer.data.coco import COCO_NAMES, open_coco, open_packed_coco
from trainer.data.fitted import FittedDataset
from trainer.data.lsp import read_lsp, read_original_lspet
from trainer.data.lspet import read_joint_set
from trainer.data.mpii import LABELS, open_mpii, read_mpii

SHARED_DATA = SHARED / "data"


def write_image(path: Path, blue: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.full((60, 80, 3), (blue, 20, 30), np.uint8)
    assert cv2.imwrite(str(path), image)


def standing(count: int) -> np.ndarray:
    """Return LSP's joints (count, 14, 2) of people who stand upright and face the camera."""
    one = np.array([
        [30, 55], [30, 45], [32, 35], [40, 35], [42, 45], [42, 55], [22, 35], [24, 28], [28, 20],
        [44, 20], [48, 28], [50, 35], [36, 18], [36, 8],
    ])  # fmt: skip
    return one[None] + np.arange(count)[:, None, None] * 0.5


def test_mirrored_names_swap_left_and_right() -> None:
    for name, other in zip(KEYPOINT_NAMES, KEYPOINT_MIRROR, strict=True):
        swapped = name.replace("left", "*").replace("right", "left").replace("*", "right")
        assert KEYPOINT_NAMES[other] == swapped


def test_lsp_gives_hidden_joints_half_weight(tmp_path: Path) -> None:
    joints = np.zeros((3, 14, 2))
    joints[:2] = standing(2).transpose(2, 1, 0)
    joints[2, 5, 1] = 1
    savemat(tmp_path / "joints.mat", {"joints": joints})
    write_image(tmp_path / "images" / "im0001.jpg")
    people = FittedDataset(read_lsp(tmp_path), name="lsp")
    assert len(people) == 2
    assert people.name == "lsp"
    known = people.labels(1)
    np.testing.assert_allclose(known.keypoints[:14, :2], standing(2)[1])
    assert known.keypoints[:, 2].tolist() == [1] * 5 + [0.5] + [1] * 8 + [0] * 5
    assert known.body is None
    assert known.joints_3d is None
    assert people.image(0).shape == (60, 80, 3)
    assert abs(int(people.image(0)[0, 0, 0]) - 30) < 4
    with pytest.raises(InputError, match=r"im0002\.jpg is missing"):
        people.image(1)
    (tmp_path / "images" / "im0002.jpg").write_bytes(b"not an image")
    with pytest.raises(InputError, match=r"im0002\.jpg does not decode"):
        people.image(1)


def test_lspet_ignores_joints_without_annotation(tmp_path: Path) -> None:
    joints = np.ones((14, 3, 3))
    joints[:, :2] = standing(3).transpose(1, 2, 0)
    joints[12, :, 2] = -700.0, 3.0, 0.0
    savemat(tmp_path / "joints.mat", {"joints": joints})
    write_image(tmp_path / "images" / "im00003.jpg")
    people = FittedDataset(read_original_lspet(tmp_path))
    known = people.labels(2)
    assert known.keypoints[12].tolist() == [0, 0, 0]
    assert known.keypoints[11].tolist() == [*standing(3)[2, 11], 1]
    assert people.image(2).shape == (60, 80, 3)
    # upright, 55 - 8 pixels high: the crop is 1.75 times that
    assert known.crop.turn == pytest.approx(0, abs=0.2)
    assert known.crop.side == pytest.approx(1.75 * 47, rel=0.05)


@pytest.mark.parametrize(
    ("joints", "message"),
    [
        (np.zeros((14, 3, 5)), r"are not LSP's"),
        (np.full((3, 14, 5), 2.0), "neither hidden"),
        (np.full((3, 14, 5), np.nan), "not finite"),
        (np.zeros((3, 14)), r"are not LSP's"),
        (np.array(["text"]), "not an array of numbers"),
    ],
)
def test_invalid_lsp_labels_are_rejected(tmp_path: Path, joints: np.ndarray, message: str) -> None:
    savemat(tmp_path / "joints.mat", {"joints": joints})
    with pytest.raises(InputError, match=message):
        read_lsp(tmp_path)


def test_broken_and_missing_mat_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no .*joints\.mat"):
        read_lsp(tmp_path)
    (tmp_path / "joints.mat").write_bytes(b"MATLAB 5.0 MAT-file" + bytes(40))
    with pytest.raises(InputError, match=r"joints\.mat is not a MATLAB file"):
        read_original_lspet(tmp_path)
    savemat(tmp_path / "joints.mat", {"points": np.zeros(3)})
    with pytest.raises(InputError, match="no variable joints"):
        read_lsp(tmp_path)


def struct(**fields: Any) -> dict[str, Any]:
    return fields


def structs(entries: list[dict[str, Any]]) -> np.ndarray:
    """Return a MATLAB struct array (1, n)."""
    names = list(entries[0])
    array = np.empty((1, len(entries)), dtype=[(name, object) for name in names])
    for index, entry in enumerate(entries):
        for name in names:
            array[0, index][name] = entry[name]
    return array


MPII_ORDER = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "", "",
    "neck", "head_top", "right_wrist", "right_elbow", "right_shoulder", "left_shoulder",
    "left_elbow", "left_wrist",
)  # fmt: skip


def mpii_points(ids: list[int]) -> list[dict[str, Any]]:
    """Return joints k at (10 k + 1, 20 k + 1), counted from 1 as in MATLAB; joint 4 is hidden."""
    return [
        struct(
            x=10.0 * joint + 1,
            y=20.0 * joint + 1,
            id=joint,
            is_visible=np.zeros((0, 0)) if joint in (8, 9) else (0 if joint == 4 else 1),
        )
        for joint in ids
    ]


def mpii_person(ids: list[int]) -> dict[str, Any]:
    points = mpii_points(ids)
    return struct(
        annopoints=struct(point=structs(points) if len(points) > 1 else points[0]),
        scale=1.5,
        objpos=struct(x=101.0, y=51.0),
    )


def write_mpii(folder: Path) -> None:
    bare = struct(annopoints=np.zeros((0, 0)), scale=2.0, objpos=struct(x=1.0, y=1.0))
    annolist = structs([
        struct(image=struct(name="a.jpg"), annorect=mpii_person(list(range(16)))),
        struct(
            image=struct(name="b.jpg"),
            annorect=structs([mpii_person([0, 1, 2, 3, 4, 5, 6]), bare, mpii_person([9])]),
        ),
        struct(image=struct(name="test.jpg"), annorect=mpii_person(list(range(16)))),
        struct(image=struct(name="empty.jpg"), annorect=np.zeros((0, 0))),
    ])  # fmt: skip
    release = struct(annolist=annolist, img_train=np.array([[1, 1, 0, 1]], np.uint8))
    savemat(folder / LABELS, {"RELEASE": release})


def test_mpii_reads_all_people_with_joints(tmp_path: Path) -> None:
    write_mpii(tmp_path)
    labels = read_mpii(tmp_path / LABELS)
    assert labels.names == ("a.jpg", "b.jpg", "b.jpg")
    for joint, name in enumerate(MPII_ORDER):
        if name:
            point = labels.keypoints[0, KEYPOINT_NAMES.index(name)]
            weight = 0.5 if joint == 4 else 1.0
            assert point.tolist() == [10.0 * joint, 20.0 * joint, weight], name
    assert not labels.keypoints[0, 14:].any()
    assert (labels.keypoints[2, :, 2] > 0).sum() == 1
    np.testing.assert_allclose(labels.scale, 1.5)
    np.testing.assert_allclose(labels.centre, [[100, 50]] * 3)

    people = open_mpii(tmp_path)
    assert len(people) == 2
    write_image(tmp_path / "images" / "b.jpg", blue=200)
    assert abs(int(people.image(1)[0, 0, 2]) - 200) < 4
    with pytest.raises(InputError, match=r"a\.jpg is missing"):
        people.image(0)


def test_mpii_file_with_one_image_is_read(tmp_path: Path) -> None:
    release = struct(
        annolist=struct(image=struct(name="a.jpg"), annorect=mpii_person(list(range(16)))),
        img_train=1,
    )
    savemat(tmp_path / LABELS, {"RELEASE": release})
    assert read_mpii(tmp_path / LABELS).names == ("a.jpg",)


def test_invalid_mpii_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / LABELS
    savemat(path, {"RELEASE": struct(annolist=structs([struct(image=1, annorect=2)] * 2))})
    with pytest.raises(InputError, match="is not MPII's"):
        read_mpii(path)
    person = mpii_person([0, 1])
    person["annopoints"]["point"][0, 0]["x"] = np.nan
    entry = struct(image=struct(name="a.jpg"), annorect=person)
    savemat(path, {"RELEASE": struct(annolist=entry, img_train=1)})
    with pytest.raises(InputError, match="not finite"):
        read_mpii(path)
    entry = struct(image=struct(name="../a.jpg"), annorect=mpii_person([0, 1]))
    savemat(path, {"RELEASE": struct(annolist=entry, img_train=1)})
    with pytest.raises(InputError, match="leads out"):
        read_mpii(path)


def coco_person(number: int, flags: list[int], crowd: int = 0) -> dict[str, Any]:
    points = [(10 * k, 20 * k, flag) if flag else (0, 0, 0) for k, flag in enumerate(flags)]
    return {
        "id": number,
        "image_id": 7,
        "category_id": 1,
        "iscrowd": crowd,
        "bbox": [0, 0, 60, 60],
        "area": 3600,
        "num_keypoints": sum(flag > 0 for flag in flags),
        "keypoints": [value for point in points for value in point],
    }


def write_coco(folder: Path, people: list[dict[str, Any]]) -> None:
    (folder / "annotations").mkdir(exist_ok=True)
    annotation = {
        "images": [{"id": 7, "file_name": "000000000007.jpg", "width": 80, "height": 60}],
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO_NAMES)}],
        "annotations": people,
    }
    path = folder / "annotations" / "person_keypoints_train2017.json"
    path.write_text(json.dumps(annotation))


def test_coco_leaves_out_crowds_and_sparse_annotations(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = [2] * 10 + [1] * 3 + [0] * 4
    people = [
        coco_person(1, [2] * 17, crowd=1),
        coco_person(2, flags),
        coco_person(3, [2] * 5 + [0] * 12),
    ]
    write_coco(tmp_path, people)
    opened = open_coco(tmp_path)
    assert len(opened) == 1
    keypoints = opened.labels(0).keypoints
    for k, name in enumerate(COCO_NAMES):
        point = keypoints[KEYPOINT_NAMES.index(name)].tolist()
        assert point == ([10 * k, 20 * k, (0, 0.5, 1)[flags[k]]] if flags[k] else [0, 0, 0])
    for name in ("neck", "head_top"):
        assert not keypoints[KEYPOINT_NAMES.index(name)].any()
    with pytest.raises(InputError, match=r"000000000007\.jpg is missing"):
        opened.image(0)
    write_image(tmp_path / "train2017" / "000000000007.jpg")
    assert opened.image(0).shape == (60, 80, 3)
    assert not capsys.readouterr().out


@pytest.mark.parametrize(
    "people",
    [
        [],
        [coco_person(1, [2] * 16)],
        [coco_person(1, [3] * 17)],
        [coco_person(1, [2] * 17) | {"image_id": 8}],
        [coco_person(1, [2] * 17) | {"keypoints": ["x"] * 51}],
    ],
)
def test_invalid_coco_is_rejected(tmp_path: Path, people: list[dict[str, Any]]) -> None:
    write_coco(tmp_path, people)
    with pytest.raises(InputError, match="person_keypoints_train2017"):
        open_coco(tmp_path)


def test_broken_and_missing_coco_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no"):
        open_coco(tmp_path)
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "person_keypoints_train2017.json").write_text("[1, 2")
    with pytest.raises(InputError, match="is not COCO's"):
        open_coco(tmp_path)


def write_packed(folder: Path, joints: np.ndarray, names: tuple[str, ...]) -> None:
    files = [f"p{row}.jpg" for row in range(len(joints))]
    with zipfile.ZipFile(folder / "images_00.zip", "w") as archive:
        encoded = cv2.imencode(".jpg", np.full((60, 80, 3), 9, np.uint8))[1].tobytes()
        archive.writestr(files[0], encoded)
    np.savez(
        folder / "labels.npz",
        name=np.array(files),
        shard=np.zeros(len(joints), np.int16),
        joints=joints.astype(np.float32),
        joint_names=np.array(names),
    )


def test_packed_coco_equals_published_coco(tmp_path: Path) -> None:
    joints = np.zeros((2, 17, 3))
    joints[:, :, 0], joints[:, :, 1] = np.arange(17) * 10, np.arange(17) * 20
    joints[:, :, 2] = 2
    write_packed(tmp_path, joints, COCO_NAMES)
    write_coco(tmp_path, [coco_person(1, [2] * 17)])
    packed = open_packed_coco(tmp_path).labels(0).keypoints
    np.testing.assert_array_equal(packed, open_coco(tmp_path).labels(0).keypoints)
    assert open_packed_coco(tmp_path).image(0).shape == (60, 80, 3)
    with pytest.raises(InputError, match=r"p1\.jpg"):
        open_packed_coco(tmp_path).image(1)
    write_packed(tmp_path, joints[:, :14], LSP_NAMES)
    with pytest.raises(InputError, match="other joints than COCO's"):
        open_packed_coco(tmp_path)


def test_crop_of_few_joints_includes_the_face() -> None:
    keypoints = np.zeros((len(KEYPOINT_NAMES), 3))
    keypoints[[8, 9]] = [10, 100, 1], [50, 100, 1]
    keypoints[14] = 30, 60, 1
    crop = keypoint_crop(keypoints)
    np.testing.assert_allclose(crop.centre, [30, 80])
    assert crop.side == pytest.approx(1.75 * 40)


def test_subset_selects_rows() -> None:
    keypoints = np.zeros((4, len(KEYPOINT_NAMES), 3))
    keypoints[:, :3] = [[1, 2, 1], [30, 4, 1], [5, 60, 1]]
    keypoints[:, 0, 0] = np.arange(4)
    people = KeypointDataset("fake", keypoints, lambda row: np.full((2, 2, 3), row, dtype=np.uint8))
    rows = DatasetSubset(people, [3, 1])
    assert len(rows) == 2
    assert rows.labels(0).keypoints[0, 0] == 3
    assert rows.image(1)[0, 0, 0] == 1
    assert rows.name == "fake"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda k: k[:0], "no people"),
        (lambda k: k[:, :14], "shape"),
        (lambda k: np.where(np.arange(19)[:, None] == 2, np.nan, k), "right_hip of person 0"),
        (lambda k: np.where(np.arange(19)[:, None] > 0, 0, k), "fewer than 2"),
        (lambda k: k * [1, 1, 2], "invalid"),
    ],
)
def test_invalid_key_points_are_rejected(change: Any, message: str) -> None:
    keypoints = np.ones((2, len(KEYPOINT_NAMES), 3))
    with pytest.raises(InputError, match=message):
        KeypointDataset("fake", change(keypoints), lambda row: np.zeros((1, 1, 3), np.uint8))


@pytest.mark.skipif(not SHARED.exists(), reason="the shared data are missing (../shared/data)")
def test_real_key_points_lie_inside_their_images() -> None:
    for people in (
        open_packed_coco(SHARED_DATA / "coco_mini"),
        FittedDataset(read_joint_set(SHARED_DATA / "lspet")),
    ):
        for row in range(0, len(people), max(len(people) // 8, 1)):
            known, image = people.labels(row), people.image(row)
            points = known.keypoints[known.keypoints[:, 2] > 0, :2]
            inside = (points > -2).all(1) & (points < [image.shape[1] + 1, image.shape[0] + 1]).all(
                1
            )
            assert inside.mean() > 0.8
            in_crop = known.crop.to_crop(points[:4])
            assert (in_crop > 0).all()
            assert (in_crop < known.crop.size).all()
