"""Tests of the network against the published one: shapes, order, feedback, detachment."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from pymaf_live.body import PointSet, default_body, pose_joints  # noqa: E402
from pymaf_live.body.rotations import matrix_from_6d as matrix_from_6d_numpy  # noqa: E402
from pymaf_live.body.rotations import matrix_from_axis_angle  # noqa: E402
from trainer.body.torch_body import PosedPoints, Skeleton, SkinnedVertices, matrix_from_6d  # noqa: E402
from trainer.network.config import NetworkConfig  # noqa: E402
from trainer.network.estimates import InitialEstimate  # noqa: E402
from trainer.network.point_features import (  # noqa: E402
    PointFeatures,
    grid_points,
    sample_bilinear,
    sample_by_rows,
)
from trainer.network.pymaf import PyMAF  # noqa: E402


@pytest.fixture(scope="module")
def body():
    return default_body()


@pytest.fixture(scope="module")
def published(body):
    torch.manual_seed(0)
    return PyMAF(NetworkConfig(), body, InitialEstimate.upright(body)).eval()


@pytest.fixture(scope="module")
def poses(body):
    random = np.random.default_rng(3)
    rotations = matrix_from_axis_angle(random.normal(size=(3, body.joint_count, 3)) * 0.6)
    return rotations, random.normal(size=(3, body.shape_count))


def test_torch_and_numpy_bodies_agree(body, poses):
    rotations, shape = (torch.tensor(a, dtype=torch.float32) for a in poses)
    skeleton = Skeleton(body)
    rest = skeleton.rest(shape)
    world, joints = skeleton(rotations, rest)
    np.testing.assert_allclose(joints, pose_joints(body, *poses), atol=1e-5)
    keypoints = PosedPoints(body, body.keypoint_rows("coco"))(world, joints, rest, shape)
    np.testing.assert_allclose(keypoints, PointSet.keypoints(body, "coco").pose(*poses), atol=1e-5)
    vertices = body.sample_vertices
    skinned = SkinnedVertices(body, vertices)(world, joints, rest, shape)
    np.testing.assert_allclose(skinned, PointSet.vertices(body, vertices).pose(*poses), atol=1e-5)


def test_six_numbers_are_two_interleaved_columns():
    six = np.random.default_rng(0).normal(size=(5, 6))
    found = matrix_from_6d(torch.tensor(six)).numpy()
    np.testing.assert_allclose(found, matrix_from_6d_numpy(six), atol=1e-6)
    first = six[:, 0::2] / np.linalg.norm(six[:, 0::2], axis=1, keepdims=True)
    np.testing.assert_allclose(found[:, :, 0], first, atol=1e-6)
    np.testing.assert_allclose(np.linalg.det(found), 1, atol=1e-6)


def test_grid_order_has_x_slowest():
    grid = grid_points(3)
    assert grid[:4].tolist() == [[-1, -1], [-1, 0], [-1, 1], [0, -1]]


def test_sampling_is_bilinear_with_aligned_corners_and_zero_outside():
    feature_map = torch.arange(9.0).reshape(1, 1, 3, 3)
    points = torch.tensor([[[-1, -1], [1, -1], [0, 0], [0.5, 0.0], [-3, 0]]])
    assert sample_bilinear(feature_map, points)[0, :, 0].tolist() == [0, 2, 4, 4.5, 0]


def test_sampling_by_rows_equals_sampling_also_outside_and_on_the_last_cell():
    torch.manual_seed(3)
    feature_map = torch.rand(2, 5, 6, 9)
    points = torch.cat([4 * torch.rand(2, 200, 2) - 2, torch.tensor([[[1.0, 1], [-1, -1]]] * 2)], 1)
    torch.testing.assert_close(
        sample_by_rows(feature_map, points), sample_bilinear(feature_map, points), atol=1e-5, rtol=0
    )


def test_published_sizes(published, body):
    assert published.points[0].layers[0].weight.shape == (128, 256, 1)
    assert published.points[0].layers[1].in_channels == 128 + 256
    assert published.points[0].layers[2].in_channels == 64 + 256
    estimate = 6 * body.joint_count + body.shape_count + 3
    widths = [regressor.fc1.in_features for regressor in published.regressors]
    sampled_numbers = 5 * len(body.sample_vertices)
    assert widths == [2205 + estimate, sampled_numbers + estimate, sampled_numbers + estimate]
    assert all(regressor.fc1.out_features == 1024 for regressor in published.regressors)


def test_resnet50_pyramid_and_output_shapes(published, body):
    with torch.no_grad():
        output = published(torch.rand(2, 3, 224, 224))
    assert [tuple(m.shape[1:]) for m in output.encoded.maps] == [
        (256, 14, 14), (256, 28, 28), (256, 56, 56)
    ]  # fmt: skip
    assert len(output.levels) == 3
    assert output.levels[-1].rotations.shape == (2, body.joint_count, 3, 3)
    identity = output.levels[-1].rotations @ output.levels[-1].rotations.transpose(-1, -2)
    assert torch.allclose(identity, torch.eye(3).expand_as(identity), atol=1e-5)
    assert output.score.shape == (2, 1)
    assert output.joint_score.shape == (2, body.joint_count)


def test_resnet50_has_the_usual_number_of_parameters(published):
    encoder = published.encoder
    deconvolutions = sum(p.numel() for p in encoder.deconv_layers.parameters())
    # torchvision's resnet50 has 25,557,032 parameters, 2,049,000 of them in the classifier
    assert sum(p.numel() for p in encoder.parameters()) - deconvolutions == 25_557_032 - 2_049_000


def test_features_are_channel_major():
    features = PointFeatures(4, (3,), 2)
    samples = torch.rand(1, 7, 4)
    with torch.no_grad():
        flat, alone = features(samples), features(samples[:, 2:3])
    assert torch.allclose(flat[0, [2, 9]], alone[0])


def test_levels_are_detached_from_each_other(body):
    torch.manual_seed(1)
    model = PyMAF(NetworkConfig(hidden=16, dropout=0.0), body, InitialEstimate.upright(body))
    encoded = model.encoder(torch.rand(1, 3, 224, 224))
    model.estimate(encoded).levels[2].rotations.sum().backward()
    assert model.regressors[0].fc1.weight.grad is None
    assert model.regressors[2].fc1.weight.grad is not None


def test_mesh_aligned_features_follow_the_body(body):
    """Changing the initial estimate moves the sampling points of levels 1 and 2, not the grid."""
    torch.manual_seed(2)
    model = PyMAF(NetworkConfig(hidden=16, dropout=0.0), body, InitialEstimate.upright(body)).eval()
    samples = []
    for layer in model.points:
        layer.register_forward_pre_hook(lambda _, inputs: samples.append(inputs[0]))
    with torch.no_grad():
        encoded = model.encoder(torch.rand(1, 3, 224, 224))
        model.estimate(encoded)
        model.start_camera[0, 1] += 0.3
        model.estimate(encoded)
    assert torch.equal(samples[0], samples[3])
    assert not torch.allclose(samples[1], samples[4])


def test_replacing_the_initial_estimate_keeps_the_output(body):
    torch.manual_seed(3)
    config = NetworkConfig(hidden=32, dropout=0.0, activation=True)
    model = PyMAF(config, body, InitialEstimate.upright(body)).eval()
    image = torch.rand(2, 3, 224, 224)
    rotations = matrix_from_axis_angle(
        np.random.default_rng(0).normal(size=(40, body.joint_count, 3)) * 0.3
    )
    mean = InitialEstimate.mean(
        rotations, np.full((40, body.shape_count), 0.3), np.ones((40, 3)) * 0.2
    )
    with torch.no_grad():
        before = model(image).levels[-1]
        model.replace_start(mean)
        after = model(image).levels[-1]
    assert torch.allclose(model.start_shape, torch.full_like(model.start_shape, 0.3))
    for name in ("rotations", "shape", "camera"):
        assert torch.allclose(getattr(before, name), getattr(after, name), atol=1e-4)


def test_mean_rotation_equals_that_of_scipy():
    from scipy.spatial.transform import Rotation

    turns = Rotation.from_rotvec(np.random.default_rng(1).normal(size=(30, 3)) * 0.5)
    start = InitialEstimate.mean(turns.as_matrix()[:, None], np.zeros((30, 1)), np.zeros((30, 3)))
    np.testing.assert_allclose(start.rotations[0], turns.mean().as_matrix(), atol=1e-6)


def test_upright_initial_estimate_has_the_size_of_the_crop_rule(body):
    start = InitialEstimate.upright(body)
    mesh = PointSet.vertices(body).pose(start.rotations.numpy(), start.shape.numpy())
    y = start.camera[0].item() * (mesh[:, 1] + start.camera[2].item())
    assert y.min() == pytest.approx(-1 / 1.75, abs=1e-5)
    assert y.max() == pytest.approx(1 / 1.75, abs=1e-5)
    head = mesh[body.template[:, 1].argmax(), 1]
    assert head == pytest.approx(mesh[:, 1].min())
