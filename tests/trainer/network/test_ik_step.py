"""Tests of the IK steps: torques, the camera fit, and landmarks from heatmaps."""

import pytest

torch = pytest.importorskip("torch")

from pymaf_live.body import default_body  # noqa: E402
from trainer.body.torch_body import (  # noqa: E402
    PosedPoints,
    Skeleton,
    matrix_from_6d,
    matrix_from_axis_angle,
    project_weak_perspective,
    small_matmul,
)
from trainer.network.config import NetworkConfig  # noqa: E402
from trainer.network.encoder import HeatmapPeaks  # noqa: E402
from trainer.network.ik_step import (  # noqa: E402
    CameraWeights,
    IKStep,
    LandmarkResiduals,
    LandmarkWeights,
    PosedLandmarks,
    TargetLandmarks,
    Trust,
    WeakPerspective,
    carried_points,
    landmark_weights,
)
from trainer.network.kinematic_chain import AnchoredPoints, KinematicChain  # noqa: E402

HIPS = [23, 24]
CAMERA = torch.tensor([[0.8, 0.1, 0.3]])
WEAK = WeakPerspective.from_vector(CAMERA)


@pytest.fixture(scope="module")
def body():
    return default_body()


class Person:
    """One posed body and its 33 landmark points."""

    def __init__(self, body, seed):
        torch.manual_seed(seed)
        # points are posed by the code of the losses and metrics, not by that of the network
        self.skeleton = Skeleton(body)
        self.points = PosedPoints(body, body.keypoint_rows("blazepose"))
        self.chain = KinematicChain(body)
        self.anchored = AnchoredPoints(body, body.keypoint_rows("blazepose"))
        self.residuals = LandmarkResiduals(33, HIPS)
        self.shape = torch.randn(1, body.shape_count) * 0.3
        self.rotations = matrix_from_axis_angle(torch.randn(1, body.joint_count, 3) * 0.4)

    def posed(self, rotations):
        rest = self.skeleton.rest(self.shape)
        world, joints = self.skeleton(rotations, rest)
        return world, joints, self.points(world, joints, rest, self.shape)

    def posed_landmarks(self) -> PosedLandmarks:
        columns = self.rotations[..., :2].transpose(-1, -2)
        frames = self.chain(columns, self.chain.bones(self.shape))
        points = self.anchored(self.anchored.anchors(self.shape), frames)
        return PosedLandmarks(columns, frames.flatten(1, 2), points)

    def joint_steps(self, step, points, world):
        posed, weights = self.posed_landmarks(), landmark_weights([step], None)
        landmarks = TargetLandmarks.from_points(points, world)
        residuals = self.residuals(posed.points.transpose(-1, -2), WEAK, landmarks)
        return step.joint_steps(posed, residuals, WEAK.scale, weights)

    def step(self, step, points, world, previous):
        posed, trust = self.posed_landmarks(), even_trust(self.chain.joints)
        landmarks = TargetLandmarks.from_points(points, world)
        residuals = self.residuals(posed.points.transpose(-1, -2), WEAK, landmarks)
        weights = landmark_weights([step], trust)
        columns, change = step(posed, residuals, WEAK.scale, weights, trust.gate, previous)
        return self.chain.rotations(columns), change, residuals


def even_trust(joints, people=1) -> Trust:
    """Return a trust with all factors 1."""
    return Trust(torch.ones(people, 1, 3, 33), torch.ones(people, joints, 1))


def test_root_carries_every_landmark_and_left_knee_the_left_foot(body):
    carried = carried_points(body)
    torch.testing.assert_close(carried[0], torch.ones(33))
    knee = carried[list(body.joint_names).index("left_knee")]
    assert knee[31] == pytest.approx(1)
    assert knee[[11, 12, 15, 16, 32]].abs().max() == 0


def test_joint_steps_are_the_gradient_over_the_moment_of_inertia(body):
    person, other = Person(body, 1), Person(body, 2)
    other.shape = person.shape
    target = other.posed(other.rotations)[2]
    landmarks = project_weak_perspective(target, CAMERA)
    metric = target - target[:, HIPS].mean(1, keepdim=True)
    step = IKStep(body)
    step.damping.data.fill_(-30.0)
    changes = person.joint_steps(step, landmarks, metric)

    weight = float(torch.nn.functional.softplus(torch.zeros(())))
    _, joints, points = person.posed(person.rotations)
    middle = points[:, HIPS].mean(1, keepdim=True)

    def energy(change):
        moved = person.posed(small_matmul(matrix_from_axis_angle(change), person.rotations))[2]
        across = landmarks / CAMERA[:, None, :1] - (moved[..., :2] + CAMERA[:, None, 1:])
        along = metric - (moved - middle)
        return 0.5 * weight * (across.square().sum() + along.square().sum())

    zero = torch.zeros(1, body.joint_count, 3, requires_grad=True)
    (gradient,) = torch.autograd.grad(energy(zero), zero)
    arm = points[:, None] - joints[:, :, None]
    inertia = (2 * weight * carried_points(body) * arm.square().sum(-1)).sum(-1)
    # points shared by several joints are approximated as rigid parts, so tolerances are loose
    well_conditioned = inertia[0] > 0.1
    expected = -(gradient / inertia[..., None])[:, well_conditioned].detach()
    error = (changes[:, well_conditioned].detach() - expected).norm(dim=-1) / expected.norm(dim=-1)
    assert well_conditioned.sum() > 15
    assert float(error.max()) < 0.06
    assert float(error.median()) < 0.003


def test_steps_bring_a_body_to_its_landmarks(body):
    person, other = Person(body, 3), Person(body, 4)
    other.shape = person.shape
    other.rotations = small_matmul(
        matrix_from_axis_angle(torch.randn(1, body.joint_count, 3) * 0.15), person.rotations
    )
    target = other.posed(other.rotations)[2]
    landmarks = project_weak_perspective(target, CAMERA)
    metric = target - target[:, HIPS].mean(1, keepdim=True)
    step, errors, change = IKStep(body), [], None
    step.momentum.data.fill_(0.3)
    with torch.no_grad():
        for _ in range(30):
            person.rotations, change, residuals = person.step(step, landmarks, metric, change)
            errors.append(float(residuals.image[:, :, :2].norm(dim=2).mean()))
    assert errors[-1] < 0.2 * errors[0]
    rotations = person.rotations[0]
    torch.testing.assert_close(
        rotations @ rotations.transpose(-1, -2),
        torch.eye(3).expand_as(rotations),
        atol=1e-5,
        rtol=0,
    )


def test_momentum_repeats_part_of_the_previous_step(body):
    person, previous = Person(body, 6), torch.randn(1, body.joint_count, 3) * 0.1
    zeros = torch.zeros(1, 33, 3)
    step = IKStep(body)
    step.momentum.data.copy_(torch.linspace(-0.2, 0.8, body.joint_count))
    _, without_previous, _ = person.step(step, zeros[..., :2], zeros, None)
    _, with_previous, _ = person.step(step, zeros[..., :2], zeros, previous)
    torch.testing.assert_close(with_previous - without_previous, step.momentum[:, None] * previous)


def test_step_turns_each_joint_by_its_gate_in_its_parents_frame(body):
    """The rotation is small, so that the step along the tangent equals the rotation."""
    person = Person(body, 8)
    landmarks = project_weak_perspective(person.posed(person.rotations)[2], CAMERA) + 0.003
    world = torch.zeros(1, 33, 3)
    step = IKStep(body)
    for weight in (step.across, step.depth):
        weight.data.fill_(-40.0)
    step.gate.data.copy_(torch.linspace(0.0, 0.5, body.joint_count))
    changes = person.joint_steps(step, landmarks, world)
    after, change, _ = person.step(step, landmarks, world, None)
    torch.testing.assert_close(change, changes * step.gate[:, None])
    expected = small_matmul(matrix_from_axis_angle(change), person.rotations)
    assert float(change.detach().norm(dim=-1).max()) > 1e-3
    torch.testing.assert_close(after, expected, atol=2e-5, rtol=0)


def test_errors_across_and_along_the_view_are_weighted_separately(body):
    person = Person(body, 5)
    points = person.posed(person.rotations)[2]
    metric = points - points[:, HIPS].mean(1, keepdim=True)
    flat = project_weak_perspective(points, CAMERA)
    step = IKStep(body)
    for axis, weight in ((0, step.across), (1, step.across), (2, step.depth)):
        moved = metric.clone()
        moved[..., axis] += 0.1 * torch.randn(33)
        before = weight.data.clone()
        assert float(person.joint_steps(step, flat, moved).abs().max()) > 0.01
        weight.data.fill_(-40.0)
        assert float(person.joint_steps(step, flat, moved).abs().max()) < 1e-5
        weight.data.copy_(before)


def test_trust_multiplies_each_kind_of_weight(body):
    step = IKStep(body)
    base = float(torch.nn.functional.softplus(torch.zeros(())))
    factors = torch.tensor([2.0, 3.0, 5.0])[:, None].expand(1, 1, 3, 33)
    weights: LandmarkWeights = landmark_weights(
        [step, step], Trust(factors, torch.ones(1, 1, 1))
    )  # fmt: skip
    for part in weights.split():
        torch.testing.assert_close(
            part.image[0, 0, :, 7].detach(), base * torch.tensor([2.0, 2.0, 0.0, 0.0])
        )
        torch.testing.assert_close(
            part.metric[0, 0, :, 7].detach(), base * torch.tensor([3.0, 3.0, 5.0, 0.0])
        )
        assert float(part.mass[0, 0, 7, 0]) == pytest.approx(base * (2 + (2 * 3 + 5) / 3))


def test_camera_is_recovered_from_exact_points(body):
    points = torch.randn(2, 33, 3)
    true = torch.tensor([[0.9, 0.2, -0.1], [0.5, -0.3, 0.4]])
    step, trust = IKStep(body), even_trust(body.joint_count, people=2)
    trust.landmarks[:, :, 0] = torch.rand(2, 1, 33) + 0.1
    step.camera.data.fill_(30.0)
    landmarks = TargetLandmarks.from_points(project_weak_perspective(points, true), points)
    weights = CameraWeights.from_weights(landmark_weights([step], trust), landmarks)
    columns = torch.nn.functional.pad(points, (0, 1), value=1.0).transpose(1, 2)[:, None]
    start = WeakPerspective.from_vector(torch.ones(2, 3))
    fitted = step.fit_camera(columns, start, weights).to_vector()
    torch.testing.assert_close(fitted.detach(), true, atol=1e-3, rtol=1e-3)


def test_sharp_peak_sets_the_landmark_and_flat_map_keeps_the_regressed_one():
    peaks, regressed = HeatmapPeaks(2), torch.tensor([[[0.9, 0.9], [-0.4, 0.3]]])
    heatmaps = torch.full((1, 2, 64, 64), -20.0)
    heatmaps[0, 0, 16, 40] = 6.0
    points, peak = peaks(heatmaps, regressed)
    expected = torch.tensor([(40.5 / 64) * 2 - 1, (16.5 / 64) * 2 - 1])
    torch.testing.assert_close(points[0, 0].detach(), expected, atol=2e-3, rtol=0)
    torch.testing.assert_close(points[0, 1].detach(), regressed[0, 1], atol=1e-3, rtol=0)
    assert peak.tolist() == [[6.0, -20.0]]


def test_any_six_numbers_become_a_rotation():
    numbers = torch.randn(50, 6) * 3
    rotations = matrix_from_6d(numbers)
    torch.testing.assert_close(torch.linalg.det(rotations), torch.ones(50), atol=1e-4, rtol=0)


def test_ik_steps_are_set_for_all_levels_or_for_each():
    options = {"encoder": "blazepose_lite", "landmarks": True}
    assert NetworkConfig(**options, ik_steps=3).ik_steps == (3, 3, 3)
    assert NetworkConfig(**options, ik_steps=(2, 2, 5)).ik_steps == (2, 2, 5)
    assert NetworkConfig(**options).ik_steps == ()
    for wrong in ((2, 2), (2, 0, 2), -1, 9):
        with pytest.raises(ValueError, match=r"ik_steps|than or equal"):
            NetworkConfig(**options, ik_steps=wrong)


@pytest.mark.parametrize("wrong", [{"ik_steps": 2}, {"heatmaps": True}, {"features": "none"}])
def test_ik_steps_and_heatmaps_need_landmarks(wrong):
    with pytest.raises(ValueError, match="landmarks"):
        NetworkConfig(encoder="blazepose_lite", **wrong)


def test_keys_of_earlier_configurations_are_read():
    options = {"encoder": "blazepose_lite", "landmarks": True}
    earlier = NetworkConfig(**options, pulls=[2, 2, 7], heat=True, limits=True)
    assert earlier == NetworkConfig(
        **options, ik_steps=[2, 2, 7], heatmaps=True, joint_limits=True
    )  # fmt: skip
