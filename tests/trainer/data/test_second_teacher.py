"""Tests of the labels of two teachers."""

import numpy as np
import pytest

from pymaf_live.body import default_body
from pymaf_live.body.keypoints import BLAZEPOSE_LSP_LIMBS
from pymaf_live.errors import InputError, UsageError
from tests.trainer.fake_people import write_people
from trainer.data.augmentation import Augmentation
from trainer.data.crops import CropDataset
from trainer.data.factory import DatasetConfig, open_dataset
from trainer.data.lspet import read_joint_set
from trainer.data.second_teacher import read_second_teacher

COUNT = 12
NOSE, LEFT_INDEX, RIGHT_WRIST = 0, 19, 16
PRESENT = Augmentation(background=0.0, truncate=0.0, lost=0.0, flip=0.0, others=0.0, occlude=0.0)


def write_teacher(path, joints):
    """Write a teacher whose landmarks lie at the joints' middle, and an annotation repaired."""
    count = len(joints)
    heavy = np.zeros((count, 33, 4), np.float32)
    heavy[..., :2] = joints[:, :, :2].mean(axis=1)[:, None]
    heavy[..., 2] = 0.9
    heavy[:, LEFT_INDEX, 3] = 15.0
    weight = np.full((count, 14), 0.7, np.float32)
    repaired = joints.astype(np.float32)
    repaired[:, 6, 2] = 0.0
    agree = np.ones((count, 12), bool)
    np.savez(
        path, heavy=heavy, agree=agree, stable=agree, torso=np.full(count, 100.0, np.float32),
        joints_repaired=repaired, label_weight=weight,
    )  # fmt: skip
    return heavy


@pytest.fixture
def people(tmp_path):
    write_people(tmp_path, COUNT)
    return tmp_path


def test_annotation_is_repaired_and_completed(people):
    joints = read_joint_set(people).joints
    heavy = write_teacher(people / "teacher.npz", joints)
    labels = read_second_teacher(people / "teacher.npz", COUNT)
    known = joints[:, :, 2] > 0
    known[:, 6] = False
    np.testing.assert_allclose(labels.keypoints[:, :14, 2], 0.7 * known, rtol=1e-6)
    wrist = BLAZEPOSE_LSP_LIMBS.index(RIGHT_WRIST)
    assert wrist == 6
    # not annotated any more, but both teachers agree
    np.testing.assert_allclose(labels.landmarks[:, RIGHT_WRIST, :2], heavy[:, RIGHT_WRIST, :2])
    np.testing.assert_allclose(labels.landmarks[:, RIGHT_WRIST, 2], 0.5)
    # 15 pixels between two runs are 0.15 torso lengths, of 0.2 that count nothing
    np.testing.assert_allclose(labels.landmarks[:, LEFT_INDEX, 2], 0.9 * 0.25, rtol=1e-5)
    np.testing.assert_allclose(labels.landmarks[:, NOSE, 2], 0.9, rtol=1e-5)


def test_crops_carry_the_teachers_landmarks(people):
    write_teacher(people / "teacher.npz", read_joint_set(people).joints)
    config = DatasetConfig(kind="lspet", folder=people, teacher=people / "teacher.npz", rows="all")
    body = default_body()
    dataset = open_dataset(config, body)
    crops = CropDataset([dataset], body, 64, PRESENT)
    sample = crops.sample(0, 0, np.random.default_rng(0))
    mirrored = crops.mirrored(sample)
    assert sample.landmark_weight[NOSE] == pytest.approx(0.9, rel=1e-5)
    # right and left change places
    assert mirrored.landmark_weight[20] == pytest.approx(sample.landmark_weight[LEFT_INDEX])
    np.testing.assert_allclose(mirrored.landmarks[NOSE], sample.landmarks[NOSE] * [-1, 1])
    again = crops.mirrored(mirrored)
    np.testing.assert_allclose(again.outline, sample.outline)
    np.testing.assert_allclose(again.landmarks, sample.landmarks)
    side = np.roll(mirrored.outline, -1, 0) - mirrored.outline
    to = -mirrored.outline
    assert ((side[:, 0] * to[:, 1] - side[:, 1] * to[:, 0]) >= 0).all()


def test_file_of_another_set_is_refused(people):
    write_teacher(people / "teacher.npz", read_joint_set(people).joints[:5])
    with pytest.raises(InputError, match="another set"):
        read_second_teacher(people / "teacher.npz", COUNT)
    with pytest.raises(InputError, match="no labels of two teachers"):
        read_second_teacher(people / "labels.npz", COUNT)


def test_only_sets_with_a_teacher_accept_one(people):
    config = DatasetConfig(kind="synthetic", folder=people, teacher=people / "teacher.npz")
    with pytest.raises(UsageError, match="no second teacher"):
        open_dataset(config, default_body())
    with pytest.raises(UsageError, match="give its teacher"):
        open_dataset(replace_kind(config, "ccp"), default_body())


def replace_kind(config, kind):
    return config.model_copy(update={"kind": kind, "teacher": None})
