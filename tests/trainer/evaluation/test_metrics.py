"""Metrics against values worked out by hand and independent implementations."""

import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes
from scipy.spatial import procrustes as scipy_procrustes
from scipy.spatial.transform import Rotation

from trainer.evaluation.calibration import area_under_curve
from trainer.evaluation.metrics import (
    IGNORED,
    ConfusionMatrix,
    acceleration_error,
    jitter,
    joint_error,
    mpjpe,
    normalized_errors,
    pa_mpjpe,
    pck,
    procrustes,
    vertex_error,
)


def person():
    joints = np.ones((1, 14, 3))
    joints[0, :, :2] = np.arange(28).reshape(14, 2) * 10
    joints[0, 2, :2], joints[0, 9, :2] = (0, 0), (0, 100)
    return joints


def test_pck_counts_limbs_within_a_fifth_of_the_torso():
    joints = person()
    found = joints[:, :, :2].copy()
    assert pck(found, joints) == 1
    found[0, 0] += [19.9, 0]
    found[0, 1] += [20.1, 0]
    found[0, 12] += 500
    assert pck(found, joints) == pytest.approx(11 / 12)
    found[0, 5] = np.nan
    assert pck(found, joints) == pytest.approx(10 / 12)


def test_pck_leaves_out_what_is_not_annotated():
    joints = np.concatenate([person(), person()])
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
    turned = true @ Rotation.random(random_state=batch).as_matrix() * 2.5 + 3
    found = turned + random.normal(size=true.shape) * 0.1
    aligned = procrustes(found, true)
    for one, target in zip(range(batch), true, strict=True):
        _, _, disparity = scipy_procrustes(target, found[one])
        spread = ((target - target.mean(axis=0)) ** 2).sum()
        assert ((aligned[one] - target) ** 2).sum() / spread == pytest.approx(disparity, rel=1e-9)
    assert joint_error(procrustes(turned, true), true) < 1e-9


def test_procrustes_does_not_mirror():
    true = np.random.default_rng(0).normal(size=(1, 10, 3))
    assert joint_error(procrustes(true * [-1, 1, 1], true), true) > 0.1


def test_area_under_the_curve_counts_pairs():
    assert area_under_curve(np.array([3.0, 4.0]), np.array([1.0, 2.0])) == 1
    assert area_under_curve(np.array([1.0, 4.0]), np.array([2.0, 3.0])) == 0.5
    assert area_under_curve(np.array([2.0]), np.array([2.0])) == 0.5


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_procrustes_agrees_with_scipys_rotation_and_scale(batch):
    # the orthogonal problem has a mirror image as its answer for some of these: those are left out
    random = np.random.default_rng(10 + batch)
    true = random.normal(size=(batch, 17, 3))
    found = true @ Rotation.random(random_state=1).as_matrix().T * 0.4 - 2
    found += random.normal(size=true.shape) * 0.02
    aligned = procrustes(found, true)
    errors = []
    for one, target in zip(found, true, strict=True):
        a, b = one - one.mean(axis=0), target - target.mean(axis=0)
        rotation, scale = orthogonal_procrustes(a, b)
        assert np.linalg.det(rotation) > 0
        errors.append(a @ rotation * scale / (a**2).sum() + target.mean(axis=0))
    assert aligned == pytest.approx(np.stack(errors), abs=1e-9)
    away = np.linalg.norm(np.stack(errors) - true, axis=-1).mean()
    assert pa_mpjpe(found, true) == pytest.approx(1000 * away)


def test_misses_are_in_torso_lengths_and_none_where_nothing_is_annotated():
    joints = person()
    joints[0, 4, 2] = 0
    found = joints[:, :, :2].copy()
    found[0, 0] += [30, 40]
    found[0, 1] = np.nan
    missed = normalized_errors(found, joints)[0]
    assert missed[0] == pytest.approx(0.5)
    assert missed[1] == np.inf
    assert np.isnan(missed[4])
    assert missed[[2, 3, 5]] == pytest.approx(0)


def test_mpjpe_lays_the_roots_on_each_other():
    true = np.random.default_rng(0).normal(size=(3, 5, 3))
    found = true + np.array([0.3, -2.0, 1.0])
    assert mpjpe(found, true, [0, 1]) == pytest.approx(0, abs=1e-9)
    found[:, 4] += [0.0, 0.03, 0.04]
    assert mpjpe(found, true, [0, 1]) == pytest.approx(50 / 5)
    # a root that is off moves all the others, by half where there are two
    found[:, 0] += [0.02, 0, 0]
    expected = (10 + 10 + 10 + 10 + 1000 * np.hypot(0.01, 0.05)) / 5
    assert mpjpe(found, true, [0, 1]) == pytest.approx(expected)


def test_vertex_error_is_relative_to_the_joints_roots():
    joints = np.zeros((2, 3, 3))
    mesh = np.random.default_rng(1).normal(size=(2, 10, 3))
    moved = vertex_error(mesh + 5, mesh, joints + 5, joints, [0])
    assert moved == pytest.approx(0, abs=1e-9)
    assert vertex_error(mesh + 0.01, mesh, joints, joints, [0]) == pytest.approx(10 * np.sqrt(3))


def test_acceleration_error_of_a_parabola():
    time = np.arange(8)[:, None, None]
    true = np.zeros((8, 2, 3))
    # 2 mm a frame squared along x for one of the two joints
    found = true + time**2 * [[[0.001, 0, 0], [0, 0, 0]]] + 0.3 * time
    per_frame, per_second = acceleration_error(found, true, 25.0)
    assert per_frame == pytest.approx(1.0)
    assert per_second == pytest.approx(625.0)
    assert np.isnan(acceleration_error(found[:2], true[:2])[0])
    assert np.isnan(acceleration_error(found, true)[1])


def test_jitter_is_the_way_a_frame():
    points = np.zeros((5, 2, 3))
    points[1::2, 0] = [0.003, 0.004, 0.0]
    assert jitter(points) == pytest.approx(2.5)
    assert np.isnan(jitter(points[:1]))


def test_pixels_are_pooled_over_pictures():
    count = ConfusionMatrix(3)
    count.add(np.array([[0, 1, 1]]), np.array([[0, 1, 2]]))
    count.add(np.array([[2, 0], [1, 0]]), np.array([[2, IGNORED], [IGNORED, 0]]))
    assert count.accuracy == pytest.approx(4 / 5)
    # label 1: one right, one too many; label 2: one right, one lacking
    assert count.f1 == pytest.approx([1, 2 / 3, 2 / 3])
    assert count.mean_f1 == pytest.approx(7 / 9)


def test_a_label_that_nobody_has_is_left_out_of_the_mean():
    count = ConfusionMatrix(3)
    count.add(np.array([0, 1]), np.array([0, 1]))
    assert np.isnan(count.f1[2])
    assert count.mean_f1 == 1
