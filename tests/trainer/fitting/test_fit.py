"""The fit recovers known bodies, and bends no knee or elbow backwards."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra `train` is not installed")

from pymaf_live.body import PointSet, default_body, pose_joints
from pymaf_live.body.rotations import axis_angle_from_matrix
from pymaf_live.errors import InputError
from tests.trainer.fake_people import write_people
from trainer.data.fits import bends_naturally, describe, read_fits, write_fits
from trainer.data.fitted import FittedDataset
from trainer.data.lspet import read_joint_set
from trainer.evaluation.metrics import joint_error, procrustes
from trainer.fitting.fit import fit
from trainer.fitting.fitter import FitOptions
from trainer.fitting.targets import crop_annotations
from trainer.fitting.teacher import (
    TeacherLandmarks,
    read_teacher_landmarks,
    write_teacher_landmarks,
)

PEOPLE = 24


def fake_teacher(truth, noise: float, seed: int = 0) -> TeacherLandmarks:
    """Return the landmarks of a teacher that sees the truth with some noise."""
    body, random = default_body(), np.random.default_rng(seed)
    points = PointSet.keypoints(body, "blazepose")
    posed = points.pose(truth.rotations, truth.shape)
    flat = truth.camera[:, None, :1] * (posed[..., :2] + truth.camera[:, None, 1:])
    count = posed.shape[:2]
    centred = posed - posed[:, 23:25].mean(1, keepdims=True)
    return TeacherLandmarks(
        frame_from_crop=truth.frame_from_crop,
        points=(flat + 1) * 128 - 0.5 + random.normal(size=(*count, 2)) * noise * 100,
        world=centred + random.normal(size=(*count, 3)) * noise,
        visibility=np.ones(count),
        presence=np.ones(count[0]),
        spread_2d=np.full(count, noise * 100),
        spread_3d=np.full(count, noise),
        heat=np.full(count, 0.8),
    )


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    truth = write_people(folder, PEOPLE)
    people = crop_annotations(FittedDataset(read_joint_set(folder)))
    fits = fit(default_body(), people, fake_teacher(truth, 0.02), FitOptions(steps=150))
    return truth, people, fits


@pytest.mark.integration
def test_known_bodies_are_recovered(fitted):
    truth, _, fits = fitted
    body = default_body()
    found = pose_joints(body, fits.rotations, fits.shape)
    true = pose_joints(body, truth.rotations, truth.shape)
    # the teacher's landmarks are off by 3.5 cm each; fitted joints are closer
    assert joint_error(procrustes(found, true), true) < 0.035
    assert fits.residual_2d.mean() < 0.03
    assert fits.kept.mean() > 0.9
    assert bends_naturally(body, fits.rotations[fits.kept]).all()
    assert "left out" in describe(fits)


@pytest.mark.integration
def test_knees_and_elbows_bend_the_right_way(fitted):
    _, _, fits = fitted
    body = default_body()
    angles = axis_angle_from_matrix(fits.rotations)
    names = list(body.joint_names)
    for knee in ("left_knee", "right_knee"):
        assert (angles[:, names.index(knee), 0] > -0.1).all()
    assert (angles[:, names.index("left_elbow"), 1] < 0.1).all()
    assert (angles[:, names.index("right_elbow"), 1] > -0.1).all()


@pytest.mark.integration
def test_the_annotation_wins_over_a_wrong_teacher(fitted):
    truth, people, _ = fitted
    wrong = fake_teacher(truth, 0.02)
    shuffled = np.roll(np.arange(PEOPLE), 1)
    wrong = TeacherLandmarks(
        **{
            **{
                name: getattr(wrong, name)
                for name in ("frame_from_crop", "visibility", "presence", "heat")
            },
            **{name: getattr(wrong, name)[shuffled] for name in ("points", "world")},
            "spread_2d": wrong.spread_2d * 10,
            "spread_3d": wrong.spread_3d * 20,
        }
    )
    fits = fit(default_body(), people, wrong, FitOptions(steps=150))
    assert fits.residual_2d.mean() < 0.05
    assert fits.kept.mean() < 0.5
    assert fits.joint_trust.mean() < 0.2


def test_fits_and_landmarks_are_stored_without_pickle(tmp_path):
    truth = write_people(tmp_path, 3)
    write_fits(tmp_path / "fits.npz", truth)
    again = read_fits(tmp_path / "fits.npz", 3)
    np.testing.assert_allclose(again.camera, truth.camera, rtol=1e-6)
    assert again.kept.dtype == bool
    write_teacher_landmarks(tmp_path / "teacher.npz", fake_teacher(truth, 0.0))
    assert read_teacher_landmarks(tmp_path / "teacher.npz", 3).points.shape == (3, 33, 2)
    for read, name in ((read_fits, "fits.npz"), (read_teacher_landmarks, "teacher.npz")):
        with pytest.raises(InputError, match="the set has 4"):
            read(tmp_path / name, 4)
        if read is read_teacher_landmarks:
            with np.load(tmp_path / name) as file:
                arrays = {key: file[key] for key in file.files if key != "heat"}
            np.savez(tmp_path / "old.npz", **arrays)
            with pytest.raises(InputError, match="earlier version"):
                read(tmp_path / "old.npz", 3)
        (tmp_path / name).write_bytes(b"torn")
        with pytest.raises(InputError, match="contains no"):
            read(tmp_path / name, 3)
