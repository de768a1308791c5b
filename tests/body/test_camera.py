"""Tests of projection and of decoding estimates into the camera frame."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from pymaf_live.body import (
    PointSet,
    crop_points_2d,
    crop_units_from_pixels,
    default_body,
    person_from_estimate,
    person_with_points,
    pixels_from_crop_units,
    pose_joints,
    project,
)
from pymaf_live.body.rotations import matrix_from_axis_angle
from pymaf_live.tracking.crop import crop_about
from pymaf_live.types import Camera, Estimate


@pytest.fixture(scope="module")
def body():
    return default_body()


def estimate_of(body, seed):
    random = np.random.default_rng(seed)
    rotations = matrix_from_axis_angle(random.normal(size=(body.joint_count, 3)) * 0.3)
    rotations[0] = rotations[0] @ np.diag([1.0, -1.0, -1.0])
    camera = np.array([0.7, *random.normal(size=2) * 0.1])
    shape = random.normal(size=body.shape_count)
    return Estimate(rotations, shape, camera, 1.0, np.ones(body.joint_count))


def seen_and_posed(body, seed):
    """Return a person anywhere in the image, with the pixels where the crop saw the joints."""
    random = np.random.default_rng(seed + 100)
    camera = Camera.for_frame((1280, 720))
    centre = camera.principal_point + random.uniform(-250, 250, 2)
    crop = crop_about(centre, float(random.uniform(250, 420)), float(random.uniform(-3, 3)), 256)
    estimate = estimate_of(body, seed)
    person = person_from_estimate(body, estimate, crop, camera)
    joints = pose_joints(body, estimate.rotations, estimate.shape)
    weak = crop_points_2d(joints, estimate.camera)
    seen = crop.to_frame(pixels_from_crop_units(weak, crop.size))
    return camera, crop, estimate, person, seen


@pytest.mark.parametrize("seed", range(6))
def test_perspective_agrees_with_the_crop(body, seed):
    """The mean deviation is below 2 % of the box within 30 degrees of the axis."""
    *_, person, seen = seen_and_posed(body, seed)
    box = np.ptp(seen, axis=0).max()
    shift = (person.joints_2d - seen).mean(axis=0)
    assert np.abs(shift).max() < 0.02 * box
    # perspective itself moves points nearer or farther than the body's middle
    assert np.linalg.norm(person.joints_2d - seen, axis=1).mean() < 0.06 * box


@pytest.mark.parametrize("seed", range(6))
def test_translation_minimises_the_reprojection_error(body, seed):
    camera, crop, estimate, person, seen = seen_and_posed(body, seed)
    posed = person.joints - person.translation

    def missed(translation):
        return (project(posed + translation, camera) - seen).ravel()

    depth = 2 * camera.focal_length / (crop.side * estimate.camera[0])
    best = least_squares(missed, [0.0, 0.0, depth]).x
    np.testing.assert_allclose(person.translation, best, atol=2e-3)


def test_depth_of_a_distant_person_is_that_of_weak_perspective(body):
    camera = Camera.for_frame((640, 480))
    crop = crop_about(camera.principal_point, 10.0, 0.4, 256)
    person = person_from_estimate(body, estimate_of(body, 3), crop, camera)
    assert person.translation[2] == pytest.approx(2 * 800 / (10 * 0.7), rel=2e-3)


@pytest.mark.parametrize(("across", "down"), [(2.0, 0.0), (-1.5, -0.8), (0.0, 1.0), (0.0, 0.0)])
def test_person_beside_the_axis_keeps_its_orientation(body, across, down):
    """A crop at the side shows what a camera rotated towards the person would see."""
    camera = Camera.for_frame((1280, 720))
    true = estimate_of(body, 5)
    place = np.array([across, down, 6.0])
    joints = pose_joints(body, true.rotations, true.shape) + place
    # the crop's camera: weak perspective, fitted to the true projection
    pixels = project(joints, camera)
    crop = crop_about(pixels.mean(axis=0), 1.75 * np.ptp(pixels, axis=0).max(), 0.0, 256)
    rotations = true.rotations.copy()
    rotations[0] = rotation_towards(crop.centre, camera).T @ rotations[0]
    units = crop_units_from_pixels(crop.to_crop(pixels), crop.size)
    flat = pose_joints(body, rotations, true.shape)[:, :2]
    design = np.concatenate(
        [np.c_[flat[:, 0], np.ones(len(flat)), np.zeros(len(flat))],
         np.c_[flat[:, 1], np.zeros(len(flat)), np.ones(len(flat))]]
    )  # fmt: skip
    scale, x, y = np.linalg.lstsq(design, units.T.ravel(), rcond=None)[0]
    seen = Estimate(
        rotations,
        true.shape,
        np.array([scale, x / scale, y / scale]),
        1.0,
        np.ones(body.joint_count),
    )
    person = person_from_estimate(body, seen, crop, camera)
    apart = Rotation.from_matrix(person.rotations[0].T @ true.rotations[0]).magnitude()
    assert np.degrees(apart) < 0.5
    assert np.linalg.norm(person.joints - joints, axis=1).mean() < 0.03 * place[2]
    np.testing.assert_allclose(person.joints_2d, pixels, atol=0.02 * crop.side)


def test_body_that_reaches_behind_the_camera_stays_finite(body):
    camera = Camera.for_frame((640, 480))
    crop = crop_about(np.array([300.0, 200.0]), 3000.0, 0.4, 256)
    person = person_from_estimate(body, estimate_of(body, 3), crop, camera)
    assert np.isfinite(person.joints_2d).all()
    assert person.translation[2] > 0


def test_rotated_crop_yields_the_same_person(body):
    """The person in the camera frame does not depend on the crop's rotation."""
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


def rotation_towards(pixel, camera):
    """Return the shortest rotation from the camera's axis to the ray through a pixel."""
    ray = np.append((pixel - camera.principal_point) / camera.focal_length, 1.0)
    axis = np.cross([0.0, 0.0, 1.0], ray)
    length = np.linalg.norm(axis)
    angle = np.arctan2(length, ray[2])
    return Rotation.from_rotvec(axis / max(length, 1e-12) * angle).as_matrix()


def estimate_seen_by(body, rotations, shape, translation, camera, crop):
    """Return a perfect network's estimate: the weak perspective nearest to what is in view."""
    joints = pose_joints(body, rotations, shape, translation)
    in_crop = rotations.copy()
    in_crop[0] = rotation_towards(crop.centre, camera).T @ rotations[0]
    own = pose_joints(body, in_crop, shape)
    units = crop_units_from_pixels(crop.to_crop(project(joints, camera)), crop.size)
    pixels = project(joints, camera)
    inside = (pixels >= 0).all(axis=1) & (pixels < camera.size).all(axis=1)
    flat, units = own[inside, :2], units[inside]
    p, u = flat - flat.mean(axis=0), units - units.mean(axis=0)
    scale = float((p * u).sum() / (p * p).sum())
    shift = units.mean(axis=0) / scale - flat.mean(axis=0)
    return Estimate(in_crop, shape, np.array([scale, *shift]), 1.0, np.ones(body.joint_count))


@pytest.mark.parametrize("height", [0.8, 1.6, 2.4])
def test_people_of_all_sizes_and_depths_stand_on_one_ground(body, height):
    # everybody is in view: joints outside the frame hardly count
    camera = Camera(700.0, np.array([639.5, 639.5]), (1280, 1280))
    random = np.random.default_rng(5)
    feet = [body.joint_names.index(name) for name in ("left_foot", "right_foot")]
    for place in [(-1.5, 3.5), (0.3, 5.0), (1.0, 4.2), (-2.0, 9.0), (3.0, 7.0)]:
        shape = random.normal(0, 1.5, body.shape_count)
        rotations = np.tile(np.eye(3), (body.joint_count, 1, 1))
        turn = Rotation.from_euler("xy", [np.pi, random.uniform(-3, 3)])
        rotations[0] = turn.as_matrix()
        joints = pose_joints(body, rotations, shape)
        x, z = place
        translation = np.array([x, height - joints[feet, 1].max(), z]) - [
            joints[0, 0],
            0,
            joints[0, 2],
        ]
        flat = project(joints + translation, camera)
        middle = (flat.min(axis=0) + flat.max(axis=0)) / 2
        crop = crop_about(middle, 1.75 * float(np.ptp(flat, axis=0).max()), 0.0, 256)
        estimate = estimate_seen_by(body, rotations, shape, translation, camera, crop)
        person = person_from_estimate(body, estimate, crop, camera)
        # legs out of sight are a guess, so the rest places such a person
        seen = (flat[:, 1] < camera.size[1]).mean() > 0.8
        assert person.joints[feet, 1].max() == pytest.approx(height, abs=0.05 if seen else 0.15)
        np.testing.assert_allclose(
            person.joints[0, [0, 2]], place, rtol=0.03 if seen else 0.08, atol=0.05
        )


def seated(body, camera):
    """Return a person 1 m before a webcam: rotations, translation, crop of what is in view."""
    rotations = np.tile(np.eye(3), (body.joint_count, 1, 1))
    rotations[0] = Rotation.from_euler("x", np.pi).as_matrix()
    for side in ("left", "right"):
        for joint, angle in (("hip", -1.4), ("knee", 1.4)):
            turn = Rotation.from_euler("x", angle).as_matrix()
            rotations[body.joint_names.index(f"{side}_{joint}")] = turn
    joints = pose_joints(body, rotations, np.zeros(body.shape_count))
    head = joints[body.joint_names.index("head")]
    translation = np.array([0.05, -0.15, 1.0]) - head
    pixels = project(joints + translation, camera)
    width, height = camera.size
    inside = (pixels >= 0).all(axis=1) & (pixels < [width, height]).all(axis=1)
    pelvis = pixels[body.joint_names.index("pelvis")]
    assert pelvis[1] > height
    seen = pixels[inside]
    middle = (seen.min(axis=0) + seen.max(axis=0)) / 2
    return rotations, translation, crop_about(middle, 1.75 * np.ptp(seen, axis=0).max(), 0.0, 256)


def test_person_before_a_webcam_is_not_tilted_by_hips_below_the_frame(body):
    """The crop is seen along its own centre; the hips' ray is 40 degrees and more below it."""
    camera = Camera.for_frame((640, 480))
    rotations, translation, crop = seated(body, camera)
    shape = np.zeros(body.shape_count)
    estimate = estimate_seen_by(body, rotations, shape, translation, camera, crop)
    person = person_from_estimate(body, estimate, crop, camera)
    apart = Rotation.from_matrix(person.rotations[0].T @ rotations[0]).magnitude()
    assert np.degrees(apart) < 0.5


def test_guessed_joints_out_of_view_do_not_move_the_joints_in_view(body):
    """The position is that of a fit to the joints in view alone, wherever the legs are guessed."""
    camera = Camera.for_frame((640, 480))
    rotations, translation, crop = seated(body, camera)
    shape = np.zeros(body.shape_count)
    estimate = estimate_seen_by(body, rotations, shape, translation, camera, crop)
    guessed = estimate.rotations.copy()
    for side in ("left", "right"):
        hip = body.joint_names.index(f"{side}_hip")
        guessed[hip] = Rotation.from_euler("x", 0.8).as_matrix() @ guessed[hip]
    upper = [body.joint_names.index(name) for name in ("head", "neck", "left_collar", "spine2")]
    person = person_from_estimate(body, replace(estimate, rotations=guessed), crop, camera)
    units = crop_points_2d(pose_joints(body, guessed, shape), estimate.camera)
    seen = crop.to_frame(pixels_from_crop_units(units, crop.size))[upper]
    posed = (person.joints - person.translation)[upper]
    best = least_squares(lambda t: (project(posed + t, camera) - seen).ravel(), translation).x
    apart = np.linalg.norm(person.joints_2d[upper] - project(posed + best, camera), axis=1)
    assert apart.max() < 0.01 * crop.side


def test_points_of_a_person_equal_points_posed_in_the_camera_frame(body):
    rng = np.random.default_rng(5)
    rotations = Rotation.from_rotvec(rng.normal(0, 0.3, (body.joint_count, 3))).as_matrix()
    estimate = Estimate(
        rotations,
        rng.normal(0, 0.5, body.shape_count),
        np.array([0.6, 0.05, 0.1]),
        0.9,
        np.ones(body.joint_count),
    )
    crop = crop_about(np.array([500.0, 300.0]), 400.0, 0.4, 256)
    camera = Camera.for_frame((1280, 720))
    points = PointSet.keypoints(body, "lsp")
    person, pixels = person_with_points(body, points, estimate, crop, camera, 3)
    posed = points.pose(person.rotations, person.shape, person.translation)
    np.testing.assert_allclose(pixels, project(posed, camera), atol=1e-6)
    np.testing.assert_allclose(
        pose_joints(body, person.rotations, person.shape, person.translation),
        person.joints,
        atol=1e-9,
    )
    assert person.id == 3
