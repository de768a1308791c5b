"""Tests of checkpoints: earlier tensor names and configuration keys stay loadable."""

import json

import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from safetensors import safe_open  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

from pymaf_live.body import default_body  # noqa: E402
from pymaf_live.errors import InputError  # noqa: E402
from trainer.network.config import NetworkConfig  # noqa: E402
from trainer.network.estimates import InitialEstimate  # noqa: E402
from trainer.network.pymaf import PyMAF  # noqa: E402
from trainer.training.checkpoint import (  # noqa: E402
    Progress,
    current_name,
    load_average,
    load_checkpoint,
    load_matching,
    save_average,
    save_checkpoint,
)
from trainer.training.config import read_run_config  # noqa: E402
from trainer.training.optimizer import RelativeAdam  # noqa: E402

EARLIER_CONFIG = """
name = "earlier"
[network]
encoder = "blazepose_lite"
landmarks = true
heat = true
pulls = [1, 1, 2]
limits = true
[schedule]
pictures = 100
frozen_pictures = 10
pull_factor = 10.0
average = 0.9
"""

EARLIER_NAMES = {
    "ik.trust.1.layers.0.weight": "trust.1.layers.0.weight",
    "ik.direction.0.image": "direction.0.picture",
    "ik.direction.0.camera": "direction.0.camera",
    "ik.steps.2.1.image": "pulls.2.1.picture",
    "ik.steps.2.0.momentum": "pulls.2.0.momentum",
}


def earlier_name(name):
    """Return the name that a checkpoint before the renames gave a tensor."""
    section, _, rest = name.partition(".")
    for new, old in (("ik.steps.", "pulls."), ("ik.", "")):
        if rest.startswith(new):
            return f"{section}.{old}{rest.removeprefix(new)}".replace(".image", ".picture")
    return name


@pytest.fixture(scope="module")
def network(blazepose):
    def make(seed):
        torch.manual_seed(seed)
        config = NetworkConfig(
            encoder="blazepose_lite",
            landmarks=True,
            ik_steps=(1, 1, 2),
            hidden=8,
            feature_width=4,
        )
        body = default_body()
        start = InitialEstimate.upright(body)
        return PyMAF(config, body, start, blazepose / "pose_landmark_lite.tflite")

    return make


def optimizer_of(model):
    return RelativeAdam([{"params": list(model.parameters())}])


def test_names_of_an_earlier_checkpoint_are_mapped():
    for new, old in EARLIER_NAMES.items():
        for section in ("model", "average"):
            assert earlier_name(f"{section}.{new}") == f"{section}.{old}"
            assert current_name(f"{section}.{old}") == f"{section}.{new}"
            assert current_name(f"{section}.{new}") == f"{section}.{new}"
    assert current_name("optimiser.pulls.2.1.picture.mean") == "optimiser.ik.steps.2.1.image.mean"
    assert current_name("model.points.0.layers.1.weight") == "model.points.0.layers.1.weight"


def test_earlier_checkpoint_is_loaded(network, tmp_path):
    path, model = tmp_path / "checkpoint.safetensors", network(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    optimizer = optimizer_of(model)
    sum(p.square().sum() for p in model.parameters()).backward()
    optimizer.step()
    save_checkpoint(path, model, model, optimizer, Progress(3, EARLIER_CONFIG, 1.5))
    with safe_open(path, framework="pt") as file:
        tensors = {earlier_name(name): file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        header = file.metadata()
    assert "model.pulls.2.1.picture" in tensors
    assert "optimiser.direction.0.picture.mean" in tensors
    save_file(tensors, path, header)

    other, average = network(1), network(2)
    other_optimizer = optimizer_of(other)
    progress = load_checkpoint(path, other, average, other_optimizer, EARLIER_CONFIG)
    assert (progress.step, progress.seconds) == (3, 1.5)
    for name, value in model.state_dict().items():
        assert torch.equal(other.state_dict()[name], value), name
        assert torch.equal(average.state_dict()[name], value), name
    step = other.ik.steps[2][1]
    expected = optimizer.state[model.ik.steps[2][1].image]["mean"]
    assert torch.equal(other_optimizer.state[step.image]["mean"], expected)
    assert load_average(path, network(3)).step == 3


def test_keys_of_an_earlier_configuration_are_read():
    config = read_run_config(EARLIER_CONFIG, "earlier.toml")
    assert config.network.ik_steps == (1, 1, 2)
    assert config.network.heatmaps
    assert config.network.joint_limits
    schedule = config.schedule
    assert (schedule.images, schedule.frozen_images) == (100, 10)
    assert (schedule.ik_rate_factor, schedule.ema_decay) == (10.0, 0.9)
    assert json.loads(config.model_dump_json())["schedule"]["images"] == 100


def layers(*names):
    return torch.nn.ModuleDict({name: torch.nn.Linear(2, 2) for name in names})


def test_layers_that_are_not_loaded_are_listed(tmp_path):
    path, stored, model = tmp_path / "start.safetensors", layers("a", "b"), layers("b", "c")
    save_average(path, stored, Progress(1, ""))
    before = model["c"].weight.clone()
    found = load_matching(path, model)
    assert torch.equal(model["b"].weight, stored["b"].weight)
    assert torch.equal(model["c"].weight, before)
    assert found.missing == ["c.bias", "c.weight"]
    assert found.unused == ["a.bias", "a.weight"]
    missing, unused = found.messages(path)
    assert "lacks 2 tensors" in missing
    assert missing.endswith(": c")
    assert "2 tensors are not in this network" in unused
    assert unused.endswith(": a")
    assert load_matching(path, layers("a", "b")).messages(path) == []


def test_start_with_only_constants_in_common_is_rejected(tmp_path):
    path, stored, model = tmp_path / "start.safetensors", layers("a"), layers("b")
    for module in (stored, model):
        module.register_buffer("image_mean", torch.zeros(3))
    save_average(path, stored, Progress(1, ""))
    with pytest.raises(InputError, match="no weights in common"):
        load_matching(path, model)
