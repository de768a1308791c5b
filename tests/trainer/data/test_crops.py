"""Tests of augmented crops: image and labels stay consistent."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra `train` is not installed")

from pymaf_live.body import PointSet, crop_points_2d, default_body
from pymaf_live.errors import InputError
from tests.trainer.fake_people import write_people
from trainer.data.augmentation import Augmentation
from trainer.data.crops import CropDataset
from trainer.data.fitted import FittedDataset
from trainer.data.lspet import ImageStore, read_joint_set

PEOPLE = 5


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    fits = write_people(folder, PEOPLE)
    return folder, read_joint_set(folder), fits


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_fitted_body_and_annotation_stay_aligned(people, flip):
    _, joint_set, fits = people
    body = default_body()
    options = Augmentation(turn=40, scale=0.2, shift=0.1, flip=flip, background=0)
    crops = CropDataset([FittedDataset(joint_set, fits)], body, 128, options)
    points = PointSet.keypoints(body, "lsp")
    for row in range(PEOPLE):
        sample = crops.sample(0, row, np.random.default_rng(row))
        posed = points.pose(sample.rotations, sample.shape)
        flat = crop_points_2d(posed, sample.camera)
        # joints are stored as float32 pixels
        np.testing.assert_allclose(flat, sample.keypoints[: len(flat)], atol=1e-4)


def test_image_moves_with_its_labels(people):
    """The dots drawn at the joints are at the labelled positions, mirrored or not."""
    _, joint_set, fits = people
    for flip in (0.0, 1.0):
        options = Augmentation(
            turn=25, scale=0.1, shift=0.03, flip=flip, colour=0, blur=0, occlude=0, background=0
        )
        crops = CropDataset([FittedDataset(joint_set, fits)], default_body(), 256, options)
        sample = crops.sample(0, 0, np.random.default_rng(4))
        annotated = sample.keypoints[sample.keypoint_weight > 0]
        pixels = ((annotated + 1) * 128 - 0.5).round().astype(int)
        grey = np.full(3, 90.0)
        seen = sample.image[pixels[:, 1].clip(0, 255), pixels[:, 0].clip(0, 255)].astype(float)
        assert (np.abs(seen - grey).max(axis=1) > 25).mean() > 0.8


def test_same_seed_reproduces_the_crop(people):
    _, joint_set, fits = people
    crops = CropDataset([FittedDataset(joint_set, fits)], default_body(), 64, Augmentation())
    first, again = (crops.sample(0, 1, np.random.default_rng(9)) for _ in range(2))
    assert (first.image == again.image).all()
    other = crops.sample(0, 1, np.random.default_rng(10))
    assert not (first.image == other.image).all()


def test_crops_without_people_have_no_labels(people):
    _, joint_set, fits = people
    empty = [np.full((90, 120, 3), 50, np.uint8)]
    crops = CropDataset(
        [FittedDataset(joint_set, fits)], default_body(), 64, Augmentation(background=1.0), empty
    )
    sample = crops.sample(0, 0, np.random.default_rng(0))
    assert sample.person == 0
    assert sample.keypoint_weight.sum() == 0
    assert sample.fitted == 0


def test_invalid_sets_are_rejected(tmp_path, people):
    with pytest.raises(InputError, match="there is no"):
        read_joint_set(tmp_path)
    (tmp_path / "labels.npz").write_bytes(b"truncated")
    with pytest.raises(InputError, match="not a packed joint set"):
        read_joint_set(tmp_path)
    folder = people[0]
    with np.load(folder / "labels.npz") as file:
        arrays = dict(file)
    arrays["joints"][0, 0, 0] = np.nan
    np.savez(tmp_path / "labels.npz", **arrays)
    with pytest.raises(InputError, match="not finite"):
        read_joint_set(tmp_path)


def test_missing_or_corrupt_image_is_named(tmp_path, people):
    from dataclasses import replace
    from zipfile import ZipFile

    _, joint_set, _ = people
    with pytest.raises(InputError, match=r"im00000\.jpg is missing"):
        ImageStore(replace(joint_set, folder=tmp_path))[0]
    with ZipFile(tmp_path / "images_00.zip", "w") as archive:
        archive.writestr("im00000.jpg", b"not an image")
    with pytest.raises(InputError, match=r"im00000\.jpg does not decode"):
        ImageStore(replace(joint_set, folder=tmp_path))[0]
