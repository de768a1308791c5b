"""Tests of lower precisions (int8 in the encoder, bf16) and of the accuracy they must keep."""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("nncf", reason="the extra `train` is not installed")

import trainer.export.quantize as quantize_module  # noqa: E402
from pymaf_live.body import default_body  # noqa: E402
from pymaf_live.errors import ModelError  # noqa: E402
from pymaf_live.inference import open_session  # noqa: E402
from pymaf_live.inference.openvino_engine import supported_precisions  # noqa: E402
from pymaf_live.resources import resource  # noqa: E402
from trainer.__main__ import main  # noqa: E402
from trainer.export.constant_folding import fold_constants  # noqa: E402
from trainer.export.quantize import allow_precision, quantize, quantize_encoder, vertex_distance  # noqa: E402

SIZE = 32


class Encoder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Conv2d(3, 16, 3, 2, 1)
        self.second = torch.nn.Conv2d(16, 32, 3, 2, 1)

    def forward(self, image):
        return torch.relu(self.second(torch.relu(self.first(image)))).mean((2, 3))


class SmallNetwork(torch.nn.Module):
    """Encoder and regressor, named as in an exported file: 'model.encoder' and 'model.'."""

    def __init__(self, joints, shapes):
        super().__init__()
        self.encoder = Encoder()
        self.rotations = torch.nn.Linear(32, 9 * joints)
        self.shape = torch.nn.Linear(32, shapes)
        self.joints = joints

    def forward(self, image):
        summary = self.encoder(image)
        rotations = 0.1 * self.rotations(summary).reshape(-1, self.joints, 3, 3)
        return rotations + torch.eye(3), self.shape(summary)


class Wrapper(torch.nn.Module):
    """Adds the prefix 'model.' to the names of the tensors."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, image):
        return self.model(image)


@pytest.fixture(scope="module")
def crops():
    return np.random.default_rng(0).random((6, 3, SIZE, SIZE), dtype=np.float32)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    torch.manual_seed(0)
    body = default_body()
    network = Wrapper(SmallNetwork(body.joint_count, body.shape_count).eval())
    path = tmp_path_factory.mktemp("small") / "small.onnx"
    torch.onnx.export(
        network,
        (torch.zeros(2, 3, SIZE, SIZE),),
        str(path),
        input_names=["image"],
        output_names=["rotations", "shape"],
        dynamic_axes={name: {0: "batch"} for name in ("image", "rotations", "shape")},
        opset_version=17,
        dynamo=False,
    )
    return fold_constants(onnx.load(path))


@pytest.fixture(scope="module")
def quantized(model, crops):
    return quantize_encoder(model, crops)


def test_only_convolutions_become_int8(quantized):
    graph = quantized.graph
    producer = {name: node for node in graph.node for name in node.output}

    def is_dequantized(name):
        return name in producer and producer[name].op_type == "DequantizeLinear"

    kinds = {
        kind: {all(is_dequantized(name) for name in node.input[:2]) for node in graph.node
               if node.op_type == kind}
        for kind in ("Conv", "Gemm")
    }  # fmt: skip
    assert kinds == {"Conv": {True}, "Gemm": {False}}


def test_quantized_model_is_close_to_f32(model, quantized, crops):
    distance = vertex_distance(model, quantized, crops, default_body())
    assert 0 < distance < 3
    assert vertex_distance(model, model, crops[:1], default_body()) == pytest.approx(0)


def test_distance_is_in_millimetres(model, crops):
    """Turning the root by 180 degrees moves every vertex."""
    other = onnx.ModelProto()
    other.CopyFrom(model)
    half_turn = np.tile(np.eye(3, dtype=np.float32), (default_body().joint_count, 1, 1))
    half_turn[0] = np.diag([-1.0, 1.0, -1.0])
    last = next(node for node in other.graph.node if "rotations" in node.output)
    last.output[0] = "before"
    other.graph.initializer.append(onnx.numpy_helper.from_array(half_turn, "turn"))
    other.graph.node.append(onnx.helper.make_node("MatMul", ["turn", "before"], ["rotations"]))
    body = default_body()
    axis_distance = np.abs(body.template[:, [0, 2]]).mean()
    # about twice the mean distance from the axis
    assert vertex_distance(model, other, crops[:2], body) > 1000 * axis_distance


def test_model_that_int8_distorts_is_rejected_and_nothing_is_written(lspet, tmp_path, monkeypatch):
    monkeypatch.setattr(quantize_module, "quantize_encoder", lambda model, crops: model)
    monkeypatch.setattr(quantize_module, "vertex_distance", lambda *_: 79.1)
    monkeypatch.setattr(quantize_module, "CHECKED_CROPS", 2)
    monkeypatch.setattr(quantize_module, "_CALIBRATION_CROPS", 2)
    out = tmp_path / "lite.onnx"
    with pytest.raises(ModelError, match=r"lite\.onnx by 79\.1 mm on 2 held-out crops, more than"):
        quantize(resource("models/lite.onnx"), out, lspet)
    monkeypatch.setattr(quantize_module, "vertex_distance", lambda *_: float("nan"))
    with pytest.raises(ModelError, match="nothing is written"):
        quantize(resource("models/lite.onnx"), out, lspet)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(quantize_module, "vertex_distance", lambda *_: 1.5)
    assert quantize(resource("models/lite.onnx"), out, lspet) == 1.5
    assert onnx.load(out).graph.output[0].name == "rotations"
    metadata = {entry.key: entry.value for entry in onnx.load(out).metadata_props}
    assert metadata["name"] == "lite"
    # the program finds the int8 twin of a model by this hash
    content = resource("models/lite.onnx").read_bytes()
    assert metadata["int8_of"] == hashlib.sha256(content).hexdigest()


def test_precision_is_allowed_only_if_vertices_stay_in_place(lspet, tmp_path, monkeypatch):
    monkeypatch.setattr(quantize_module, "supported_precisions", lambda: ("bf16",))
    monkeypatch.setattr(quantize_module, "vertex_distance", lambda *_: 36.0)
    monkeypatch.setattr(quantize_module, "CHECKED_CROPS", 2)
    path = Path(shutil.copy(resource("models/lite.onnx"), tmp_path / "lite.onnx"))
    before = path.read_bytes()
    with pytest.raises(ModelError, match=r"bf16 moves the mean vertex of lite\.onnx by 36\.0 mm"):
        allow_precision(path, "bf16", lspet)
    assert path.read_bytes() == before
    monkeypatch.setattr(quantize_module, "vertex_distance", lambda *_: 2.9)
    assert allow_precision(path, "bf16", lspet) == 2.9
    session = open_session(path, "openvino")
    assert session.metadata.precisions == ("bf16",)
    session.close()
    monkeypatch.setattr(quantize_module, "supported_precisions", lambda: ())
    with pytest.raises(ModelError, match="does not support bf16"):
        allow_precision(path, "bf16", lspet)


def test_bf16_is_compared_with_f32(model, crops):
    if "bf16" not in supported_precisions():
        pytest.skip("this processor does not support bf16")
    distance = vertex_distance(model, model, crops, default_body(), "bf16")
    assert 0 < distance < 20


def test_missing_model_is_rejected(tmp_path, capsys):
    assert main(["quantize", str(tmp_path / "no.onnx"), "--out", str(tmp_path / "a.onnx")]) == 2
    assert "there is no model file" in capsys.readouterr().err
