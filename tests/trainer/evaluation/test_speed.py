"""Tests of the speed measurement of the paper's network."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

import trainer.evaluation.speed as speed  # noqa: E402
from pymaf_live.body import PointSet, default_body  # noqa: E402
from trainer.__main__ import main  # noqa: E402
from trainer.network.config import NetworkConfig  # noqa: E402
from trainer.network.estimates import InitialEstimate  # noqa: E402
from trainer.network.pymaf import PyMAF  # noqa: E402


def test_published_skinning_keeps_the_estimate_and_computes_the_full_mesh():
    body = default_body()
    torch.manual_seed(0)
    model = PyMAF(NetworkConfig(hidden=16), body, InitialEstimate.upright(body)).eval()
    image = torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        before = model(image).levels[-1]
        mesh = speed.PublishedSkinning(model, body).eval()(image)[..., :3]
        after = model(image).levels[-1]
    torch.testing.assert_close(after.rotations, before.rotations, atol=1e-5, rtol=0)
    true = PointSet.vertices(body).pose(before.rotations.numpy(), before.shape.numpy())
    np.testing.assert_allclose(mesh, true, atol=1e-5)


def test_runs_alternate_after_a_warm_up():
    order = []
    runs = [lambda name=name: order.append(name) for name in "ab"]
    seconds = speed.in_turn(runs, 3)
    assert "".join(order) == "ab" + "ababab"
    assert seconds.shape == (2, 3)
    assert (seconds >= 0).all()


def test_figures_are_written_as_json(monkeypatch, capsys, tmp_path):
    calls = []

    def measure(threads, rounds):
        calls.append((threads, rounds))
        return {"ratios": {"resnet50_share_of_peak": 0.55}}

    monkeypatch.setattr(speed, "measure", measure)
    assert main(["speed", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ratios"] == {"resnet50_share_of_peak": 0.55}
    path = tmp_path / "speed.json"
    assert main(["speed", "--threads", "1", "--rounds", "4", "--json", str(path)]) == 0
    assert json.loads(path.read_text())["ratios"]["resnet50_share_of_peak"] == 0.55
    assert calls == [(2, 15), (1, 4)]
    assert main(["speed"]) == 0
    assert "resnet50_share_of_peak: 0.55" in capsys.readouterr().out
    assert main(["speed", "--rounds", "0"]) == 2


@pytest.mark.benchmark
def test_network_of_the_paper_reaches_its_speed_limits():
    ratios = speed.measure()["ratios"]
    assert ratios["resnet50_openvino_f32_over_torch"] >= 1.7
    assert ratios["resnet50_int8_over_torch"] >= 3
    assert ratios["resnet50_share_of_peak"] >= 0.5
