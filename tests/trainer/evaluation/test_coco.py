"""Tests of the COCO protocol: labels, average precision and projected key points."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from pymaf_live.body import default_body  # noqa: E402
from pymaf_live.tracking.crop import crop_about  # noqa: E402
from trainer.evaluation.coco import (  # noqa: E402
    average_precision,
    coco_results,
    coco_truth,
    read_coco_mini,
)
from trainer.evaluation.inference import CropEstimates  # noqa: E402
from trainer.evaluation.mesh_eval import BodyPoser  # noqa: E402
from trainer.evaluation.network import Estimates  # noqa: E402


@pytest.fixture(scope="module")
def bodies():
    return BodyPoser(default_body())


def write_coco(folder, bodies):
    """Write two people, one per image; the stored image is half as large as the original."""
    random = np.random.default_rng(3)
    joints = np.zeros((2, 17, 3), np.float32)
    joints[..., :2] = random.uniform(20, 180, (2, 17, 2))
    joints[..., 2] = 2
    joints[1, :5, 2] = 0
    joints[1, :5, :2] = 0
    np.savez(
        folder / "labels.npz",
        name=np.array(["a.jpg", "b.jpg"]),
        shard=np.zeros(2, np.int16),
        index=np.array([7, 9]),
        joints=joints,
        joint_names=np.array([f"k{k}" for k in range(17)]),
        scale=np.full((2, 2), 0.5, np.float32),
        offset=np.array([[10, 20], [0, 0]]),
        person_bbox_xywh_orig=np.array([[40, 60, 300, 320], [20, 20, 360, 380]], np.float32),
    )


def test_coco_ap_of_perfect_and_missed_key_points(bodies, tmp_path):
    pytest.importorskip("pycocotools", reason="the extra `train` is not installed")
    write_coco(tmp_path, bodies)
    people = read_coco_mini(tmp_path)
    assert people.boxes[0].tolist() == [15, 20, 165, 180]
    assert people.area[0] == pytest.approx(0.53 * 150 * 160)
    truth = coco_truth(people)
    assert truth["annotations"][1]["num_keypoints"] == 12
    perfect = [
        {
            "image_id": row + 1,
            "category_id": 1,
            "keypoints": np.column_stack([j[:, :2], np.ones(17)]).ravel().tolist(),
            "score": 0.9 - row / 10,
        }
        for row, j in enumerate(people.joint_set.joints)
    ]
    assert average_precision(truth, perfect)["ap"] == pytest.approx(1)
    # the person with the higher score is missed: half the recall, at half the precision
    missed = [dict(perfect[0], keypoints=[0.0] * 51), perfect[1]]
    assert average_precision(truth, missed)["ap_50"] == pytest.approx(51 / 101 * 0.5, abs=0.01)


def test_coco_results_are_the_projected_key_points(bodies, tmp_path):
    write_coco(tmp_path, bodies)
    people = read_coco_mini(tmp_path)
    rotations = np.tile(np.eye(3), (1, 2, bodies.body.joint_count, 1, 1))
    rotations[:, :, 0] = np.diag([1.0, -1.0, -1.0])
    camera = np.array([[[0.5, 0.0, 0.2], [0.5, 0.0, 0.2]]])
    found = Estimates(
        rotations, np.zeros((1, 2, bodies.body.shape_count)), camera, np.array([0.5, 1.0]),
        np.full((2, bodies.body.joint_count), 0.5),
    )  # fmt: skip
    crops = [crop_about(np.array([100.0, 90.0]), 200.0, 0.0, 256)] * 2
    results = coco_results(CropEstimates(crops, found), people, bodies, -1)
    assert [one["score"] for one in results] == [0.25, 0.5]
    points = np.array(results[0]["keypoints"]).reshape(17, 3)
    left, right = points[5, 0], points[6, 0]
    # a person who faces the camera has the left shoulder on the image's right
    assert left > 100 > right
    assert left - 100 == pytest.approx(100 - right, abs=1.0)
