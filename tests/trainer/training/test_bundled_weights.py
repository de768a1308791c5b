"""Test that training can start from the bundled models."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

import onnx  # noqa: E402

from pymaf_live.body import default_body  # noqa: E402
from pymaf_live.errors import InputError  # noqa: E402
from pymaf_live.resources import resource  # noqa: E402
from pymaf_live.system.onnxruntime_import import import_onnxruntime  # noqa: E402
from tests.helpers.paths import ROOT  # noqa: E402
from trainer.network.estimates import InitialEstimate  # noqa: E402
from trainer.network.pymaf import PyMAF  # noqa: E402
from trainer.training.checkpoint import load_matching  # noqa: E402
from trainer.training.config import read_config_file  # noqa: E402
from trainer.training.exported_weights import METADATA_KEY, read_exported_weights  # noqa: E402


@pytest.mark.parametrize(("kind", "file"), [("lite", "own.toml"), ("full", "rounds/full_11.toml")])
def test_network_from_a_bundled_file_equals_it(blazepose, kind, file):
    onnxruntime = import_onnxruntime()

    path, body = resource(f"models/{kind}.onnx"), default_body()
    _, config = read_config_file(ROOT / "trainer" / "configs" / file)
    landmarks = blazepose / f"pose_landmark_{kind}.tflite"
    model = PyMAF(config.network, body, InitialEstimate.upright(body), landmarks).eval()
    assert load_matching(path, model).messages(path) == []
    image = np.random.default_rng(0).random((1, 3, 256, 256), dtype=np.float32)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    expected = session.run(["rotations", "joint_score"], {"image": image})
    with torch.no_grad():
        output = model(torch.from_numpy(image))
    assert np.abs(output.levels[-1].rotations.numpy() - expected[0]).max() < 2e-3
    assert np.abs(torch.sigmoid(output.joint_score).numpy() - expected[1]).max() < 2e-3


def test_file_without_training_weights_is_refused(tmp_path):
    model = onnx.load(resource("models/lite.onnx"))
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "lite.onnx")
    with pytest.raises(InputError, match="export it again"):
        read_exported_weights(tmp_path / "lite.onnx")


def test_damaged_training_weights_are_refused(tmp_path):
    model = onnx.load(resource("models/lite.onnx"))
    for entry in model.metadata_props:
        if entry.key == METADATA_KEY:
            entry.value = '{"config": "", "names": {"x": ["missing", false, [1]]}, "stored": {}}'
    onnx.save(model, tmp_path / "lite.onnx")
    with pytest.raises(InputError, match="damaged training weights"):
        read_exported_weights(tmp_path / "lite.onnx")
