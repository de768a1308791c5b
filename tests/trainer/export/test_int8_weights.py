"""Weights stored in int8: small errors, corrected biases, and the same values when read back."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from torch import nn  # noqa: E402

from pymaf_live.inference.stored_weights import unpack_weights  # noqa: E402
from pymaf_live.system.onnxruntime_import import import_onnxruntime  # noqa: E402
from trainer.export import int8_weights  # noqa: E402
from trainer.export.int8_weights import (  # noqa: E402
    round_encoder,
    round_linear_layers,
    round_to_int8,
    store_as_int8,
)


def uneven_weight(outputs: int = 16, inputs: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Return a weight (O, I, 1, 1) and spreads (I,) of input channels that make up for it."""
    random = np.random.default_rng(0)
    spread = 10.0 ** random.uniform(-3, 0, inputs)
    return random.normal(size=(outputs, inputs, 1, 1)) / spread[:, None, None], spread


def output_error(weight: np.ndarray, found: np.ndarray, spread: np.ndarray) -> float:
    miss = (found - weight)[..., 0, 0] * spread
    return float(np.linalg.norm(miss) / np.linalg.norm(weight[..., 0, 0] * spread))


def test_scales_of_columns_follow_channels_that_differ_a_thousandfold() -> None:
    weight, spread = uneven_weight()
    with_columns = round_to_int8(weight, spread)
    rows_only = round_to_int8(weight)
    assert with_columns.values.dtype == np.int8
    assert output_error(weight, with_columns.dequantized(), spread) < 0.01
    assert output_error(weight, rows_only.dequantized(), spread) > 0.05


def test_a_layer_of_zeros_stays_zero() -> None:
    found = round_to_int8(np.zeros((4, 5, 1, 1)), np.zeros(5))
    assert not found.dequantized().any()


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 16, 3, padding=1)
        self.depthwise = nn.Conv2d(16, 16, 3, padding=1, groups=16)
        self.second = nn.Conv2d(16, 24, 1)
        self.third = nn.Conv2d(24, 8, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.depthwise(torch.relu(self.first(image))))
        return self.third(torch.relu(self.second(x)))


def test_rounding_an_encoder_leaves_its_mean_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(int8_weights, "_MIN_VALUES", 100)
    monkeypatch.setattr(int8_weights, "_LARGEST", 7)  # coarse, so that the shift is seen
    crops = np.random.default_rng(0).random((6, 3, 12, 12), dtype=np.float32)
    encoder = Encoder()
    before, bias = encoder(torch.from_numpy(crops)), encoder.third.bias.detach().clone()
    depthwise = encoder.depthwise.weight.detach().clone()
    rounded = round_encoder(encoder, crops)
    after = encoder(torch.from_numpy(crops))
    assert len(rounded) == 3
    assert torch.equal(encoder.depthwise.weight, depthwise)
    assert not torch.equal(encoder.third.bias, bias)
    means = before.mean((0, 2, 3)), after.mean((0, 2, 3))
    torch.testing.assert_close(*means, rtol=0, atol=1e-5)
    # without the correction the mean is off
    encoder.third.bias.data = bias
    uncorrected = encoder(torch.from_numpy(crops)).mean((0, 2, 3)).detach()
    assert float((uncorrected - means[0].detach()).abs().max()) > 1e-3


def small_graph(conv: np.ndarray, dense: np.ndarray) -> onnx.ModelProto:
    nodes = [
        helper.make_node("Conv", ["x", "conv"], ["y"]),
        helper.make_node("GlobalAveragePool", ["y"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "dense"], ["out"]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, conv.shape[1], 4, 4])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, dense.shape[1]])],
        [numpy_helper.from_array(conv, "conv"), numpy_helper.from_array(dense, "dense")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


def test_a_stored_file_computes_the_rounded_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(int8_weights, "_MIN_VALUES", 100)
    weight, spread = uneven_weight()
    conv = round_to_int8(weight, spread)
    linear = nn.Sequential(nn.Linear(16, 10))
    # columns that are zero are cut off by constant folding
    linear[0].weight.data[:, 12:] = 0
    (dense,) = round_linear_layers(linear)
    exported = np.ascontiguousarray(linear[0].weight.detach().numpy()[:, :12].T)
    plain = small_graph(conv.dequantized()[:12], exported)
    cut = int8_weights.Int8Weight(conv.values[:12], conv.rows[:12], conv.columns)
    stored = onnx.ModelProto()
    stored.CopyFrom(plain)
    assert store_as_int8(stored, [cut, dense]) == 2
    onnx.checker.check_model(stored, full_check=True)
    x = np.random.default_rng(1).random((1, 24, 4, 4), dtype=np.float32)
    onnxruntime = import_onnxruntime()
    results = [
        onnxruntime.InferenceSession(
            one.SerializeToString(), providers=["CPUExecutionProvider"]
        ).run(None, {"x": x})[0]
        for one in (plain, stored)
    ]
    np.testing.assert_array_equal(*results)
    unpack_weights(stored)
    read = {one.name: numpy_helper.to_array(one) for one in stored.graph.initializer}
    assert sorted(read) == ["conv", "dense"]
    np.testing.assert_array_equal(read["conv"], conv.dequantized()[:12])
    np.testing.assert_array_equal(read["dense"], exported)


def test_other_casts_and_products_stay() -> None:
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["count"], ["number"], to=TensorProto.FLOAT),
            helper.make_node("Cast", ["q"], ["values"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["values", "large"], ["grown"]),
            helper.make_node("Mul", ["grown", "number"], ["out"]),
        ],
        "other",
        [],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(np.array([2], np.int64), "count"),
            numpy_helper.from_array(np.ones((3, 1), np.int8), "q"),
            # a small tensor must not unpack to an arbitrarily large one
            numpy_helper.from_array(np.ones((1, 5), np.float32), "large"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    unpack_weights(model)
    assert [node.op_type for node in model.graph.node] == ["Cast", "Mul", "Mul"]
