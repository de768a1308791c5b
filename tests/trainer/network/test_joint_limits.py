"""Tests of the joint limits in the network."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

torch = pytest.importorskip("torch")

from pymaf_live.body import default_body  # noqa: E402
from trainer.body.joint_limits import LIMITS, MARGIN, violates_joint_limits  # noqa: E402
from trainer.network.joint_limits import JointLimits, rotation_vector  # noqa: E402


@pytest.fixture(scope="module")
def body():
    return default_body()


def matrices(vectors):
    flat = Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix()
    return torch.tensor(flat.reshape(*vectors.shape[:-1], 3, 3), dtype=torch.float32)


def test_rotation_vectors_equal_those_of_scipy():
    random = np.random.default_rng(0)
    vectors = random.normal(size=(200, 3))
    vectors *= (random.uniform(0, 3.0, 200) / np.linalg.norm(vectors, axis=1))[:, None]
    found = rotation_vector(matrices(vectors)).numpy()
    np.testing.assert_allclose(found, vectors, atol=3e-3)
    assert np.abs(rotation_vector(torch.eye(3)[None])).max() < 1e-3


def test_impossible_bodies_become_possible_and_possible_ones_stay(body):
    random = np.random.default_rng(1)
    vectors = random.normal(size=(300, body.joint_count, 3)) * 0.9
    rotations = matrices(vectors)
    limits = JointLimits(body)
    before = violates_joint_limits(body, rotations.numpy())
    assert before.mean() > 0.9
    clamped = limits(rotations)
    assert not violates_joint_limits(body, clamped.numpy()).any()
    torch.testing.assert_close(
        clamped @ clamped.transpose(-1, -2), torch.eye(3).expand_as(clamped), atol=1e-4, rtol=0
    )
    relaxed = matrices(random.normal(size=(50, body.joint_count, 3)) * 0.02)
    assert torch.equal(limits(relaxed), relaxed)


def test_hyperextended_knee_is_clamped_and_other_joints_stay(body):
    knee = list(body.joint_names).index("left_knee")
    vectors = np.zeros((1, body.joint_count, 3))
    vectors[0, knee, 0] = -1.2
    clamped = JointLimits(body)(matrices(vectors))
    low = next(low for name, axis, low, _ in LIMITS if (name, axis) == ("left_knee", 0))
    assert float(rotation_vector(clamped)[0, knee, 0]) == pytest.approx(low - MARGIN, abs=0.03)
    others = [joint for joint in range(body.joint_count) if joint != knee]
    torch.testing.assert_close(clamped[0, others], torch.eye(3).expand(len(others), 3, 3))


def test_gradients_are_finite(body):
    rotations = torch.eye(3).repeat(2, body.joint_count, 1, 1).requires_grad_()
    JointLimits(body)(rotations).sum().backward()
    assert torch.isfinite(rotations.grad).all()
