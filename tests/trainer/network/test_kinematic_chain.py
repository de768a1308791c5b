"""Tests of the network's kinematics and skinning against the NumPy body."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from pymaf_live.body import PointSet, default_body  # noqa: E402
from pymaf_live.body.kinematics import joint_transforms, rest_joints  # noqa: E402
from pymaf_live.body.rotations import matrix_from_axis_angle  # noqa: E402
from trainer.network.kinematic_chain import (  # noqa: E402
    AnchoredPoints,
    KinematicChain,
    SampledSkin,
    columns_from_pose,
    orthonormalized,
    pose_from_columns,
)
from trainer.network.point_features import grid_points, sample_bilinear, sample_on_grid  # noqa: E402


@pytest.fixture(scope="module")
def body():
    return default_body()


@pytest.fixture(scope="module")
def people(body):
    random = np.random.default_rng(3)
    rotations = matrix_from_axis_angle(random.normal(size=(4, body.joint_count, 3)) * 0.9)
    return rotations, random.normal(size=(4, body.shape_count))


@pytest.fixture(scope="module")
def framed(body, people):
    """Return joint frames computed by pointer jumping, and the shape."""
    rotations, shape = (torch.tensor(a, dtype=torch.float32) for a in people)
    chain = KinematicChain(body)
    return chain(rotations[..., :2].transpose(-1, -2), chain.bones(shape)), shape


def test_frames_equal_those_of_the_recursive_chain(body, people, framed):
    rotations, shape = people
    world, joint_positions = joint_transforms(body, rotations, rest_joints(body, shape))
    frames, joints = framed[0].numpy(), body.joint_count
    np.testing.assert_allclose(frames[:, :joints, :3, :3].swapaxes(-1, -2), world, atol=2e-6)
    np.testing.assert_allclose(frames[:, :joints, 3, :3], joint_positions, atol=2e-6)
    np.testing.assert_array_equal(frames[:, joints], np.broadcast_to(np.eye(4), (4, 4, 4)))


def test_key_points_and_vertices_equal_those_of_the_numpy_body(body, people, framed):
    frames, shape = framed
    points = AnchoredPoints(body, body.keypoint_rows("blazepose"))
    found = points(points.anchors(shape), frames)[:, 0].numpy()
    true = PointSet.keypoints(body, "blazepose").pose(*people)
    np.testing.assert_allclose(found[..., :3], true, atol=3e-6)
    np.testing.assert_allclose(found[..., 3], 1, atol=1e-6)
    vertices = SampledSkin(body, body.sample_vertices)(frames, shape).numpy()
    mesh = PointSet.vertices(body, body.sample_vertices).pose(*people)
    np.testing.assert_allclose(vertices[..., :3], mesh, atol=3e-6)


def test_two_columns_determine_a_rotation(body, people):
    rotations = torch.tensor(people[0], dtype=torch.float32)
    pose = rotations[..., :2].reshape(len(rotations), -1)
    columns = orthonormalized(columns_from_pose(pose, body.joint_count))
    torch.testing.assert_close(
        KinematicChain(body).rotations(columns), rotations, atol=1e-6, rtol=0
    )
    torch.testing.assert_close(pose_from_columns(columns), pose, atol=1e-6, rtol=0)
    # whatever their length and angle
    skewed = torch.stack([3 * columns[:, :, 0], 2 * columns[:, :, 1] - columns[:, :, 0]], dim=2)
    torch.testing.assert_close(orthonormalized(skewed), columns, atol=2e-6, rtol=0)


def test_columns_of_length_zero_stay_finite():
    assert torch.isfinite(orthonormalized(torch.zeros(1, 2, 2, 3))).all()


@pytest.mark.parametrize(("height", "side"), [(16, 21), (14, 21), (56, 21), (64, 5)])
def test_grid_sampling_equals_sampling_its_points(height, side):
    feature_map = torch.rand(2, 3, height, height)
    points = grid_points(side).expand(2, -1, -1)
    torch.testing.assert_close(
        sample_on_grid(feature_map, side), sample_bilinear(feature_map, points), atol=1e-5, rtol=0
    )
