"""Tests of COCO val2017 in its published layout: people, boxes and AP over the whole set."""

import json

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("pycocotools", reason="the extra `train` is not installed")

from pymaf_live.body import default_body  # noqa: E402
from pymaf_live.errors import InputError  # noqa: E402
from pymaf_live.tracking.crop import CropRule, crop_from_box  # noqa: E402
from tests.trainer.evaluation.test_run import FakeNetwork  # noqa: E402
from trainer.evaluation.coco_val import measure_coco_val, read_coco_val  # noqa: E402
from trainer.evaluation.inference import CropEstimates  # noqa: E402
from trainer.evaluation.mesh_eval import BodyPoser  # noqa: E402
from trainer.evaluation.network import Estimates  # noqa: E402

UPRIGHT = CropRule(turned=False, side=1.2)
WIDTH, HEIGHT = 300, 200
BOXES = [[20, 15, 101, 161], [150, 10, 200, 170]]


@pytest.fixture(scope="module")
def bodies():
    return BodyPoser(default_body())


def people_of(bodies):
    """Return two people who face the camera, in the authors' crops of their boxes."""
    rotations = np.tile(np.eye(3), (2, bodies.body.joint_count, 1, 1))
    rotations[:, 0] = np.diag([1.0, -1.0, -1.0])
    shape = np.zeros((2, bodies.body.shape_count))
    camera = np.tile([0.85, 0.0, 0.3], (2, 1))
    return rotations, shape, camera


def annotation(bodies):
    # the ends of a box of whole pixels, the second clipped at the image's edge
    clipped = [[20, 15, 120, 175], [150, 10, 299, 179]]
    crops = [crop_from_box(np.array(box, float), 0.0, 256, 1.25) for box in clipped]
    rotations, shape, camera = people_of(bodies)
    found = Estimates(rotations[None], shape[None], camera[None], np.ones(2), np.ones((2, 24)))
    points = CropEstimates(crops, found).points(bodies, "coco")
    people = [
        {
            "id": row + 1, "image_id": 139, "category_id": 1, "iscrowd": 0, "area": 5000.0,
            "bbox": box, "num_keypoints": 17,
            "keypoints": np.column_stack([own, np.full(17, 2)]).ravel().tolist(),
        }
        for row, (box, own) in enumerate(zip(BOXES, points, strict=True))
    ]  # fmt: skip
    unlabelled = dict(people[0], id=3, keypoints=[0] * 51, num_keypoints=0)
    crowd = dict(people[0], id=4, iscrowd=1, segmentation={"counts": [], "size": [200, 300]})
    flat = dict(people[0], id=5, area=0.0)
    return {
        "info": {},
        "images": [{"id": 139, "file_name": "a.jpg", "width": WIDTH, "height": HEIGHT}],
        "annotations": [*people, unlabelled, crowd, flat],
        "categories": [{"id": 1, "name": "person"}],
    }


def write(folder, content):
    (folder / "annotations").mkdir(parents=True)
    (folder / "val2017").mkdir()
    path = folder / "annotations" / "person_keypoints_val2017.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    cv2.imwrite(str(folder / "val2017" / "a.jpg"), np.full((HEIGHT, WIDTH, 3), 90, np.uint8))


def test_people_and_boxes_are_the_authors(bodies, tmp_path):
    write(tmp_path, annotation(bodies))
    people = read_coco_val(tmp_path)
    assert people.names == ("a.jpg", "a.jpg")
    assert people.image_ids == (139, 139)
    assert people.boxes.tolist() == [[20, 15, 120, 175], [150, 10, 299, 179]]


def test_true_bodies_have_the_full_precision(bodies, tmp_path):
    content = annotation(bodies)
    # the invalid person without an area is no target either
    content["annotations"] = content["annotations"][:4]
    write(tmp_path, content)
    network = FakeNetwork(*people_of(bodies), UPRIGHT)
    figures = measure_coco_val(network, read_coco_val(tmp_path), bodies, tmp_path / "results")
    assert figures["people"] == 2
    assert figures["ap"][1] == pytest.approx(1)
    assert len(figures["ap"]) == 2
    # refined crops are smaller, so the same camera places the same body elsewhere
    assert figures["ap_second_look"] < 0.9
    results = json.loads((tmp_path / "results" / "coco_val2017_results.json").read_text())
    assert [one["image_id"] for one in results] == [139, 139]
    points = np.array(results[1]["keypoints"]).reshape(17, 3)[:, :2]
    true = np.array(content["annotations"][1]["keypoints"]).reshape(17, 3)[:, :2]
    assert points == pytest.approx(true, abs=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: "{", "is not COCO's"),
        (lambda c: dict(c, annotations=[]), "no person with key points"),
        (lambda c: dict(c, annotations=[dict(c["annotations"][0], keypoints=[1])]), "key-point"),
        (lambda c: dict(c, images=[]), "139"),
        (lambda c: dict(c, images=[dict(c["images"][0], file_name="../a.jpg")]), "leads out"),
        (lambda c: [1], "is not COCO's"),
    ],
)
def test_invalid_annotations_are_rejected(bodies, tmp_path, change, message):
    write(tmp_path, change(annotation(bodies)))
    with pytest.raises(InputError, match=message):
        read_coco_val(tmp_path)


def test_missing_annotation_and_image_are_named(bodies, tmp_path):
    with pytest.raises(InputError, match=r"there is no .*person_keypoints_val2017\.json"):
        read_coco_val(tmp_path)
    write(tmp_path, annotation(bodies))
    (tmp_path / "val2017" / "a.jpg").unlink()
    with pytest.raises(InputError, match=r"a\.jpg is missing"):
        measure_coco_val(FakeNetwork(*people_of(bodies), UPRIGHT), read_coco_val(tmp_path), bodies)
