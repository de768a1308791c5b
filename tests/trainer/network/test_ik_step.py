"""The landmarks' pull: torques, the camera that fits, and landmarks from heat maps."""

import pytest

torch = pytest.importorskip("torch")

from pymaf_live.body import default_body  # noqa: E402
from trainer.body.torch_body import (  # noqa: E402
    PosedPoints,
    Skeleton,
    matrix_from_6d,
    matrix_from_axis_angle,
    product,
    projected,
)
from trainer.network.config import NetworkConfig  # noqa: E402
from trainer.network.encoder import HeatPeaks  # noqa: E402
from trainer.network.ik_step import (  # noqa: E402
    CameraWeights,
    Landmarks,
    Misses,
    Pull,
    Shot,
    Stance,
    Trust,
    Weights,
    carried_points,
    weights_of,
)
from trainer.network.kinematic_chain import AnchoredPoints, Chain  # noqa: E402

HIPS = [23, 24]
CAMERA = torch.tensor([[0.8, 0.1, 0.3]])
SHOT = Shot.of(CAMERA)


@pytest.fixture(scope="module")
def body():
    return default_body()


class Person:
    """One posed body and its 33 landmark points."""

    def __init__(self, body, seed):
        torch.manual_seed(seed)
        # the points are posed by what losses and figures are made with, not by the network's own
        self.skeleton = Skeleton(body)
        self.points = PosedPoints(body, body.keypoint_rows("blazepose"))
        self.chain = Chain(body)
        self.anchored = AnchoredPoints(body, body.keypoint_rows("blazepose"))
        self.misses = Misses(33, HIPS)
        self.shape = torch.randn(1, body.shape_count) * 0.3
        self.rotations = matrix_from_axis_angle(torch.randn(1, body.joint_count, 3) * 0.4)

    def posed(self, rotations):
        rest = self.skeleton.rest(self.shape)
        world, places = self.skeleton(rotations, rest)
        return world, places, self.points(world, places, rest, self.shape)

    def stance(self) -> Stance:
        columns = self.rotations[..., :2].transpose(-1, -2)
        frames = self.chain(columns, self.chain.bones(self.shape))
        points = self.anchored(self.anchored.anchors(self.shape), frames)
        return Stance(columns, frames.flatten(1, 2), points)

    def turns(self, pull, landmarks, world_landmarks):
        stance, weights = self.stance(), weights_of([pull], None)
        given = Landmarks.given(landmarks, world_landmarks)
        missed = self.misses(stance.points.transpose(-1, -2), SHOT, given)
        return pull.turns(stance, missed, SHOT.scale, weights)

    def step(self, pull, landmarks, world_landmarks, before):
        stance, trust = self.stance(), even_trust(self.chain.joints)
        given = Landmarks.given(landmarks, world_landmarks)
        missed = self.misses(stance.points.transpose(-1, -2), SHOT, given)
        weights = weights_of([pull], trust)
        columns, turn = pull(stance, missed, SHOT.scale, weights, trust.gate, before)
        return self.chain.rotations(columns), turn, missed


def even_trust(joints, people=1) -> Trust:
    """Every landmark and joint counts alike."""
    return Trust(torch.ones(people, 1, 3, 33), torch.ones(people, joints, 1))


def test_the_root_carries_every_landmark_and_the_left_knee_the_left_foot(body):
    carried = carried_points(body)
    torch.testing.assert_close(carried[0], torch.ones(33))
    knee = carried[list(body.joint_names).index("left_knee")]
    assert knee[31] == pytest.approx(1)
    assert knee[[11, 12, 15, 16, 32]].abs().max() == 0


def test_turns_are_the_gradient_over_the_moment_of_inertia(body):
    person, other = Person(body, 1), Person(body, 2)
    other.shape = person.shape
    target = other.posed(other.rotations)[2]
    landmarks = projected(target, CAMERA)
    in_metres = target - target[:, HIPS].mean(1, keepdim=True)
    pull = Pull(body)
    pull.damping.data.fill_(-30.0)
    turns = person.turns(pull, landmarks, in_metres)

    weight = float(torch.nn.functional.softplus(torch.zeros(())))
    _, places, now = person.posed(person.rotations)
    middle = now[:, HIPS].mean(1, keepdim=True)

    def energy(turn):
        points = person.posed(product(matrix_from_axis_angle(turn), person.rotations))[2]
        across = landmarks / CAMERA[:, None, :1] - (points[..., :2] + CAMERA[:, None, 1:])
        deep = in_metres - (points - middle)
        return 0.5 * weight * (across.square().sum() + deep.square().sum())

    nothing = torch.zeros(1, body.joint_count, 3, requires_grad=True)
    (gradient,) = torch.autograd.grad(energy(nothing), nothing)
    apart = now[:, None] - places[:, :, None]
    inertia = (2 * weight * carried_points(body) * apart.square().sum(-1)).sum(-1)
    # where joints share a point, each is taken to move its share as if rigid: near enough
    heavy = inertia[0] > 0.1
    true = -(gradient / inertia[..., None])[:, heavy].detach()
    apart = (turns[:, heavy].detach() - true).norm(dim=-1) / true.norm(dim=-1)
    assert heavy.sum() > 15
    assert float(apart.max()) < 0.06
    assert float(apart.median()) < 0.003


def test_pulls_bring_a_body_to_its_landmarks(body):
    person, other = Person(body, 3), Person(body, 4)
    other.shape = person.shape
    other.rotations = product(
        matrix_from_axis_angle(torch.randn(1, body.joint_count, 3) * 0.15), person.rotations
    )
    target = other.posed(other.rotations)[2]
    landmarks = projected(target, CAMERA)
    in_metres = target - target[:, HIPS].mean(1, keepdim=True)
    pull, misses, turn = Pull(body), [], None
    pull.momentum.data.fill_(0.3)
    with torch.no_grad():
        for _ in range(30):
            person.rotations, turn, missed = person.step(pull, landmarks, in_metres, turn)
            misses.append(float(missed.picture[:, :, :2].norm(dim=2).mean()))
    assert misses[-1] < 0.2 * misses[0]
    turned = person.rotations[0]
    torch.testing.assert_close(
        turned @ turned.transpose(-1, -2), torch.eye(3).expand_as(turned), atol=1e-5, rtol=0
    )


def test_a_part_of_the_step_before_is_made_once_more(body):
    person, before = Person(body, 6), torch.randn(1, body.joint_count, 3) * 0.1
    nothing = torch.zeros(1, 33, 3)
    pull = Pull(body)
    pull.momentum.data.copy_(torch.linspace(-0.2, 0.8, body.joint_count))
    _, alone, _ = person.step(pull, nothing[..., :2], nothing, None)
    _, after, _ = person.step(pull, nothing[..., :2], nothing, before)
    torch.testing.assert_close(after - alone, pull.momentum[:, None] * before)


def test_a_step_turns_each_joint_by_its_gate_in_its_parents_frame(body):
    """By little, so that the straight step along the tangent is the turn itself."""
    person = Person(body, 8)
    landmarks = projected(person.posed(person.rotations)[2], CAMERA) + 0.003
    world = torch.zeros(1, 33, 3)
    pull = Pull(body)
    for weight in (pull.across, pull.depth):
        weight.data.fill_(-40.0)
    pull.gate.data.copy_(torch.linspace(0.0, 0.5, body.joint_count))
    turns = person.turns(pull, landmarks, world)
    after, turn, _ = person.step(pull, landmarks, world, None)
    torch.testing.assert_close(turn, turns * pull.gate[:, None])
    true = product(matrix_from_axis_angle(turn), person.rotations)
    assert float(turn.detach().norm(dim=-1).max()) > 1e-3
    torch.testing.assert_close(after, true, atol=2e-5, rtol=0)


def test_what_is_known_across_the_view_and_along_it_counts_apart(body):
    person = Person(body, 5)
    points = person.posed(person.rotations)[2]
    in_metres = points - points[:, HIPS].mean(1, keepdim=True)
    seen = projected(points, CAMERA)
    pull = Pull(body)
    for axis, weight in ((0, pull.across), (1, pull.across), (2, pull.depth)):
        moved = in_metres.clone()
        moved[..., axis] += 0.1 * torch.randn(33)
        before = weight.data.clone()
        assert float(person.turns(pull, seen, moved).abs().max()) > 0.01
        weight.data.fill_(-40.0)
        assert float(person.turns(pull, seen, moved).abs().max()) < 1e-5
        weight.data.copy_(before)


def test_trust_multiplies_each_kind_of_weight(body):
    pull = Pull(body)
    own = float(torch.nn.functional.softplus(torch.zeros(())))
    told = torch.tensor([2.0, 3.0, 5.0])[:, None].expand(1, 1, 3, 33)
    weights: Weights = weights_of([pull, pull], Trust(told, torch.ones(1, 1, 1)))
    for step in weights.steps():
        torch.testing.assert_close(
            step.picture[0, 0, :, 7].detach(), own * torch.tensor([2.0, 2.0, 0.0, 0.0])
        )
        torch.testing.assert_close(
            step.metres[0, 0, :, 7].detach(), own * torch.tensor([3.0, 3.0, 5.0, 0.0])
        )
        assert float(step.mass[0, 0, 7, 0]) == pytest.approx(own * (2 + (2 * 3 + 5) / 3))


def test_the_fitted_camera_is_found_from_exact_points(body):
    points = torch.randn(2, 33, 3)
    true = torch.tensor([[0.9, 0.2, -0.1], [0.5, -0.3, 0.4]])
    pull, trust = Pull(body), even_trust(body.joint_count, people=2)
    trust.landmarks[:, :, 0] = torch.rand(2, 1, 33) + 0.1
    pull.camera.data.fill_(30.0)
    given = Landmarks.given(projected(points, true), points)
    of_camera = CameraWeights.of(weights_of([pull], trust), given)
    columns = torch.nn.functional.pad(points, (0, 1), value=1.0).transpose(1, 2)[:, None]
    found = pull.fitted(columns, Shot.of(torch.ones(2, 3)), of_camera).camera()
    torch.testing.assert_close(found.detach(), true, atol=1e-3, rtol=1e-3)


def test_a_sharp_peak_is_the_landmark_and_a_flat_map_leaves_the_regressed_one():
    peaks, regressed = HeatPeaks(2), torch.tensor([[[0.9, 0.9], [-0.4, 0.3]]])
    heat = torch.full((1, 2, 64, 64), -20.0)
    heat[0, 0, 16, 40] = 6.0
    points, peak = peaks(heat, regressed)
    expected = torch.tensor([(40.5 / 64) * 2 - 1, (16.5 / 64) * 2 - 1])
    torch.testing.assert_close(points[0, 0].detach(), expected, atol=2e-3, rtol=0)
    torch.testing.assert_close(points[0, 1].detach(), regressed[0, 1], atol=1e-3, rtol=0)
    assert peak.tolist() == [[6.0, -20.0]]


def test_right_angled_columns_come_back_from_any_step():
    wild = torch.randn(50, 6) * 3
    found = matrix_from_6d(wild)
    torch.testing.assert_close(torch.linalg.det(found), torch.ones(50), atol=1e-4, rtol=0)


def test_pulls_are_one_number_for_all_levels_or_one_each():
    options = {"encoder": "blazepose_lite", "landmarks": True}
    assert NetworkConfig(**options, pulls=3).pulls == (3, 3, 3)
    assert NetworkConfig(**options, pulls=(2, 2, 5)).pulls == (2, 2, 5)
    assert NetworkConfig(**options).pulls == ()
    for wrong in ((2, 2), (2, 0, 2), -1, 9):
        with pytest.raises(ValueError, match=r"pulls|than or equal"):
            NetworkConfig(**options, pulls=wrong)


@pytest.mark.parametrize("wrong", [{"pulls": 2}, {"heat": True}, {"features": "none"}])
def test_pulls_and_heat_maps_need_landmarks(wrong):
    with pytest.raises(ValueError, match="landmarks"):
        NetworkConfig(encoder="blazepose_lite", **wrong)
