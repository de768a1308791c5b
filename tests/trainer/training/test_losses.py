"""Tests of the loss terms against direct NumPy computations."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from dataclasses import replace  # noqa: E402

from pymaf_live.body import PointSet, default_body, pose_joints  # noqa: E402
from pymaf_live.body.rotations import matrix_from_axis_angle  # noqa: E402
from trainer.body.blazepose_landmarker import LANDMARKS  # noqa: E402
from trainer.data.base import KEYPOINT_NAMES  # noqa: E402
from trainer.network.dense import DensePrediction  # noqa: E402
from trainer.network.encoder import EncoderOutput  # noqa: E402
from trainer.network.estimates import LevelEstimate, NetworkOutput  # noqa: E402
from trainer.rendering.surface_maps import PARTS, BodyMaps  # noqa: E402
from trainer.training.losses import Labels, Losses, LossWeights  # noqa: E402

PEOPLE = 3
WHOLE_CROP = [[-9.0, -9.0], [9.0, -9.0], [9.0, 9.0], [-9.0, 9.0]]


def tensor(array) -> "torch.Tensor":
    return torch.tensor(np.asarray(array), dtype=torch.float32)


@pytest.fixture(scope="module")
def body():
    return default_body()


def random_level(body, seed):
    random = np.random.default_rng(seed)
    rotations = matrix_from_axis_angle(random.normal(size=(PEOPLE, body.joint_count, 3)) * 0.3)
    camera = np.column_stack([random.uniform(0.5, 0.9, PEOPLE), random.normal(size=(PEOPLE, 2))])
    return LevelEstimate(
        tensor(rotations), tensor(random.normal(size=(PEOPLE, 10))), tensor(camera)
    )


def labels_of(body, true, person=1.0):
    parts = (
        PointSet.keypoints(body, name).pose(true.rotations.numpy(), true.shape.numpy())
        for name in ("lsp", "coco")
    )
    points = np.concatenate(list(parts), axis=1)[:, : len(KEYPOINT_NAMES)]
    camera = true.camera.numpy()
    flat = camera[:, None, :1] * (points[..., :2] + camera[:, None, 1:])
    ones = torch.ones(PEOPLE, body.joint_count)
    hips = [KEYPOINT_NAMES.index("left_hip"), KEYPOINT_NAMES.index("right_hip")]
    centred = points - points[:, hips].mean(1, keepdims=True)
    known = torch.ones(PEOPLE, len(KEYPOINT_NAMES))
    return Labels(
        tensor(flat), known, tensor(centred), known, true.rotations, true.shape, true.camera, ones,
        torch.ones(PEOPLE), torch.full((PEOPLE,), person), torch.zeros(PEOPLE, LANDMARKS, 2),
        torch.zeros(PEOPLE, LANDMARKS), tensor([WHOLE_CROP] * PEOPLE),
    )  # fmt: skip


def output_of(body, *levels):
    encoded = EncoderOutput([], torch.zeros(PEOPLE, 1))
    return NetworkOutput(
        list(levels), torch.zeros(PEOPLE, 1), torch.zeros(PEOPLE, body.joint_count), encoded
    )


def test_true_estimate_has_only_the_camera_loss(body):
    true = random_level(body, 0)
    _, terms = Losses(body, LossWeights())(output_of(body, true, true), labels_of(body, true))
    for name in ("keypoints_2d", "joints_3d", "annotated_3d", "rotations", "shape"):
        assert terms[name].item() < 1e-6
    expected = 2 * np.exp(-20 * true.camera[:, 0].numpy()).mean()
    assert terms["camera"].item() == pytest.approx(expected, rel=1e-4)


def test_terms_are_weighted_means_of_squares(body):
    true, found = random_level(body, 0), random_level(body, 1)
    _, terms = Losses(body, LossWeights())(output_of(body, found), labels_of(body, true))
    joints = [
        pose_joints(body, level.rotations.numpy(), level.shape.numpy()) for level in (found, true)
    ]
    names = list(body.joint_names)
    hips = [names.index("left_hip"), names.index("right_hip")]
    centred = [j - j[:, hips].mean(1, keepdims=True) for j in joints]
    expected = 300 * ((centred[0] - centred[1]) ** 2).mean()
    assert terms["joints_3d"].item() == pytest.approx(expected, rel=1e-4)
    expected = 60 * (found.rotations - true.rotations).square().mean()
    assert terms["rotations"].item() == pytest.approx(expected.item(), rel=1e-4)
    expected = 0.06 * (found.shape - true.shape).square().mean()
    assert terms["shape"].item() == pytest.approx(expected.item(), rel=1e-4)


def test_annotated_3d_joints_are_relative_to_the_hips(body):
    """The loss of a joint that is 0.1 m off is the square of that distance."""
    true = random_level(body, 0)
    labels = labels_of(body, true)
    off = labels.joints_3d.clone()
    wrist = KEYPOINT_NAMES.index("left_wrist")
    off[:, wrist, 2] += 0.1
    only = torch.zeros_like(labels.joints_3d_weight)
    only[:, wrist] = 1
    wrong = replace(labels, joints_3d=off, joints_3d_weight=only, fitted=torch.zeros(PEOPLE))
    _, terms = Losses(body, LossWeights())(output_of(body, true), wrong)
    assert terms["annotated_3d"].item() == pytest.approx(300 * 0.1**2 / 3, rel=1e-3)


def test_every_level_counts(body):
    true, found = random_level(body, 0), random_level(body, 1)
    losses, labels = Losses(body, LossWeights()), labels_of(body, true)
    one = losses(output_of(body, found), labels)[1]
    three = losses(output_of(body, found, found, found), labels)[1]
    for name in ("keypoints_2d", "joints_3d", "annotated_3d", "rotations", "shape", "camera"):
        assert three[name].item() == pytest.approx(3 * one[name].item(), rel=1e-4)


def test_unknown_joints_and_rejected_fits_do_not_count(body):
    true, found = random_level(body, 0), random_level(body, 1)
    labels = labels_of(body, true)
    unknown = replace(
        labels,
        keypoint_weight=torch.zeros_like(labels.keypoint_weight),
        joints_3d_weight=torch.zeros_like(labels.joints_3d_weight),
        fitted=torch.zeros(PEOPLE),
    )
    _, terms = Losses(body, LossWeights())(output_of(body, found), unknown)
    for name in ("keypoints_2d", "joints_3d", "annotated_3d", "rotations", "shape"):
        assert terms[name].item() == 0


@pytest.mark.parametrize(
    ("weight", "term"),
    [
        ("keypoint_weight", "keypoints_2d"),
        ("joints_3d_weight", "annotated_3d"),
        ("joint_trust", "joints_3d"),
        ("joint_trust", "rotations"),
    ],
)
def test_weights_are_absolute(body, weight, term):
    """A batch of trust 0.02 contributes a fiftieth of a batch of trust 1."""
    true, found = random_level(body, 0), random_level(body, 1)
    # without a fit, because its landmarks are part of keypoints_2d
    fitted = torch.full((PEOPLE,), float(weight == "joint_trust"))
    labels = replace(labels_of(body, true), fitted=fitted)
    doubtful = replace(labels, **{weight: 0.02 * getattr(labels, weight)})
    losses, output = Losses(body, LossWeights()), output_of(body, found)
    full, small = (losses(output, one)[1][term].item() for one in (labels, doubtful))
    assert full > 0
    assert small == pytest.approx(0.02 * full, rel=1e-4)


def test_landmarks_of_the_fit_weigh_a_quarter(body):
    true, found = random_level(body, 0), random_level(body, 1)
    labels = labels_of(body, true)
    labels = replace(labels, keypoint_weight=torch.zeros_like(labels.keypoint_weight))
    _, terms = Losses(body, LossWeights())(output_of(body, found), labels)
    landmarks = PointSet.keypoints(body, "blazepose")
    flat = [
        level.camera.numpy()[:, None, :1]
        * (
            landmarks.pose(level.rotations.numpy(), level.shape.numpy())[..., :2]
            + level.camera.numpy()[:, None, 1:]
        )
        for level in (found, true)
    ]
    expected = 300 * 0.25 * ((flat[0] - flat[1]) ** 2).mean()
    assert terms["keypoints_2d"].item() == pytest.approx(expected, rel=1e-4)


def test_published_normalisation_counts_unknown_points(body):
    """The authors average over 49 2D points of every crop, and 24 3D joints of people with any."""
    true, found = random_level(body, 0), random_level(body, 1)
    known = torch.zeros(PEOPLE, len(KEYPOINT_NAMES))
    known[:2, :13] = 1
    labels = replace(
        labels_of(body, true),
        keypoint_weight=known,
        joints_3d_weight=known,
        fitted=torch.zeros(PEOPLE),
    )
    output = output_of(body, found)
    ours, published = (
        Losses(body, LossWeights(normalisation=kind))(output, labels)[1]
        for kind in ("known", "published")
    )
    expected = ours["keypoints_2d"].item() * (2 * 13) / (PEOPLE * 49)
    assert published["keypoints_2d"].item() == pytest.approx(expected, rel=1e-4)
    expected = ours["annotated_3d"].item() * 13 / 24
    assert published["annotated_3d"].item() == pytest.approx(expected, rel=1e-4)


def test_background_trains_only_the_score(body):
    true, found = random_level(body, 0), random_level(body, 1)
    output = output_of(body, found)
    _, terms = Losses(body, LossWeights())(output, labels_of(body, true, person=0.0))
    for name in ("keypoints_2d", "joints_3d", "annotated_3d", "rotations", "shape", "joint_score"):
        assert terms[name].item() == 0
    assert terms["score"].item() == pytest.approx(np.log(2), rel=1e-5)


def dense_of(maps, off=0.0):
    """Return a confident, correct prediction whose U is off by a constant."""
    logits = 30 * torch.nn.functional.one_hot(maps.part, 1 + PARTS).permute(0, 3, 1, 2).float()
    u, v = (m[:, None].expand_as(logits) for m in (maps.u + off, maps.v))
    return DensePrediction(logits, u, v)


def test_dense_correspondence_is_supervised_where_a_body_is_known(body):
    true, size = random_level(body, 0), 16
    labels = replace(labels_of(body, true), fitted=torch.tensor([1.0, 1.0, 0.0]))
    maps = BodyMaps(body)(true.rotations, true.shape, true.camera, size)
    losses = Losses(body, LossWeights(), dense=True)

    def terms(dense, labels=labels):
        return losses(replace(output_of(body, true), dense=dense), labels)[1]

    right = terms(dense_of(maps))
    assert right["auxiliary_index"].item() < 1e-6
    assert right["auxiliary_uv"].item() < 1e-6
    cells = (maps.part[:2] > 0).sum().item() / 2
    off = terms(dense_of(maps, 0.2))
    # smooth L1 below 1 is half the square; summed over the body's cells, averaged over known people
    assert off["auxiliary_uv"].item() == pytest.approx(0.5 * 0.2**2 / 2 * cells, rel=1e-3)
    uniform = replace(dense_of(maps), part=torch.zeros(PEOPLE, 1 + PARTS, size, size))
    assert terms(uniform)["auxiliary_index"].item() == pytest.approx(np.log(1 + PARTS), rel=1e-4)
    parts = terms(DensePrediction(uniform.part))
    assert "auxiliary_uv" not in parts
    without_people = replace(labels, fitted=torch.zeros(PEOPLE))
    assert terms(uniform, without_people)["auxiliary_index"].item() == 0


def test_loss_of_an_outlier_label_is_limited_by_the_keypoint_width(body):
    true = random_level(body, 0)
    labels = labels_of(body, true)
    wrong = replace(labels, keypoints=labels.keypoints + 50)
    weights = LossWeights(keypoint_width=0.2)
    _, terms = Losses(body, weights)(output_of(body, true), wrong)
    assert terms["keypoints_2d"].item() == pytest.approx(300 * 0.2**2 / 2, rel=1e-3)


def test_joint_score_is_trained_to_predict_correct_joints(body):
    true = random_level(body, 0)
    output = output_of(body, true)
    confident = replace(output, joint_score=torch.full_like(output.joint_score, 9.0))
    doubtful = replace(output, joint_score=torch.full_like(output.joint_score, -9.0))
    losses, labels = Losses(body, LossWeights()), labels_of(body, true)
    right, wrong = (losses(o, labels)[1]["joint_score"].item() for o in (confident, doubtful))
    assert right < 1e-3 < 5 < wrong
