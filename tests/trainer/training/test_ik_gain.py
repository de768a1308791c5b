"""Tests of the gain on the last level's IK steps."""

import pytest

torch = pytest.importorskip("torch")

import trainer.training.ik_gain as ik_gain  # noqa: E402
from pymaf_live.body import default_body  # noqa: E402
from pymaf_live.errors import ModelError  # noqa: E402
from tests.trainer.fake_people import write_people  # noqa: E402
from trainer.data.lspet import read_joint_set  # noqa: E402
from trainer.evaluation.lspet import estimate_annotated  # noqa: E402
from trainer.evaluation.mesh_eval import BodyPoser  # noqa: E402
from trainer.evaluation.network import TorchNetwork  # noqa: E402
from trainer.network.config import NetworkConfig  # noqa: E402
from trainer.network.estimates import InitialEstimate  # noqa: E402
from trainer.network.pymaf import PyMAF  # noqa: E402
from trainer.training.ik_gain import IKGain, tune_ik_gain, with_ik_gain  # noqa: E402


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


def test_best_gain_is_kept_and_images_are_encoded_once(blazepose_file, tmp_path, monkeypatch):
    # PCK of an untrained network hardly depends on the gain
    monkeypatch.setattr(ik_gain, "pck", lambda points, _: float(points.mean()))
    model = network(blazepose_file, ik_steps=(1, 1, 2))
    write_people(tmp_path, 4)
    joint_set, rows, calls = read_joint_set(tmp_path), range(4), []
    forward = model.encoder.graph.register_forward_hook(lambda *_: calls.append(1))
    tuned, scores = tune_ik_gain(model, joint_set, rows, default_body())
    forward.remove()
    assert len(calls) == 1
    found = estimate_annotated(TorchNetwork(tuned), joint_set, rows)
    assert found.points(BodyPoser(default_body()), "lsp").mean() == max(scores.values())
    assert len(set(scores.values())) == len(scores)
