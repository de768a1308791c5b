"""Tests of the metrics against values computed by hand and independent implementations."""

import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes
from scipy.spatial import procrustes as scipy_procrustes
from scipy.spatial.transform import Rotation

from trainer.evaluation.calibration import area_under_curve
from trainer.evaluation.metrics import (
    IGNORED,
    ConfusionMatrix,
    jitter,
    joint_error,
    mpjpe,
    normalized_errors,
    pa_mpjpe,
    pck,
    procrustes,
    vertex_error,
)


def annotated_person():
    joints = np.ones((1, 14, 3))
    joints[0, :, :2] = np.arange(28).reshape(14, 2) * 10
    joints[0, 2, :2], joints[0, 9, :2] = (0, 0), (0, 100)
    return joints


def test_pck_counts_limbs_within_a_fifth_of_the_torso():
    joints = annotated_person()
    found = joints[:, :, :2].copy()
    assert pck(found, joints) == 1
    found[0, 0] += [19.9, 0]
    found[0, 1] += [20.1, 0]
    found[0, 12] += 500
    assert pck(found, joints) == pytest.approx(11 / 12)
    found[0, 5] = np.nan
    assert pck(found, joints) == pytest.approx(10 / 12)


def test_pck_ignores_joints_without_annotation():
    joints = np.concatenate([annotated_person(), annotated_person()])
    joints[0, 3, 2] = 0
    joints[1, 2, 2] = 0
    found = joints[:, :, :2].copy()
    found[0, 3] += 500
    found[1] += 500
    assert pck(found, joints) == 1


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_procrustes_agrees_with_scipy(batch):
    random = np.random.default_rng(batch)
    true = random.normal(size=(batch, 14, 3))
    transformed = true @ Rotation.random(random_state=batch).as_matrix() * 2.5 + 3
    found = transformed + random.normal(size=true.shape) * 0.1
    aligned = procrustes(found, true)
    for row, target in zip(range(batch), true, strict=True):
        _, _, disparity = scipy_procrustes(target, found[row])
        spread = ((target - target.mean(axis=0)) ** 2).sum()
        assert ((aligned[row] - target) ** 2).sum() / spread == pytest.approx(disparity, rel=1e-9)
    assert joint_error(procrustes(transformed, true), true) < 1e-9


def test_procrustes_excludes_reflections():
    true = np.random.default_rng(0).normal(size=(1, 10, 3))
    assert joint_error(procrustes(true * [-1, 1, 1], true), true) > 0.1


def test_area_under_the_curve_is_the_share_of_ordered_pairs():
    assert area_under_curve(np.array([3.0, 4.0]), np.array([1.0, 2.0])) == 1
    assert area_under_curve(np.array([1.0, 4.0]), np.array([2.0, 3.0])) == 0.5
    assert area_under_curve(np.array([2.0]), np.array([2.0])) == 0.5


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_procrustes_agrees_with_the_rotation_and_scale_of_scipy(batch):
    # seeds whose orthogonal solution would be a reflection are avoided
    random = np.random.default_rng(10 + batch)
    true = random.normal(size=(batch, 17, 3))
    found = true @ Rotation.random(random_state=1).as_matrix().T * 0.4 - 2
    found += random.normal(size=true.shape) * 0.02
    aligned = procrustes(found, true)
    expected = []
    for one, target in zip(found, true, strict=True):
        a, b = one - one.mean(axis=0), target - target.mean(axis=0)
        rotation, scale = orthogonal_procrustes(a, b)
        assert np.linalg.det(rotation) > 0
        expected.append(a @ rotation * scale / (a**2).sum() + target.mean(axis=0))
    assert aligned == pytest.approx(np.stack(expected), abs=1e-9)
    error = np.linalg.norm(np.stack(expected) - true, axis=-1).mean()
    assert pa_mpjpe(found, true) == pytest.approx(1000 * error)


def test_normalized_errors_are_in_torso_lengths_and_nan_without_annotation():
    joints = annotated_person()
    joints[0, 4, 2] = 0
    found = joints[:, :, :2].copy()
    found[0, 0] += [30, 40]
    found[0, 1] = np.nan
    errors = normalized_errors(found, joints)[0]
    assert errors[0] == pytest.approx(0.5)
    assert errors[1] == np.inf
    assert np.isnan(errors[4])
    assert errors[[2, 3, 5]] == pytest.approx(0)


def test_mpjpe_aligns_the_roots():
    true = np.random.default_rng(0).normal(size=(3, 5, 3))
    found = true + np.array([0.3, -2.0, 1.0])
    assert mpjpe(found, true, [0, 1]) == pytest.approx(0, abs=1e-9)
    found[:, 4] += [0.0, 0.03, 0.04]
    assert mpjpe(found, true, [0, 1]) == pytest.approx(50 / 5)
    # an error of one of two roots moves all the others by half of it
    found[:, 0] += [0.02, 0, 0]
    expected = (10 + 10 + 10 + 10 + 1000 * np.hypot(0.01, 0.05)) / 5
    assert mpjpe(found, true, [0, 1]) == pytest.approx(expected)


def test_vertex_error_is_relative_to_the_root_joints():
    joints = np.zeros((2, 3, 3))
    mesh = np.random.default_rng(1).normal(size=(2, 10, 3))
    moved = vertex_error(mesh + 5, mesh, joints + 5, joints, [0])
    assert moved == pytest.approx(0, abs=1e-9)
    assert vertex_error(mesh + 0.01, mesh, joints, joints, [0]) == pytest.approx(10 * np.sqrt(3))


def test_jitter_is_the_movement_per_frame():
    points = np.zeros((5, 2, 3))
    points[1::2, 0] = [0.003, 0.004, 0.0]
    assert jitter(points) == pytest.approx(2.5)
    assert np.isnan(jitter(points[:1]))


def test_pixels_are_pooled_over_images():
    matrix = ConfusionMatrix(3)
    matrix.add(np.array([[0, 1, 1]]), np.array([[0, 1, 2]]))
    matrix.add(np.array([[2, 0], [1, 0]]), np.array([[2, IGNORED], [IGNORED, 0]]))
    assert matrix.accuracy == pytest.approx(4 / 5)
    # label 1: one correct, one false positive; label 2: one correct, one false negative
    assert matrix.f1 == pytest.approx([1, 2 / 3, 2 / 3])
    assert matrix.mean_f1 == pytest.approx(7 / 9)


def test_absent_labels_are_excluded_from_the_mean():
    matrix = ConfusionMatrix(3)
    matrix.add(np.array([0, 1]), np.array([0, 1]))
    assert np.isnan(matrix.f1[2])
    assert matrix.mean_f1 == 1
