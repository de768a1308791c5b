"""Tests of runs that start from ImageNet's ResNet-50 or from PyMAF's published checkpoint."""

import re

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from safetensors.torch import save_file  # noqa: E402

from pymaf_live.body import default_body  # noqa: E402
from pymaf_live.errors import InputError  # noqa: E402
from tests.body.fake_smpl import small_smpl  # noqa: E402
from tests.trainer.importers.reference_pymaf import fake_checkpoint  # noqa: E402
from trainer.network.config import NetworkConfig  # noqa: E402
from trainer.network.estimates import InitialEstimate  # noqa: E402
from trainer.network.pymaf import PyMAF  # noqa: E402
from trainer.training.checkpoint import load_matching  # noqa: E402


@pytest.fixture(scope="module")
def published():
    torch.set_num_threads(1)
    return fake_checkpoint(small_smpl(default_body()))


@pytest.fixture(scope="module")
def model():
    body = default_body()
    return PyMAF(NetworkConfig(auxiliary="dense"), body, InitialEstimate.upright(body))


def imagenet(published):
    """Return a ResNet-50's weights by torchvision's names, with its classifier."""
    encoder = {
        name.removeprefix("feature_extractor."): value
        for name, value in published.items()
        if re.match(r"feature_extractor\.(conv1|bn1|layer\d)", name)
    }
    return encoder | {"fc.weight": torch.zeros(1000, 2048), "fc.bias": torch.zeros(1000)}


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_imagenet_fills_the_encoder(published, model, tmp_path, suffix):
    weights, path = imagenet(published), tmp_path / f"resnet50.{suffix}"
    if suffix == "pth":
        torch.save(weights, path)
    else:
        save_file({name: value.contiguous() for name, value in weights.items()}, path)
    with torch.no_grad():
        for parameter in model.encoder.parameters():
            parameter.zero_()
    head = model.regressors[0].fc1.weight.clone()
    found = load_matching(path, model)
    own = model.encoder.state_dict()
    for name, value in weights.items():
        if not name.startswith("fc."):
            assert torch.equal(own[name], value), name
    assert found.unused == []
    assert torch.equal(model.regressors[0].fc1.weight, head)
    assert any(name.startswith("encoder.deconv_layers.") for name in found.missing)
    assert not any(
        name.startswith("encoder.layer") and "num_b" not in name for name in found.missing
    )


def test_pymafs_checkpoint_fills_the_network(published, model, tmp_path):
    path = tmp_path / "PyMAF_model_checkpoint.pt"
    shapes = {"weight": (25, 256, 3, 3), "bias": (25,)}
    head = {
        f"dp_head.{name}.{kind}": torch.randn(shape)
        for name in ("predict_u", "predict_v", "predict_uv_index")
        for kind, shape in shapes.items()
    }
    # the published number of points instead of the fake's
    head |= {f"regressor.{level}.fc1.weight": torch.randn(1024, 431 * 5 + 157) for level in (1, 2)}
    stored = {name: value for name, value in published.items() if not name.startswith("dp_head.")}
    torch.save({"model": stored | head, "best_performance": np.float64(58.9)}, path)
    found = load_matching(path, model)
    own = model.state_dict()
    for ours, theirs in {
        "encoder.layer3.4.conv2.weight": "feature_extractor.layer3.4.conv2.weight",
        "encoder.deconv_layers.3.weight": "deconv_layers.3.weight",
        "points.1.layers.2.weight": "maf_extractor.1.conv2.weight",
        "regressors.2.decpose.weight": "regressor.2.decpose.weight",
        "regressors.0.fc1.bias": "regressor.0.fc1.bias",
        "auxiliary.predict_u.weight": "dp_head.predict_u.weight",
    }.items():
        assert torch.equal(own[ours].flatten(), (stored | head)[theirs].flatten()), ours
    assert found.unused == []
    # only what the published network has not starts untrained
    untrained = {name for name in found.missing if not name.endswith("num_batches_tracked")}
    assert not any(
        re.match(r"(encoder\.(conv|layer|deconv)|points|auxiliary)", n) for n in untrained
    )


def test_files_that_are_not_weights_are_rejected(model, tmp_path):
    (tmp_path / "a.pth").write_bytes(b"not weights")
    with pytest.raises(InputError, match=r"a\.pth"):
        load_matching(tmp_path / "a.pth", model)
    with pytest.raises(InputError, match="no checkpoint"):
        load_matching(tmp_path / "none.pt", model)
    torch.save({"head.weight": torch.zeros(2)}, tmp_path / "b.pth")
    with pytest.raises(InputError, match=r"head\.weight"):
        load_matching(tmp_path / "b.pth", model)
    # nothing in a file is executed
    torch.save({"conv1.weight": print}, tmp_path / "c.pth")
    with pytest.raises(InputError, match="print"):
        load_matching(tmp_path / "c.pth", model)
