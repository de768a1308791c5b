"""From crop to camera: the body keeps lying where the crop's own camera saw it."""

import cv2
import numpy as np
import pytest

from pymaf_live.body import (
    PointSet,
    crop_points_2d,
    load_body,
    person_from_estimate,
    pixels_from_crop_units,
    project,
)
from pymaf_live.body.rotations import matrix_from_axis_angle
from pymaf_live.people.crop import crop_about
from pymaf_live.types import Camera, Estimate


@pytest.fixture(scope="module")
def body():
    return load_body()


def estimate_of(body, seed):
    random = np.random.default_rng(seed)
    rotations = matrix_from_axis_angle(random.normal(size=(body.joint_count, 3)) * 0.3)
    rotations[0] = rotations[0] @ np.diag([1.0, -1.0, -1.0])
    camera = np.array([0.7, *random.normal(size=2) * 0.1])
    shape = random.normal(size=body.shape_count)
    return Estimate(rotations, shape, camera, 1.0, np.ones(body.joint_count))


@pytest.mark.parametrize("seed", range(6))
def test_perspective_agrees_with_the_crop(body, seed):
    """Within 2 % of the box for people nearer than 30 degrees to the axis."""
    random = np.random.default_rng(seed + 100)
    camera = Camera.for_frame((1280, 720))
    centre = camera.principal_point + random.uniform(-250, 250, 2)
    crop = crop_about(centre, float(random.uniform(250, 420)), float(random.uniform(-3, 3)), 256)
    estimate = estimate_of(body, seed)
    points = PointSet.keypoints(body, "lsp")
    weak = crop_points_2d(points.pose(estimate.rotations, estimate.shape), estimate.camera)
    expected = crop.to_frame(pixels_from_crop_units(weak, crop.size))
    person = person_from_estimate(body, estimate, crop, camera)
    posed = points.pose(person.rotations, person.shape, person.translation)
    box = np.ptp(expected, axis=0).max()
    # perspective itself moves what is nearer or farther than the body's origin: 0.3 m at 4 m and
    # more; what is compared is the mean, in which that cancels
    shift = (project(posed, camera) - expected).mean(axis=0)
    assert np.abs(shift).max() < 0.02 * box
    flat = posed.copy()
    flat[:, 2] = person.translation[2]
    assert np.abs(project(flat, camera) - expected).max() < 0.02 * box


def test_depth_is_the_documented_formula(body):
    camera = Camera.for_frame((640, 480))
    crop = crop_about(np.array([300.0, 200.0]), 256.0, 0.4, 256)
    person = person_from_estimate(body, estimate_of(body, 3), crop, camera)
    assert person.translation[2] == pytest.approx(2 * 800 / (256 * 0.7))


def test_a_turned_crop_gives_the_same_person(body):
    """Whatever the crop's turn, a person seen in it stands the same way in the camera's frame."""
    camera = Camera.for_frame((1280, 720))
    estimate = estimate_of(body, 1)
    upright = person_from_estimate(
        body, estimate, crop_about(camera.principal_point, 300.0, 0.0, 256), camera
    )
    turned = person_from_estimate(
        body, estimate, crop_about(camera.principal_point, 300.0, 0.7, 256), camera
    )
    centred = upright.joints_2d - camera.principal_point
    c, s = np.cos(0.7), np.sin(0.7)
    expected = centred @ np.array([[c, s], [-s, c]]) + camera.principal_point
    np.testing.assert_allclose(turned.joints_2d, expected, atol=1e-6)


def test_projection_agrees_with_opencv():
    camera = Camera(700.0, np.array([311.0, 250.0]), (640, 480))
    points = np.random.default_rng(0).normal(size=(20, 3)) + np.array([0, 0, 5])
    matrix = np.array([[700, 0, 311], [0, 700, 250], [0, 0, 1.0]])
    expected, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), matrix, None)
    np.testing.assert_allclose(project(points, camera), expected[:, 0], atol=1e-9)


def test_points_behind_the_camera_stay_finite():
    camera = Camera.for_frame((640, 480))
    assert np.isfinite(project(np.array([[0.1, 0.2, -3.0], [0, 0, 0]]), camera)).all()


def test_field_of_view_along_the_diagonal():
    camera = Camera.for_frame((640, 480), fov=90)
    assert camera.focal_length == pytest.approx(400)
    assert Camera.for_frame((640, 480)).focal_length == pytest.approx(800)
