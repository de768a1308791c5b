"""Tests of a small run on synthetic people: training, resuming, export."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

import onnx  # noqa: E402

import trainer.data.factory as factory  # noqa: E402
import trainer.evaluation.preview as preview  # noqa: E402
import trainer.evaluation.validation as validation  # noqa: E402
import trainer.train as training  # noqa: E402
from pymaf_live.body import default_body  # noqa: E402
from pymaf_live.errors import InputError  # noqa: E402
from pymaf_live.inference import open_session  # noqa: E402
from tests.trainer.fake_people import write_people  # noqa: E402
from trainer.data.fits import write_fits  # noqa: E402
from trainer.export.onnx import export, load_network, round_weights  # noqa: E402
from trainer.network.estimates import InitialEstimate  # noqa: E402
from trainer.network.pymaf import PyMAF  # noqa: E402
from trainer.training.checkpoint import load_matching, read_progress  # noqa: E402
from trainer.training.config import read_config_file, read_run_config  # noqa: E402
from trainer.training.datasets import Locations  # noqa: E402
from trainer.training.exported_weights import METADATA_KEY  # noqa: E402
from trainer.training.optimizer import RelativeAdam, TrainingOptimizer  # noqa: E402
from trainer.training.schedule import (  # noqa: E402
    LearningRates,
    Schedule,
    learning_rates,
)

CONFIG = """
name = "small"
[network]
encoder = "blazepose_lite"
point_widths = [16, 8]
feature_width = 32
hidden = 64
dropout = 0.1
activation = true
landmarks = true
heatmaps = true
ik_steps = [1, 2, 1]
refiner_width = 16
[losses]
landmarks = 1.0
heatmaps = 0.5
[schedule]
images = {images}
frozen_images = 16
freeze_stem = true
batch = 4
learning_rate = 1e-3
warm_up = 4
validate_every = 16
"""
HELD_OUT = 4


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    write_fits(folder / "fits.npz", write_people(folder, 12))
    return folder


def hold_out_few(patch):
    for module in (factory, preview, validation):
        patch.setattr(module, "VALIDATION_COUNT", HELD_OUT)


@pytest.fixture(autouse=True)
def _hold_out_few(monkeypatch):
    hold_out_few(monkeypatch)


def run(people, blazepose, config, out):
    training.train(
        config,
        out=out,
        locations=Locations({"lspet": people, "fits": people / "fits.npz"}),
        landmark_file=blazepose / "pose_landmark_lite.tflite",
    )
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "small.toml"
    path.write_text(CONFIG.format(images=32))
    return path


@pytest.fixture(scope="module")
def finished(people, blazepose, config, tmp_path_factory):
    patch = pytest.MonkeyPatch()
    hold_out_few(patch)
    out = tmp_path_factory.mktemp("run")
    run(people, blazepose, config, out)
    patch.undo()
    return out


@pytest.mark.integration
def test_killed_run_resumes_to_the_same_weights(
    people, blazepose, config, finished, tmp_path, monkeypatch
):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training, "validate", killed)
        with pytest.raises(KeyboardInterrupt):
            run(people, blazepose, config, tmp_path)
    assert read_progress(tmp_path / "checkpoint.safetensors").step == 4
    run(people, blazepose, config, tmp_path)
    uninterrupted, _, _ = load_network(
        finished / "checkpoint.safetensors", blazepose / "pose_landmark_lite.tflite"
    )
    resumed, _, _ = load_network(
        tmp_path / "checkpoint.safetensors", blazepose / "pose_landmark_lite.tflite"
    )
    for (name, a), b in zip(
        uninterrupted.state_dict().items(), resumed.state_dict().values(), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.integration
def test_exported_file_keeps_the_contract(finished, blazepose, tmp_path):
    for levels in (False, True):
        path = tmp_path / f"small_{levels}.onnx"
        difference = export(
            finished / "checkpoint.safetensors",
            path,
            landmark_file=blazepose / "pose_landmark_lite.tflite",
            all_levels=levels,
        )
        assert difference < 1e-3
        session = open_session(path, "openvino", threads=1)
        image = np.random.default_rng(0).random((2, 3, 256, 256), dtype=np.float32)
        results = session.run(image)
        assert [len(result) for result in results] == [3 if levels else 1] * 2
        assert 0 <= results[0][-1].score <= 1
        session.close()


@pytest.fixture(scope="module")
def exported(finished, blazepose, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "small.onnx"
    landmarks = blazepose / "pose_landmark_lite.tflite"
    export(finished / "checkpoint.safetensors", path, landmark_file=landmarks)
    return path


def estimates(model, image):
    with torch.no_grad():
        return [level.rotations for level in model(image).levels]


@pytest.mark.integration
def test_training_starts_from_an_exported_file(finished, exported, blazepose):
    """All weights come back, also those that constant folding transposed or computed with."""
    landmarks = blazepose / "pose_landmark_lite.tflite"
    trained, body, _ = load_network(finished / "checkpoint.safetensors", landmarks)
    round_weights(trained)
    other = PyMAF(trained.config, body, InitialEstimate.upright(body), landmarks).eval()
    image = torch.rand(2, 3, 256, 256, generator=torch.Generator().manual_seed(0))
    before = estimates(other, image)[-1]
    assert load_matching(exported, other).messages(exported) == []
    expected = estimates(trained, image)
    assert (before - expected[-1]).abs().max() > 1e-2
    for found, true in zip(estimates(other, image), expected, strict=True):
        assert (found - true).abs().max() < 1e-4


@pytest.mark.integration
def test_file_without_training_weights_is_refused(exported, tmp_path):
    path, model = tmp_path / "small.onnx", torch.nn.Linear(1, 1)
    graph = onnx.load(exported)
    kept = [entry for entry in graph.metadata_props if entry.key != METADATA_KEY]
    del graph.metadata_props[:]
    graph.metadata_props.extend(kept)
    onnx.save(graph, path)
    with pytest.raises(InputError, match="export it again"):
        load_matching(path, model)
    path.write_bytes(b"not a model")
    with pytest.raises(InputError, match="not an ONNX file"):
        load_matching(path, model)


@pytest.mark.integration
def test_checkpoint_of_another_configuration_is_rejected(people, blazepose, finished, tmp_path):
    other = tmp_path / "other.toml"
    other.write_text(CONFIG.format(images=64))
    before = (finished / "checkpoint.safetensors").read_bytes()
    with pytest.raises(InputError, match="another configuration"):
        run(people, blazepose, other, finished)
    assert (finished / "checkpoint.safetensors").read_bytes() == before


def test_damaged_checkpoints_are_rejected(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    with pytest.raises(InputError, match="not a complete checkpoint"):
        read_progress(path)
    path.write_bytes(b"\xff" * 100)
    with pytest.raises(InputError, match="not a complete checkpoint"):
        read_progress(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = ", "is not TOML"),
        ('name = "a"', "network"),
        (CONFIG.format(images='"many"'), "schedule.images"),
        (CONFIG.format(images=1) + "\nlearning = 3", "schedule.learning"),
    ],
)
def test_errors_of_a_configuration_name_the_field(text, message):
    with pytest.raises(InputError, match=message):
        read_run_config(text, "run.toml")


def test_missing_configuration_is_rejected(tmp_path):
    with pytest.raises(InputError, match="cannot read the configuration"):
        read_config_file(tmp_path / "absent.toml")


def test_relative_steps_scale_with_the_channel():
    """A channel fifty times larger takes a step fifty times larger."""
    weight = torch.nn.Parameter(torch.tensor([[1.0, -1.0], [50.0, -50.0]]))
    optimizer = RelativeAdam([{"params": [weight], "lr": 0.01, "relative": True}])
    before = weight.detach().clone()
    (weight * torch.tensor([[1.0, 2.0], [3.0, 4.0]])).sum().backward()
    optimizer.step()
    step = (before - weight.detach()).numpy()
    np.testing.assert_allclose(step, [[0.01, 0.01], [0.5, 0.5]], rtol=1e-4)


def test_steps_without_the_relative_rule_equal_adamw():
    torch.manual_seed(0)
    ours, theirs = (torch.nn.Parameter(torch.ones(3, 2)) for _ in range(2))
    optimizers = (
        RelativeAdam([{"params": [ours], "lr": 0.1, "weight_decay": 0.1}]),
        torch.optim.AdamW([theirs], lr=0.1, weight_decay=0.1),
    )
    for step in range(4):
        for parameter, optimizer in zip((ours, theirs), optimizers, strict=True):
            optimizer.zero_grad()
            (parameter * torch.arange(6.0).reshape(3, 2) * (step + 1)).square().sum().backward()
            optimizer.step()
    assert torch.allclose(ours, theirs, atol=1e-5)


def test_stem_trains_at_the_end_only():
    schedule = Schedule(images=300, batch=10, freeze_stem=True, stem_images=100)
    frozen = [learning_rates(schedule, step).stem_frozen for step in range(30)]
    assert frozen == [True] * 20 + [False] * 10
    always = schedule.model_copy(update={"stem_images": 0})
    assert all(learning_rates(always, step).stem_frozen for step in range(30))
    never = Schedule(images=300, batch=10)
    assert not any(learning_rates(never, step).stem_frozen for step in range(30))


def test_loosened_stem_moves(blazepose):
    """A parameter that was frozen when the optimizer was made trains once it has gradients."""
    file = blazepose / "pose_landmark_lite.tflite"
    body, config = default_body(), read_run_config(CONFIG.format(images=32), "run.toml")
    model = PyMAF(config.network, body, InitialEstimate.upright(body), file)
    optimizer = TrainingOptimizer(model, config)
    first = next(model.encoder.parameters())
    image = torch.rand(1, 3, 256, 256)
    for frozen in (True, False):
        model.encoder.freeze_stem(frozen=frozen)
        optimizer.set_rates(LearningRates(1e-3, 1e-3, frozen=False, stem_frozen=frozen))
        before = first.detach().clone()
        optimizer.zero_grad()
        model.encoder(image).maps[-1].square().mean().backward()
        optimizer.step()
        assert torch.equal(first, before) == frozen
