"""Tests of kinematics, skinning and rotation conversions."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pymaf_live.body import PointSet, default_body, pose_joints, rest_joints
from pymaf_live.body import rotations as conversions


@pytest.fixture(scope="module")
def body():
    return default_body()


@pytest.fixture(scope="module")
def random_people(body):
    random = np.random.default_rng(0)
    axis_angle = random.normal(size=(4, body.joint_count, 3)) * 0.6
    return axis_angle, random.normal(size=(4, body.shape_count))


def test_agrees_with_smplx(body, random_people):
    torch = pytest.importorskip("torch", reason="the extra `train` is not installed")
    smplx_lbs = pytest.importorskip("smplx.lbs", reason="the extra `train` is not installed")
    axis_angle, shape = random_people
    count = len(body.template)
    vertices, joints = smplx_lbs.lbs(
        torch.tensor(shape),
        torch.tensor(axis_angle.reshape(len(shape), -1)),
        torch.tensor(body.template),
        torch.tensor(body.shape_directions),
        torch.zeros((body.joint_count - 1) * 9, count * 3, dtype=torch.float64),
        torch.tensor(body.joint_regressor.toarray()),
        torch.tensor(body.parents),
        torch.tensor(body.skin_weights),
    )
    rotations = conversions.matrix_from_axis_angle(axis_angle)
    mesh = PointSet.vertices(body).pose(rotations, shape)
    assert np.abs(mesh - vertices.numpy()).max() < 1e-5
    assert np.abs(pose_joints(body, rotations, shape) - joints.numpy()).max() < 1e-5


def test_keypoints_are_means_of_the_posed_mesh(body, random_people):
    rotations = conversions.matrix_from_axis_angle(random_people[0])
    mesh = PointSet.vertices(body).pose(rotations, random_people[1])
    for name in body.keypoint_sets:
        points = PointSet.keypoints(body, name).pose(rotations, random_people[1])
        expected = np.stack([body.keypoint_rows(name) @ vertices for vertices in mesh])
        np.testing.assert_allclose(points, expected, atol=1e-9)


def test_vertex_subset_is_part_of_the_mesh(body, random_people):
    rotations = conversions.matrix_from_axis_angle(random_people[0])
    chosen = body.sample_vertices[::7]
    subset = PointSet.vertices(body, chosen).pose(rotations, random_people[1])
    mesh = PointSet.vertices(body).pose(rotations, random_people[1])
    np.testing.assert_allclose(subset, mesh[:, chosen], atol=1e-9)


def test_one_person_is_a_batch_of_one(body, random_people):
    rotations = conversions.matrix_from_axis_angle(random_people[0])
    points = PointSet.keypoints(body, "coco")
    shift = np.array([1.0, 2.0, 3.0])
    one = points.pose(rotations[2], random_people[1][2], shift)
    np.testing.assert_allclose(one, points.pose(rotations, random_people[1])[2] + shift)


def test_root_rotates_about_its_joint(body):
    shape = np.ones(body.shape_count)
    rotations = np.tile(np.eye(3), (body.joint_count, 1, 1))
    rotations[0] = Rotation.from_euler("xyz", [40, 20, -70], degrees=True).as_matrix()
    rest = rest_joints(body, shape)
    expected = (rest - rest[0]) @ rotations[0].T + rest[0]
    np.testing.assert_allclose(pose_joints(body, rotations, shape), expected, atol=1e-12)


def test_rotation_conversions_agree_with_scipy():
    rotations = Rotation.random(50, random_state=1)
    matrix = rotations.as_matrix()
    np.testing.assert_allclose(conversions.matrix_from_axis_angle(rotations.as_rotvec()), matrix)
    np.testing.assert_allclose(conversions.axis_angle_from_matrix(matrix), rotations.as_rotvec())
    quaternion = conversions.quaternion_from_matrix(matrix)
    assert (quaternion[:, 0] >= 0).all()
    np.testing.assert_allclose(conversions.matrix_from_quaternion(-3 * quaternion), matrix)
    six = matrix[:, :, :2].reshape(-1, 6)
    np.testing.assert_allclose(conversions.matrix_from_6d(six), matrix, atol=1e-12)
    assert conversions.about_z(0.3) @ [1, 0, 0] == pytest.approx([np.cos(0.3), np.sin(0.3), 0])
