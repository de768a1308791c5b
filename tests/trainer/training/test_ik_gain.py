"""Tests of the gain on the last level's IK steps."""

import pytest

torch = pytest.importorskip("torch")

from pymaf_live.body import default_body  # noqa: E402
from pymaf_live.errors import ModelError  # noqa: E402
from trainer.network.config import NetworkConfig  # noqa: E402
from trainer.network.estimates import InitialEstimate  # noqa: E402
from trainer.network.pymaf import PyMAF  # noqa: E402
from trainer.training.ik_gain import IKGain, with_ik_gain  # noqa: E402


def network(blazepose_file, **choices):
    config = NetworkConfig(
        encoder="blazepose_lite", landmarks=True, hidden=16, feature_width=8, **choices
    )
    body = default_body()
    torch.manual_seed(0)
    return PyMAF(config, body, InitialEstimate.upright(body), blazepose_file).eval()


@pytest.fixture(scope="module")
def blazepose_file(blazepose):
    return blazepose / "pose_landmark_lite.tflite"


def test_gain_applies_to_the_last_level_only(blazepose_file):
    model = network(blazepose_file, ik_steps=(1, 1, 3))
    other = with_ik_gain(model, IKGain(1.4, 0.25))
    weight = torch.nn.functional.softplus
    for level in range(3):
        pairs = zip(model.ik.steps[level], other.ik.steps[level], strict=True)
        for number, (before, after) in enumerate(pairs):
            factor = 1.4 if level == 2 else 1.0
            torch.testing.assert_close(weight(after.image), factor * weight(before.image))
            added = 0.25 if level == 2 and number else 0.0
            torch.testing.assert_close(after.momentum, before.momentum + added)


def test_neutral_gain_keeps_the_network(blazepose_file):
    model = network(blazepose_file, ik_steps=(1, 1, 2))
    image = torch.rand(1, 3, 256, 256)
    with torch.no_grad():
        found = with_ik_gain(model, IKGain(1.0, 0.0))(image).levels[-1].rotations
        torch.testing.assert_close(found, model(image).levels[-1].rotations, atol=1e-5, rtol=0)


def test_network_without_ik_steps_is_rejected(blazepose_file):
    with pytest.raises(ModelError, match="no IK steps"):
        with_ik_gain(network(blazepose_file), IKGain(1.4, 0.0))
