"""The last level's pulls, made harder on purpose and chosen by training pictures."""

import pytest

torch = pytest.importorskip("torch")

from pymaf_live.body import load_body  # noqa: E402
from pymaf_live.errors import ModelError  # noqa: E402
from trainer.commands.tune_ik import Tightness, tightened  # noqa: E402
from trainer.network.config import NetworkConfig  # noqa: E402
from trainer.network.pymaf import PyMAF, Start  # noqa: E402


def network(blazepose_file, **choices):
    config = NetworkConfig(
        encoder="blazepose_lite", landmarks=True, hidden=16, feature_width=8, **choices
    )
    body = load_body()
    torch.manual_seed(0)
    return PyMAF(config, body, Start.upright(body), blazepose_file).eval()


@pytest.fixture(scope="module")
def blazepose_file(blazepose):
    return blazepose / "pose_landmark_lite.tflite"


def test_weights_are_multiplied_and_momentum_is_added_at_the_last_level_alone(blazepose_file):
    model = network(blazepose_file, pulls=(1, 1, 3))
    other = tightened(model, Tightness(1.4, 0.25))
    weight = torch.nn.functional.softplus
    for level in range(3):
        pairs = zip(model.pulls[level], other.pulls[level], strict=True)
        for number, (before, after) in enumerate(pairs):
            factor = 1.4 if level == 2 else 1.0
            torch.testing.assert_close(weight(after.picture), factor * weight(before.picture))
            added = 0.25 if level == 2 and number else 0.0
            torch.testing.assert_close(after.momentum, before.momentum + added)


def test_nothing_changed_is_the_same_network(blazepose_file):
    model = network(blazepose_file, pulls=(1, 1, 2))
    image = torch.rand(1, 3, 256, 256)
    with torch.no_grad():
        found = tightened(model, Tightness(1.0, 0.0))(image).levels[-1].rotations
        torch.testing.assert_close(found, model(image).levels[-1].rotations, atol=1e-5, rtol=0)


def test_a_network_without_pulls_says_so(blazepose_file):
    with pytest.raises(ModelError, match="no pulls"):
        tightened(network(blazepose_file), Tightness(1.4, 0.0))
