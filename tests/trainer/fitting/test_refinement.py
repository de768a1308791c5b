"""Refinement recovers people that the teacher misses; unseen limbs keep likely poses."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra `train` is not installed")

import torch

from pymaf_live.body import PointSet, default_body, pose_joints
from pymaf_live.body.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from pymaf_live.errors import InputError
from tests.trainer.fake_people import write_people
from tests.trainer.fitting.test_fit import fake_teacher
from trainer.body.joint_limits import violates_joint_limits
from trainer.data.fits import Fits, bends_naturally, read_fits, write_fits
from trainer.data.fitted import FittedDataset
from trainer.data.lspet import read_joint_set
from trainer.evaluation.metrics import joint_error, procrustes
from trainer.fitting.batched_kinematics import BatchedKinematics, rotations_from_vectors
from trainer.fitting.fit import fit
from trainer.fitting.fitter import BodyFitter, FitOptions
from trainer.fitting.initialization import depth_flips
from trainer.fitting.limb_geometry import Limb, limb_rotations
from trainer.fitting.parameters import parameters_from_bodies
from trainer.fitting.pose_prior import PosePrior, fit_pose_prior, poses_with_mirrors
from trainer.fitting.predictions import Predictions, read_predictions, write_predictions
from trainer.fitting.refinement import refine_fits
from trainer.fitting.targets import build_fit_targets, crop_annotations

PEOPLE = 16


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    truth = write_people(folder, PEOPLE)
    return truth, crop_annotations(FittedDataset(read_joint_set(folder)))


@pytest.fixture(scope="module")
def prior() -> PosePrior:
    random = np.random.default_rng(5)
    pose = random.normal(size=(300, 23, 3)) * 0.25
    names = list(default_body().joint_names)
    for name, axis, way in (
        ("left_knee", 0, 1), ("right_knee", 0, 1), ("left_elbow", 1, -1), ("right_elbow", 1, 1)
    ):  # fmt: skip
        pose[:, names.index(name) - 1, axis] = way * random.uniform(0, 1.2, len(pose))
    return fit_pose_prior(pose, components=2)


def aligned_error(fits: Fits, truth: Fits) -> float:
    body = default_body()
    found = pose_joints(body, fits.rotations, fits.shape)
    true = pose_joints(body, truth.rotations, truth.shape)
    return joint_error(procrustes(found, true), true)


def fake_predictions(truth: Fits, noise: float) -> Predictions:
    """Return the estimates of a network that is off by some angle in every joint."""
    random = np.random.default_rng(3)
    joints = truth.joint_trust.shape
    turn = matrix_from_axis_angle(random.normal(size=(*joints, 3)) * noise)
    score = np.full(joints, 0.9)
    return Predictions(truth.rotations @ turn, truth.shape, truth.camera, score[:, 0], score)


def test_batched_kinematics_agree_with_the_body():
    body, random = default_body(), np.random.default_rng(1)
    pose = random.normal(size=(5, body.joint_count, 3))
    shape = random.normal(size=(5, body.shape_count))
    rows = body.keypoint_rows("blazepose")
    true = PointSet.from_rows(body, rows).pose(matrix_from_axis_angle(pose), shape)
    vectors = torch.tensor(pose.transpose(2, 1, 0).copy(), dtype=torch.float32)
    columns = torch.tensor(shape.T.copy(), dtype=torch.float32)
    found, _, _ = BatchedKinematics(body, rows).pose(rotations_from_vectors(vectors), columns)
    np.testing.assert_allclose(found.permute(2, 1, 0).numpy(), true, atol=1e-5)


def test_limbs_point_in_given_directions_and_bend_naturally():
    body = default_body()
    rest = torch.tensor(body.joint_regressor @ body.template, dtype=torch.float32)
    generator = torch.Generator().manual_seed(0)
    parent = torch.linalg.qr(torch.randn(50, 3, 3, generator=generator))[0]
    parent = parent * torch.linalg.det(parent)[:, None, None]
    for limb in Limb.all_of(body):
        upper, lower = torch.nn.functional.normalize(
            torch.randn(2, 50, 3, generator=generator), dim=-1
        )
        near = (upper * lower).sum(-1) > np.cos(2.3)  # a limb cannot be folded further
        first, second = limb_rotations(limb, rest, parent, upper, lower)
        world = (parent @ first).numpy()
        bone = torch.nn.functional.normalize(rest[limb.second] - rest[limb.first], dim=0).numpy()
        np.testing.assert_allclose(world @ bone, upper.numpy(), atol=1e-4)
        bone = torch.nn.functional.normalize(rest[limb.third] - rest[limb.second], dim=0).numpy()
        end = world @ matrix_from_axis_angle(second.numpy().astype(float)) @ bone
        # the bones at rest are not exactly collinear, and the hinge is the body's
        assert ((end * lower.numpy()).sum(-1)[near.numpy()] > np.cos(0.4)).all()
        way = second[:, 0] if limb.leg else -limb.side * second[:, 1]
        assert (way >= 0).all()


def test_depth_flips_project_alike_and_differ_in_depth(people):
    truth, _ = people
    fitter = BodyFitter(default_body(), FitOptions())
    start = parameters_from_bodies(fitter.body, truth.rotations, truth.shape, truth.camera)
    body = fitter.body
    names = list(body.joint_names)

    def joints(parameters):
        return fitter.kinematics.pose(parameters.rotations(), parameters.shape)[2]

    before, flips = joints(start), depth_flips(body, fitter.kinematics, start)
    assert len(flips) == 12
    # the third flip mirrors both bones of the left leg
    after = joints(flips[2])
    hip, knee, ankle, foot = (names.index(f"left_{n}") for n in ("hip", "knee", "ankle", "foot"))
    thigh = before[:, knee] - before[:, hip]
    mirrored = (after[:, knee] - after[:, hip]) * torch.tensor([1.0, 1.0, -1.0])[:, None]
    # bones are aligned as those of the mean shape
    assert (mirrored - thigh).abs().max() < 0.02
    shin = before[:, ankle] - before[:, knee]
    mirrored = (after[:, ankle] - after[:, knee]) * torch.tensor([1.0, 1.0, -1.0])[:, None]
    # the hinge is the body's, and its knees at rest are not exactly straight
    assert (mirrored - shin).norm(dim=0).mean() < 0.25 * shin.norm(dim=0).mean()
    others = [row for row in range(body.joint_count) if row not in (knee, ankle, foot)]
    assert (after - before)[:, others].abs().max() < 1e-5


def test_the_prior_prefers_natural_bends(prior):
    random = np.random.default_rng(9)
    pose = np.zeros((20, 23, 3))
    knee = list(default_body().joint_names).index("left_knee") - 1
    pose[:, knee, 0] = random.uniform(0.5, 1.0, 20)

    def energy(poses):
        return prior.energy(torch.tensor(poses.reshape(20, -1).T.copy(), dtype=torch.float32))

    assert (energy(pose) < energy(-pose)).all()


def test_poses_come_with_their_mirror_images():
    body = default_body()
    rotations = matrix_from_axis_angle(
        np.random.default_rng(0).normal(size=(1, body.joint_count, 3)) * 0.5
    )
    there, mirrored = poses_with_mirrors(body, rotations)
    straight = np.eye(3)[None]
    posed = pose_joints(
        body,
        np.stack(
            [np.concatenate([straight, matrix_from_axis_angle(p)]) for p in (there, mirrored)]
        ),
        np.zeros((2, body.shape_count)),
    )
    np.testing.assert_allclose(posed[1][body.joint_mirror] * [-1, 1, 1], posed[0], atol=2e-3)


def test_a_prior_needs_enough_finite_poses():
    with pytest.raises(InputError, match="too few"):
        fit_pose_prior(np.zeros((5, 23, 3)))
    broken = np.zeros((200, 23, 3))
    broken[7, 0, 0] = np.nan
    with pytest.raises(InputError, match="not finite"):
        fit_pose_prior(broken)


@pytest.mark.integration
def test_a_networks_estimate_recovers_people_that_the_teacher_misses(people, prior):
    truth, annotated = people
    body = default_body()
    teacher, others = fake_teacher(truth, 0.02), np.roll(np.arange(PEOPLE), 1)
    # a teacher that confuses all people and has a large spread
    missed = replace(
        teacher,
        points=teacher.points[others],
        world=teacher.world[others],
        spread_3d=teacher.spread_3d + 0.4,
    )
    first = fit(body, annotated, missed, FitOptions(steps=80))
    second = refine_fits(body, annotated, missed, first, fake_predictions(truth, 0.15), prior)
    assert first.kept.mean() < 0.5 < second.kept.mean()
    assert aligned_error(second, truth) < 0.6 * aligned_error(first, truth)
    assert second.residual_2d.mean() < 0.03
    assert bends_naturally(body, second.rotations[second.kept]).all()
    # a network alone never earns full trust
    assert 0.1 < second.joint_trust[second.kept].mean() <= 0.5


@pytest.mark.integration
def test_a_bad_estimate_does_not_spoil_a_good_fit(people, prior):
    truth, annotated = people
    body, teacher = default_body(), fake_teacher(truth, 0.02)
    first = fit(body, annotated, teacher, FitOptions(steps=80))
    second = refine_fits(body, annotated, teacher, first, fake_predictions(truth, 0.8), prior)
    assert aligned_error(second, truth) < aligned_error(first, truth) + 0.01


@pytest.mark.integration
def test_limbs_outside_the_image_stay_natural(people, prior):
    truth, annotated = people
    body, teacher = default_body(), fake_teacher(truth, 0.02)
    keypoints = annotated.keypoints.copy()
    keypoints[:, [0, 1, 4, 5]] = 0
    legs = np.arange(25, 33)
    points, world = teacher.points.copy(), teacher.world.copy()
    points[:, legs], world[:, legs] = 2000.0, 5.0
    seen = teacher.visibility.copy()
    seen[:, legs] = 0
    half = replace(annotated, keypoints=keypoints)
    cut = replace(teacher, points=points, world=world, visibility=seen)
    fits = fit(body, half, cut, FitOptions(steps=120), prior)
    assert not violates_joint_limits(body, fits.rotations).any()
    names = list(body.joint_names)
    shins = [names.index("left_knee"), names.index("right_knee")]
    assert (np.abs(axis_angle_from_matrix(fits.rotations)[:, shins]) < 1.4).all()
    assert fits.joint_trust[:, shins].max() == 0
    assert fits.joint_trust[:, names.index("left_elbow")].mean() > 0.3


def test_landmarks_of_other_people_are_rejected(people):
    truth, annotated = people
    teacher = fake_teacher(truth, 0.0)
    frames = teacher.frame_from_crop.copy()
    frames[3, :, 2] += 40
    broken = teacher.world.copy()
    broken[5, 2] = np.nan
    for wrong, message in (
        (replace(teacher, frame_from_crop=frames), "row 3 are of another person's crop"),
        (replace(teacher, world=broken), "row 5 are not finite"),
        (replace(teacher, points=teacher.points[:4]), "landmarks of 4 people, the set has 16"),
    ):
        with pytest.raises(InputError, match=message):
            build_fit_targets(annotated, wrong, 0.35, 0.06)
    keypoints = annotated.keypoints.copy()
    keypoints[2, 1, 0] = np.nan
    with pytest.raises(InputError, match="row 2 is not finite"):
        replace(annotated, keypoints=keypoints)


def test_estimates_and_fits_of_wrong_sizes_are_rejected(people, tmp_path):
    truth, _ = people
    body, path = default_body(), tmp_path / "network.npz"
    write_predictions(path, fake_predictions(truth, 0.1))
    assert read_predictions(path, body, PEOPLE).camera.shape == (PEOPLE, 3)
    with pytest.raises(InputError, match="rotations is"):
        read_predictions(path, body, PEOPLE + 1)
    broken = fake_predictions(truth, 0.1)
    broken.shape[0, 0] = np.nan
    write_predictions(path, broken)
    broken.shape[0, 0] = 0
    with pytest.raises(InputError, match="shape is not finite"):
        read_predictions(path, body, PEOPLE)
    write_fits(tmp_path / "fits.npz", replace(truth, camera=truth.camera[:, :2]))
    with pytest.raises(InputError, match="camera"):
        read_fits(tmp_path / "fits.npz", PEOPLE)
    write_fits(tmp_path / "fits.npz", replace(truth, camera=truth.camera * np.nan))
    with pytest.raises(InputError, match="camera is not finite"):
        read_fits(tmp_path / "fits.npz", PEOPLE)
