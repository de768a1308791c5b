"""Tests of the encoder that is read from a landmark file."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from pymaf_live.errors import ModelError  # noqa: E402
from pymaf_live.system.openvino_import import open_core  # noqa: E402
from trainer.network.blazepose import landmark_module  # noqa: E402


@pytest.mark.parametrize("kind", ["lite", "full", "heavy"])
def test_output_equals_that_of_openvino(blazepose, kind):
    path = blazepose / f"pose_landmark_{kind}.tflite"
    image = np.random.default_rng(0).random((1, 256, 256, 3), dtype=np.float32)
    with torch.no_grad():
        found = landmark_module(path, kind)(torch.from_numpy(image).permute(0, 3, 1, 2))
    core = open_core()
    options = {"INFERENCE_PRECISION_HINT": "f32"}
    request = core.compile_model(core.read_model(path), "CPU", options).create_infer_request()
    request.infer([image])
    for name, output in (("landmarks", "Identity"), ("world", "Identity_4")):
        true = request.get_tensor(output).data.reshape(1, -1)
        assert np.abs(found[name].numpy() - true).max() < 1e-2 * np.abs(true).max()
    channels = {"lite": 32, "full": 48, "heavy": 48}[kind]
    sizes = [tuple(found[f"map{i}"].shape[1:]) for i in range(3)]
    assert sizes == [(channels, 16, 16), (channels, 32, 32), (channels, 64, 64)]


def test_other_files_are_rejected(tmp_path):
    with pytest.raises(ModelError, match="cannot read"):
        landmark_module(tmp_path / "absent.tflite", "lite")
    path = tmp_path / "text.tflite"
    path.write_text("not a model")
    with pytest.raises(ModelError, match="is not a tflite file"):
        landmark_module(path, "lite")
