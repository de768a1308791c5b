"""Tests of the landmarks' targets and of the heatmap loss."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from dataclasses import replace  # noqa: E402

from trainer.body.blazepose_landmarker import LANDMARKS  # noqa: E402
from trainer.data.base import KEYPOINT_NAMES  # noqa: E402
from trainer.network.encoder import SHARPNESS  # noqa: E402
from trainer.training.landmark_targets import (  # noqa: E402
    LandmarkTargets,
    heatmap_error,
    inside_outline,
    landmark_targets,
)
from trainer.training.losses import Labels  # noqa: E402

LEFT_WRIST, LEFT_INDEX, LEFT_ANKLE, LEFT_FOOT = 15, 19, 27, 31
OUTLINE = [[-1.5, -1.5], [1.5, -1.5], [1.5, 0.5], [-1.5, 0.5]]


def labels_at(keypoints, weight, **changes):
    """Return labels of one person with a body label, cut below y = 0.5."""
    nothing = torch.zeros(1)
    return replace(
        Labels(
            keypoints, weight, nothing, nothing, nothing, nothing, nothing, nothing,
            fitted=torch.ones(1), person=torch.ones(1), landmarks=torch.zeros(1, LANDMARKS, 2),
            landmark_weight=torch.zeros(1, LANDMARKS), outline=torch.tensor([OUTLINE]),
        ),
        **changes,
    )  # fmt: skip


@pytest.fixture
def annotated():
    """Return body points at the origin, and an annotation 0.15 to the right of the left wrist."""
    keypoints = torch.zeros(1, len(KEYPOINT_NAMES), 2)
    weight = torch.zeros(1, len(KEYPOINT_NAMES))
    row = KEYPOINT_NAMES.index("left_wrist")
    keypoints[0, row, 0], weight[0, row] = 0.15, 1.0
    return keypoints, weight


def targets_of(labels, of_body=None, outside=0.1):
    zeros = torch.zeros(1, LANDMARKS, 2)
    body = zeros if of_body is None else of_body
    return landmark_targets(labels, body, torch.zeros(1, len(KEYPOINT_NAMES), 2), outside)


def test_hand_follows_the_annotated_wrist(annotated):
    targets = targets_of(labels_at(*annotated))
    for row in (LEFT_WRIST, LEFT_INDEX):
        assert targets.points[0, row].tolist() == pytest.approx([0.15, 0.0])
    assert targets.points[0, LEFT_ANKLE].tolist() == [0.0, 0.0]
    assert targets.weight.eq(1).all()


def test_teacher_comes_first(annotated):
    taught, weight = torch.zeros(1, LANDMARKS, 2), torch.zeros(1, LANDMARKS)
    taught[0, LEFT_INDEX, 1], weight[0, LEFT_INDEX] = -0.4, 0.7
    targets = targets_of(labels_at(*annotated, landmarks=taught, landmark_weight=weight))
    assert targets.points[0, LEFT_INDEX].tolist() == pytest.approx([0.0, -0.4])
    assert targets.weight[0, LEFT_INDEX].item() == pytest.approx(0.7)
    # without a body label only the teacher's landmarks are known
    alone = labels_at(*annotated, landmarks=taught, landmark_weight=weight, fitted=torch.zeros(1))
    assert targets_of(alone).weight.sum().item() == pytest.approx(0.7)


def test_landmarks_out_of_sight_weigh_less(annotated):
    of_body = torch.zeros(1, LANDMARKS, 2)
    of_body[0, LEFT_FOOT, 1] = 0.7
    targets = targets_of(labels_at(*annotated), of_body)
    assert targets.weight[0, LEFT_FOOT].item() == pytest.approx(0.1)
    assert not targets.visible[0, LEFT_FOOT]
    assert targets.visible[0, LEFT_ANKLE]
    assert targets.weight.sum().item() == pytest.approx(LANDMARKS - 0.9)


def test_repeated_corners_bound_nothing():
    repeated = torch.tensor([[*OUTLINE, OUTLINE[-1], OUTLINE[-1]]])
    points = torch.tensor([[[0.0, 0.0], [0.0, 0.6], [1.2, 0.0]]])
    assert inside_outline(points, repeated).tolist() == [[True, False, False]]
    assert not inside_outline(points, torch.zeros(1, 8, 2)).any()


def heatmap_targets(x, y, visible=True):
    points = torch.tensor([[[x, y]]])
    return LandmarkTargets(points, torch.ones(1, 1), torch.tensor([[visible]]))


def gaussian_map(x, y, size=64, width=1.2):
    """Return logits whose sharpened softmax is a Gaussian about x, y in crop units."""
    centres = (np.arange(size) + 0.5) * 2 / size - 1
    square = (centres[None] - x) ** 2 + (centres[:, None] - y) ** 2
    logits = -square * (size / 2 / width) ** 2 / 2 / SHARPNESS
    return torch.tensor(logits, dtype=torch.float32)[None, None]


def test_heatmap_like_its_target_has_no_loss():
    assert heatmap_error(gaussian_map(0.3, -0.2), heatmap_targets(0.3, -0.2)).item() < 1e-4


def test_divergence_of_a_shifted_gaussian():
    """Two Gaussians of one width differ by half the square of their distance in widths."""
    cells = 2.0
    shift = cells * 2 / 64
    error = heatmap_error(gaussian_map(0.3 + shift, -0.2), heatmap_targets(0.3, -0.2)).item()
    assert error == pytest.approx((cells / 1.2) ** 2 / 2, rel=1e-2)


def test_landmark_outside_the_image_should_have_no_peak():
    outside = heatmap_targets(0.3, 1.4, visible=False)
    high, low = (heatmap_error(torch.full((1, 1, 64, 64), v), outside).item() for v in (3.0, -9.0))
    assert high == pytest.approx(np.log1p(np.exp(5.0)), rel=1e-4)
    assert low < 1e-3


def test_hand_does_not_follow_a_wrong_annotation(annotated):
    keypoints, weight = annotated
    targets = targets_of(labels_at(keypoints * 2, weight))
    assert targets.points.abs().sum().item() == 0
