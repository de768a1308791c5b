"""Operation counts of small graphs, and the measured shares."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openvino
import pytest
from openvino import opset13 as ops

from pymaf_live.body import default_body
from pymaf_live.diagnostics.roofline import Roofline, count_operations, measure_roofline
from pymaf_live.errors import ModelError
from tests.helpers.model import write_fake_model


def model_with(node: openvino.Node, *inputs: openvino.Node) -> openvino.Model:
    return openvino.Model([node], list(inputs), "one")


def weights(*shape: int) -> openvino.Node:
    return ops.constant(np.ones(shape, np.float32))


def test_a_convolution_counts_multiplications_and_additions() -> None:
    image = ops.parameter([1, 3, 10, 12], np.float32)
    node = ops.convolution(image, weights(8, 3, 3, 3), [1, 1], [1, 1], [1, 1], [1, 1])
    assert count_operations(model_with(node, image)) == 2 * (10 * 12 * 8) * (3 * 3 * 3)


def test_a_depthwise_convolution_counts_one_channel_per_value() -> None:
    image = ops.parameter([1, 8, 10, 10], np.float32)
    node = ops.group_convolution(image, weights(8, 1, 1, 5, 5), [2, 2], [2, 2], [2, 2], [1, 1])
    assert count_operations(model_with(node, image)) == 2 * (5 * 5 * 8) * (5 * 5)


def test_a_transposed_convolution_counts_its_window_for_every_input_value() -> None:
    image = ops.parameter([1, 16, 7, 9], np.float32)
    node = ops.convolution_backprop_data(
        image, weights(16, 8, 4, 4), [2, 2], pads_begin=[1, 1], pads_end=[1, 1]
    )
    assert list(node.output(0).shape) == [1, 8, 14, 18]
    assert count_operations(model_with(node, image)) == 2 * (7 * 9 * 16) * (8 * 4 * 4)


@pytest.mark.parametrize("transposed", [False, True])
def test_a_matrix_product_counts_rows_times_columns_times_inner_size(transposed: bool) -> None:
    left = ops.parameter([7, 4] if transposed else [4, 7], np.float32)
    node = ops.matmul(left, weights(7, 5), transposed, False)
    assert count_operations(model_with(node, left)) == 2 * 4 * 5 * 7


def test_other_nodes_count_nothing() -> None:
    left = ops.parameter([4, 7], np.float32)
    assert count_operations(model_with(ops.exp(ops.add(left, left)), left)) == 0


def test_the_share_is_the_rate_over_the_peak() -> None:
    line = Roofline(threads=2, operations=3e8, milliseconds=10.0, peak=6e10, precision="f32")
    assert line.rate == pytest.approx(3e10)
    assert line.share == pytest.approx(0.5)


def test_a_network_and_a_matrix_product_are_measured(tmp_path: Path) -> None:
    path = write_fake_model(tmp_path / "model.onnx", default_body(), size=64)
    line = measure_roofline(path, 1)
    assert line.threads == 1
    # outside these limits it was not a measurement
    assert 1e8 < line.peak < 1e13
    assert 0 < line.milliseconds < 1000


def test_a_file_that_is_not_a_network_is_reported_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "none.onnx"
    path.write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"none\.onnx") as raised:
        measure_roofline(path, 1)
    assert "\n" not in str(raised.value)
