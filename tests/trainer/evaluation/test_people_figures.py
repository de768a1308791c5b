"""Tests of facing, the upper body's alignment, groups of a test set and the landmarkers beside."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from pymaf_live.body import default_body  # noqa: E402
from pymaf_live.body.rotations import about_x, about_y  # noqa: E402
from pymaf_live.errors import InputError  # noqa: E402
from tests.trainer.evaluation.test_run import FakeNetwork  # noqa: E402
from tests.trainer.fake_dataset import DotPeople  # noqa: E402
from trainer.data.base import KEYPOINT_NAMES  # noqa: E402
from trainer.evaluation import landmarkers  # noqa: E402
from trainer.evaluation.facing import facing_figures, trunk_rotations, yaw_errors  # noqa: E402
from trainer.evaluation.landmarkers import measure_landmarkers_on_people  # noqa: E402
from trainer.evaluation.mesh_eval import BodyPoser  # noqa: E402
from trainer.evaluation.pose3d import estimate_people, measure_groups  # noqa: E402
from trainer.evaluation.upper_body import (  # noqa: E402
    UPPER_NAMES,
    read_upper_bodies,
    upper_body_figures,
)


@pytest.fixture(scope="module")
def bodies():
    return BodyPoser(default_body())


def truth_of(dots):
    labels = [dots.labels(row).body for row in range(len(dots))]
    return [
        np.stack([getattr(label, name) for label in labels])
        for name in ("rotations", "shape", "camera")
    ]


def test_yaw_is_measured_about_the_bodys_own_axis():
    # upright before a camera (y down), and lying
    upright, lying = np.diag([1.0, -1.0, -1.0]), about_x(np.pi / 2)
    turns = np.radians([0.0, 30.0, 60.0, 120.0, 180.0])
    for root in (upright, lying):
        true = np.tile(root, (5, 1, 1))
        found = np.stack([root @ about_y(turn) for turn in turns])
        assert yaw_errors(found, true) == pytest.approx(np.degrees(turns))
    # leaning by 60 degrees is no error of the facing
    leaning = (upright @ about_x(np.pi / 3))[None]
    assert yaw_errors(leaning, upright[None]) == pytest.approx(0, abs=1e-6)
    assert facing_figures(leaning, upright[None]) == {
        "facing_over_90": 0, "facing_over_45": 0, "root_over_45": 1,
    }  # fmt: skip
    found = np.stack([upright @ about_y(turn) for turn in turns])
    figures = facing_figures(found, np.tile(upright, (5, 1, 1)))
    assert (figures["facing_over_90"], figures["facing_over_45"]) == (0.4, 0.6)


def test_trunk_rotations_agree_with_the_root(bodies):
    root = about_y(0.7) @ about_x(0.4)
    rotations = np.tile(np.eye(3), (1, bodies.body.joint_count, 1, 1))
    rotations[0, 0] = root
    shape = np.zeros((1, bodies.body.shape_count))
    found = trunk_rotations(bodies.keypoints("lsp", rotations, shape))
    still = trunk_rotations(
        bodies.keypoints("lsp", np.tile(np.eye(3), (*rotations.shape[:2], 1, 1)), shape)
    )
    assert found[0] == pytest.approx(root @ still[0], abs=1e-6)
    # the rest body's trunk is upright and faces +z
    assert yaw_errors(still, np.eye(3)[None])[0] < 1


def test_upper_body_is_measured_by_the_shoulder_width(bodies):
    dots = DotPeople(bodies.body)
    known = [dots.labels(row) for row in range(len(dots))]
    true = read_upper_bodies(known)
    names = list(UPPER_NAMES)
    left, right = names.index("left_shoulder"), names.index("right_shoulder")
    # 70 pixels a metre; the bodies' 3D shoulder width
    for row in range(len(dots)):
        metres = np.linalg.norm(true.points_3d[row, left] - true.points_3d[row, right])
        assert true.width[row] == pytest.approx(70 * metres)
    points = np.stack([dots.pixels(row) for row in range(len(dots))])
    points_3d = np.stack([one.joints_3d[:, :3] for one in known])
    right_figures = upper_body_figures(points, points_3d, true)
    assert right_figures["upper_2d_error_percent"] == pytest.approx(0, abs=1e-9)
    assert right_figures["shoulder_width_ratio"] == pytest.approx(1)
    assert right_figures["upper_pa_mpjpe_mm"] == pytest.approx(0, abs=1e-9)

    # a body of 80 % of the size, moved by a tenth of the shoulder width
    centre = points.mean(axis=1, keepdims=True)
    moved = points + 0.1 * true.width[:, None, None] * [1.0, 0.0]
    smaller = centre + 0.8 * (points - centre)
    assert upper_body_figures(moved, points_3d, true)["upper_2d_error_percent"] == pytest.approx(10)
    found = upper_body_figures(smaller, 0.8 * points_3d, true)
    assert found["shoulder_width_ratio"] == pytest.approx(0.8)
    assert found["upper_pa_mpjpe_mm"] == pytest.approx(0, abs=1e-9)

    # legs and points outside the image do not count
    legs = points.copy()
    legs[:, :6] += 100
    assert upper_body_figures(legs, points_3d, true)["upper_2d_error_percent"] == pytest.approx(0)
    cut = [replace(one, keypoints=one.keypoints.copy()) for one in known]
    for one in cut:
        one.keypoints[KEYPOINT_NAMES.index("left_wrist"), 2] = 0
    wrist = points.copy()
    wrist[:, KEYPOINT_NAMES.index("left_wrist")] += 50
    assert upper_body_figures(wrist, points_3d, true)["upper_2d_error_percent"] > 1
    figures = upper_body_figures(wrist, points_3d, read_upper_bodies(cut))
    assert figures["upper_2d_error_percent"] == pytest.approx(0, abs=1e-9)
    for one in cut:
        one.keypoints[KEYPOINT_NAMES.index("left_shoulder"), 2] = 0
    assert read_upper_bodies(cut) is None


def test_groups_have_figures_of_their_own(bodies):
    dots = DotPeople(bodies.body)
    truth = truth_of(dots)
    # the last two people face away from their true direction
    truth[0][2:, 0] = truth[0][2:, 0] @ about_y(np.pi)
    found, known = estimate_people(FakeNetwork(*truth), dots)
    figures = measure_groups(found, known, ["sit", "sit", "run", "run"], bodies)
    assert figures["people"] == 4
    assert figures["sit_people"] == figures["run_people"] == 2
    assert figures["facing_over_90"][1] == 0.5
    assert figures["sit_facing_over_90"][1] == 0
    assert figures["run_facing_over_90"][1] == 1
    assert figures["sit_mpjpe_mm"][1] == pytest.approx(0, abs=0.01)
    assert figures["run_mpjpe_mm"][1] > 100
    assert figures["run_pa_mpjpe_mm"][1] == pytest.approx(0, abs=0.01)
    assert figures["mpjpe_limbs_mm"][1] > 100
    assert figures["sit_upper_2d_error_percent"][1] == pytest.approx(0, abs=0.1)
    assert figures["upper_people"] == 4
    assert measure_groups(found, known, [""] * 4, bodies).keys() == {
        name for name in figures if not name.startswith(("sit_", "run_"))
    }


def test_landmarkers_are_compared_with_the_same_people(bodies, monkeypatch, tmp_path):
    dots = DotPeople(bodies.body)

    class PerfectLandmarker:
        """Returns the true landmarks of one person after the other."""

        def __init__(self, path):
            assert path.name == "pose_landmark_lite.tflite"
            self.row = 0

        def run(self, cuts):
            row, self.row = self.row, self.row + 1
            labels = dots.labels(row)
            crop = landmarkers.recrop(labels, landmarkers.CropRule(), 256)
            points, world = np.zeros((33, 3)), np.zeros((33, 3))
            for name, index in landmarkers._FACE.items():
                own = KEYPOINT_NAMES.index(name)
                points[index, :2] = crop.to_crop(labels.keypoints[own, :2])
                world[index] = labels.joints_3d[own, :3]
            for own, index in enumerate(landmarkers.BLAZEPOSE_LSP_LIMBS):
                points[index, :2] = crop.to_crop(labels.keypoints[own, :2])
                world[index] = labels.joints_3d[own, :3]
            if row == 3:
                world *= [1, 1, -1]
            return landmarkers.LandmarkBatch(points[None], world[None], None, None)

    monkeypatch.setattr(landmarkers, "BlazePoseLandmarker", PerfectLandmarker)
    groups = ["sit", "sit", "run", "run"]
    figures = measure_landmarkers_on_people(dots, groups, tmp_path, ["lite"])
    assert figures["people"] == 4
    assert figures["pck_lite"] == 1
    assert figures["sit_mpjpe_limbs_mm_lite"] == pytest.approx(0, abs=1e-6)
    assert figures["run_mpjpe_limbs_mm_lite"] > 10
    assert figures["upper_2d_error_percent_lite"] == pytest.approx(0, abs=1e-6)
    assert figures["shoulder_width_ratio_lite"] == pytest.approx(1)

    known = replace(dots.labels(0), joints_3d=None)
    monkeypatch.setattr(DotPeople, "labels", lambda *_: known)
    with pytest.raises(InputError, match="without 3D joints"):
        measure_landmarkers_on_people(dots, groups, tmp_path, ["lite"])
