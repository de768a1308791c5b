"""Test of docs/own-data.md: images with COCO's JSON become a model that the program runs."""

import json

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from pymaf_live.body import default_body  # noqa: E402
from pymaf_live.cli.app import main as program  # noqa: E402
from pymaf_live.errors import InputError  # noqa: E402
from pymaf_live.takes.npz_file import read_take  # noqa: E402
from tests.trainer.conftest import SHARED  # noqa: E402
from trainer.__main__ import main  # noqa: E402
from trainer.data.coco import COCO_NAMES  # noqa: E402
from trainer.data.factory import DatasetConfig, open_dataset  # noqa: E402
from trainer.data.fits import read_fits  # noqa: E402
from trainer.data.fitted import DatasetWithFits  # noqa: E402
from trainer.data.lspet import ImageStore, read_joint_set  # noqa: E402

PEOPLE = 4
CONFIG = """
name = "own"

[network]
encoder = "blazepose_lite"
point_widths = [64, 32]
feature_width = 256
hidden = 256
dropout = 0.1
activation = true
landmarks = true
heatmaps = true

[[data]]
kind = "coco"
folder = "mine"
fits = "mine_fits"
part = "pictures"

[schedule]
images = 4
batch = 2
learning_rate = 1e-5
encoder_rate = 1e-6
freeze_stem = true
"""


@pytest.fixture(scope="module")
def own_folder(tmp_path_factory):
    """Return a folder as in docs/own-data.md: images and COCO's JSON beside them."""
    packed = SHARED / "data" / "coco_mini"
    if not packed.is_dir():
        pytest.skip(f"images of people are missing in {packed}")
    people = read_joint_set(packed)
    store = ImageStore(people)
    known = (people.joints[..., 2] > 0).sum(axis=1)
    chosen = np.argsort(-known, kind="stable")[:PEOPLE]
    folder = tmp_path_factory.mktemp("own") / "mine"
    (folder / "pictures").mkdir(parents=True)
    (folder / "annotations").mkdir()
    images, annotations, boxes = [], [], {}
    for number, row in enumerate(chosen):
        image, points = store[int(row)], people.joints[row]
        name = f"{number}.jpg"
        cv2.imwrite(str(folder / "pictures" / name), image[..., ::-1])
        seen = points[points[:, 2] > 0, :2]
        low, high = seen.min(axis=0), seen.max(axis=0)
        boxes[name] = [[*(low - 5).tolist(), *(high + 5).tolist()]]
        height, width = image.shape[:2]
        images.append({"id": number, "file_name": name, "width": width, "height": height})
        annotations.append(
            {
                "id": number,
                "image_id": number,
                "category_id": 1,
                "iscrowd": 0,
                "keypoints": points.ravel().tolist(),
                "bbox": [*low.tolist(), *(high - low).tolist()],
            }
        )
    content = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO_NAMES)}],
    }
    target = folder / "annotations" / "person_keypoints_pictures.json"
    target.write_text(json.dumps(content))
    (folder / "boxes.json").write_text(json.dumps(boxes))
    return folder


@pytest.mark.integration
def test_images_with_key_points_become_a_model_that_runs(own_folder, blazepose, tmp_path):
    torch.set_num_threads(1)
    fits, config = tmp_path / "fits.npz", tmp_path / "own.toml"
    config.write_text(CONFIG)
    landmarks = ["--landmarks", str(blazepose)]
    command = ["fit", "--set", f"coco={own_folder}", "--part", "pictures", "--steps", "30"]
    assert main([*command, "--out", str(fits), *landmarks]) == 0
    fitted = read_fits(fits, PEOPLE)
    assert np.median(fitted.residual_2d) < 0.1
    assert fitted.kept.any()

    places = ["--data", f"mine={own_folder}", "--data", f"mine_fits={fits}"]
    places += ["--lspet", str(tmp_path / "no_lspet"), *landmarks]
    train = ["train", "--config", str(config), *places]
    assert main([*train, "--out", str(tmp_path / "first")]) == 0
    first = tmp_path / "first" / "checkpoint.safetensors"
    assert main([*train, "--out", str(tmp_path / "second"), "--start", str(first)]) == 0
    second = tmp_path / "second" / "checkpoint.safetensors"

    model = tmp_path / "own.onnx"
    assert main(["export", str(second), "--out", str(model), *landmarks]) == 0
    out = tmp_path / "out"
    command = ["process", str(own_folder / "pictures"), "--out", str(out), "--model", str(model)]
    command += ["--boxes", str(own_folder / "boxes.json"), "--export", "npz", "--no-overlay"]
    assert program(command) == 0
    (take,) = out.glob("*.npz")
    found = read_take(take)
    assert found.model.startswith("own ")
    assert len(found.pose) == PEOPLE


def test_fits_of_other_people_are_rejected(own_folder):
    people = open_dataset(
        DatasetConfig(kind="coco", folder=own_folder, part="pictures"), default_body()
    )
    body, count = default_body(), len(people)
    frames = np.stack([people.labels(row).crop.frame_from_crop for row in range(count)])
    fits = fake_fits(body, frames)
    known = DatasetWithFits(people, fits)
    assert known.labels(0).body is not None
    assert known.labels(1).body is None
    with pytest.raises(InputError, match="person 0 differs"):
        DatasetWithFits(people, fake_fits(body, frames[::-1])).labels(0)
    with pytest.raises(InputError, match=f"has {count} people, there are fits of {count - 1}"):
        DatasetWithFits(people, fake_fits(body, frames[1:]))


def fake_fits(body, frames):
    from trainer.data.fits import Fits

    count = len(frames)
    rotations = np.broadcast_to(np.eye(3), (count, body.joint_count, 3, 3))
    nothing = np.zeros(count)
    return Fits(
        rotations=rotations,
        shape=np.zeros((count, body.shape_count)),
        camera=np.ones((count, 3)),
        frame_from_crop=frames,
        joint_trust=np.ones((count, body.joint_count)),
        residual_2d=nothing,
        residual_torso=nothing,
        residual_3d=nothing,
        residual_3d_all=nothing,
        kept=np.arange(count) == 0,
    )
