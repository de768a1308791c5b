"""A second teacher's repairs replace the annotation; its agreement weighs the first teacher."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra `train` is not installed")

from pymaf_live.errors import InputError
from tests.helpers.paths import SHARED
from tests.trainer.fake_people import write_people
from tests.trainer.fitting.test_fit import fake_teacher
from trainer.data.fitted import FittedDataset
from trainer.data.lspet import read_joint_set
from trainer.fitting.second_teacher import read_second_teacher, repaired_annotations
from trainer.fitting.targets import build_fit_targets, crop_annotations

PEOPLE = 6


@pytest.fixture
def people(tmp_path):
    truth = write_people(tmp_path, PEOPLE)
    return truth, crop_annotations(FittedDataset(read_joint_set(tmp_path)))


def write_votes(path, people, **changes):
    arrays = {
        "joints_repaired": people.keypoints[:, :14] + [5.0, 0, 0],
        "label_weight": np.full((len(people), 14), 0.5),
        "agree": np.ones((len(people), 12), bool),
    }
    np.savez(path, **{**arrays, **changes})
    return path


def test_repaired_joints_replace_the_annotation_but_not_of_held_out_people(people, tmp_path):
    _, annotated = people
    votes = read_second_teacher(write_votes(tmp_path / "votes.npz", annotated), PEOPLE)
    repaired = repaired_annotations(annotated, votes, held_out=2)
    moved = repaired.keypoints[:, :14] - annotated.keypoints[:, :14]
    np.testing.assert_allclose(moved[:4, :, 0], 5)
    np.testing.assert_allclose(repaired.keypoints[:4, :14, 2], 0.5)
    np.testing.assert_array_equal(repaired.keypoints[4:], annotated.keypoints[4:])
    np.testing.assert_array_equal(repaired.frame_from_crop, annotated.frame_from_crop)


def test_a_joint_with_disagreement_is_trusted_less(people, tmp_path):
    truth, annotated = people
    agree = np.ones((PEOPLE, 12), bool)
    agree[0, 0] = False
    votes = read_second_teacher(write_votes(tmp_path / "votes.npz", annotated, agree=agree), PEOPLE)
    weighed = repaired_annotations(annotated, votes, held_out=PEOPLE)
    teacher = fake_teacher(truth, 0.0)
    plain = build_fit_targets(annotated, teacher, 0.35, 0.06).landmark_trust
    trust = build_fit_targets(weighed, teacher, 0.35, 0.06).landmark_trust
    # BlazePose's right ankle is LSP's first joint
    assert trust[28, 0] < 0.5 * plain[28, 0]
    np.testing.assert_allclose(trust[:, 1:], plain[:, 1:])


def test_votes_on_other_people_are_refused(people, tmp_path):
    path = write_votes(tmp_path / "votes.npz", people[1])
    with pytest.raises(InputError, match="votes on 6 people, the set has 7"):
        read_second_teacher(path, 7)
    path.write_bytes(b"torn")
    with pytest.raises(InputError, match="contains no second teacher's votes"):
        read_second_teacher(path, PEOPLE)


@pytest.mark.skipif(
    not (SHARED / "data/lspet/second_teacher.npz").is_file(), reason="the shared data are missing"
)
def test_the_votes_on_lspet_weigh_most_joints_fully():
    votes = read_second_teacher(SHARED / "data/lspet/second_teacher.npz", 9600)
    known = votes.joints[:, :12, 2] > 0
    assert 0.7 < (votes.joints[:, :12, 2][known] == 1).mean() < 0.8
