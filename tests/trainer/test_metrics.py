"""Metrics against values worked out by hand and independent implementations."""

import numpy as np
import pytest
from scipy.spatial import procrustes as scipy_procrustes
from scipy.spatial.transform import Rotation

from trainer.calibration import area_under_curve
from trainer.metrics import joint_error, pck, procrustes


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
