"""Operations of a graph, counted by hand, and the shares that follow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openvino
import pytest
from openvino import opset13 as ops

from pymaf_live.body import default_body
from pymaf_live.diagnostics.roofline import Roofline, operations_of, roofline_of
from pymaf_live.errors import ModelError
from tests.helpers.model import write_fake_model


def model_of(node: openvino.Node, *inputs: openvino.Node) -> openvino.Model:
    return openvino.Model([node], list(inputs), "one")


def weights(*shape: int) -> openvino.Node:
    return ops.constant(np.ones(shape, np.float32))


def test_a_convolution_counts_every_product_and_its_sum() -> None:
    image = ops.parameter([1, 3, 10, 12], np.float32)
    node = ops.convolution(image, weights(8, 3, 3, 3), [1, 1], [1, 1], [1, 1], [1, 1])
    assert operations_of(model_of(node, image)) == 2 * (10 * 12 * 8) * (3 * 3 * 3)


def test_a_depthwise_convolution_counts_one_channel_a_value() -> None:
    image = ops.parameter([1, 8, 10, 10], np.float32)
    node = ops.group_convolution(image, weights(8, 1, 1, 5, 5), [2, 2], [2, 2], [2, 2], [1, 1])
    assert operations_of(model_of(node, image)) == 2 * (5 * 5 * 8) * (5 * 5)


def test_a_transposed_convolution_counts_its_window_for_every_value_it_reads() -> None:
    image = ops.parameter([1, 16, 7, 9], np.float32)
    node = ops.convolution_backprop_data(
        image, weights(16, 8, 4, 4), [2, 2], pads_begin=[1, 1], pads_end=[1, 1]
    )
    assert list(node.output(0).shape) == [1, 8, 14, 18]
    assert operations_of(model_of(node, image)) == 2 * (7 * 9 * 16) * (8 * 4 * 4)


@pytest.mark.parametrize("turned", [False, True])
def test_a_matrix_product_counts_rows_times_columns_times_sum(turned: bool) -> None:
    left = ops.parameter([7, 4] if turned else [4, 7], np.float32)
    node = ops.matmul(left, weights(7, 5), turned, False)
    assert operations_of(model_of(node, left)) == 2 * 4 * 5 * 7


def test_all_else_counts_nothing() -> None:
    left = ops.parameter([4, 7], np.float32)
    assert operations_of(model_of(ops.exp(ops.add(left, left)), left)) == 0


def test_the_share_is_the_networks_rate_over_the_products() -> None:
    line = Roofline(threads=2, operations=3e8, milliseconds=10.0, peak=6e10, precision="f32")
    assert line.rate == pytest.approx(3e10)
    assert line.share == pytest.approx(0.5)


def test_a_network_is_measured_beside_a_product(tmp_path: Path) -> None:
    path = write_fake_model(tmp_path / "made_up.onnx", default_body(), size=64)
    line = roofline_of(path, 1)
    assert line.threads == 1
    # slower than a pocket calculator or faster than any processor: then it was not measured
    assert 1e8 < line.peak < 1e13
    assert 0 < line.milliseconds < 1000


def test_what_is_no_network_is_told_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "none.onnx"
    path.write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"none\.onnx") as told:
        roofline_of(path, 1)
    assert "\n" not in str(told.value)
