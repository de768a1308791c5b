"""Tests of the correction of the encoder's landmarks."""

import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from pymaf_live.errors import InputError  # noqa: E402
from trainer.network.encoder import EncoderOutput  # noqa: E402
from trainer.network.landmark_refiner import LandmarkRefiner  # noqa: E402
from trainer.training.config import read_run_config  # noqa: E402


def encoded(count=6):
    torch.manual_seed(0)
    return EncoderOutput(
        maps=[torch.randn(count, 4, side, side) for side in (4, 8, 16)],
        summary=torch.randn(count, 12),
        points=torch.rand(count, 33, 2) * 2 - 1,
        world=0.4 * torch.randn(count, 33, 3),
        visibility=torch.randn(count, 33),
    )


def test_untrained_refiner_changes_nothing():
    before = encoded()
    after = LandmarkRefiner(4, 12, 16)(before)
    assert torch.equal(after.points, before.points)
    assert torch.equal(after.world, before.world)
    assert after.maps is before.maps


def test_refiner_learns_a_depth_that_only_the_maps_show():
    before = encoded(64)
    # what is near each landmark on the finest map says how far it is; nothing else does
    before.maps[-1][:, 0] = torch.randn(64, 1, 1)
    true = before.world.clone()
    true[..., 2] += 0.2 * before.maps[-1][:, 0, :1, :1].reshape(64, 1)
    refiner = LandmarkRefiner(4, 12, 32)
    optimizer = torch.optim.Adam(refiner.parameters(), lr=5e-3)
    for _ in range(150):
        error = (refiner(before).world - true).abs().mean()
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
    at_first = (before.world - true).abs().mean()
    assert float(error) < 0.3 * float(at_first)


def test_gradients_reach_the_landmarks_but_not_the_maps():
    before = encoded()
    inputs = [*before.maps, before.summary, before.points, before.world]
    for one in inputs:
        one.requires_grad_()
    refiner = LandmarkRefiner(4, 12, 16)
    torch.nn.init.normal_(refiner.change.weight)
    after = refiner(before)
    (after.points.sum() + after.world.sum()).backward()
    assert [one.grad is None for one in inputs] == [True, True, True, True, False, False]
    assert torch.equal(before.points.grad, torch.ones_like(before.points))


def test_refiner_without_landmarks_is_rejected():
    with pytest.raises(InputError, match="refiner_width needs landmarks"):
        read_run_config('name = "x"\n[network]\nrefiner_width = 8\n[schedule]\nimages = 1\n', "x")
