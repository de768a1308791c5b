"""Models whose graph could take memory or time without limit are refused unopened."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pymaf_live.body import default_body
from pymaf_live.errors import ModelError
from pymaf_live.inference.onnx_graph import require_bounded_graph
from pymaf_live.pipeline.model_selection import shipped_models
from tests.helpers.model import write_fake_model
from tests.helpers.paths import SHARED


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> onnx.ModelProto:
    folder = tmp_path_factory.mktemp("model")
    return onnx.load(write_fake_model(folder / "fake.onnx", default_body()))


def with_huge_constant(model: onnx.ModelProto) -> None:
    shape = numpy_helper.from_array(np.array([2_000_000_000], np.int64), "size")
    model.graph.initializer.append(shape)
    model.graph.node.append(helper.make_node("ConstantOfShape", ["size"], ["huge"]))


def with_huge_shape_in_two_dimensions(model: onnx.ModelProto) -> None:
    shape = helper.make_tensor("size", TensorProto.INT64, [2], [100_000, 100_000])
    model.graph.node.append(helper.make_node("Constant", [], ["size"], value=shape))
    model.graph.node.append(helper.make_node("Expand", ["zero", "size"], ["huge"]))


def with_branch(model: onnx.ModelProto) -> None:
    then = helper.make_graph([], "then", [], [])
    node = helper.make_node("If", ["x"], ["y"], then_branch=then, else_branch=then)
    model.graph.node.append(node)


def with_function(model: onnx.ModelProto) -> None:
    model.functions.append(onnx.FunctionProto(name="f"))


def with_weights_elsewhere(model: onnx.ModelProto) -> None:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4])
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"
    model.graph.initializer.append(tensor)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (with_huge_constant, "larger than any image"),
        (with_huge_shape_in_two_dimensions, "larger than any image"),
        (with_branch, "loops or branches"),
        (with_function, "functions"),
        (with_weights_elsewhere, "another file"),
    ],
)
def test_such_models_are_refused(
    model: onnx.ModelProto, tmp_path: Path, change: Callable[[onnx.ModelProto], None], says: str
) -> None:
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    path = tmp_path / "a.onnx"
    path.write_bytes(changed.SerializeToString())
    require_bounded_graph(path)
    change(changed)
    path.write_bytes(changed.SerializeToString())
    with pytest.raises(ModelError, match=says) as caught:
        require_bounded_graph(path)
    assert "\n" not in str(caught.value)


def test_shipped_models_are_accepted() -> None:
    for path in shipped_models().values():
        require_bounded_graph(path)


@pytest.mark.parametrize("name", ["onnx_constant_8GB.onnx", "onnx_endless_loop.onnx"])
def test_hostile_models_are_refused(name: str) -> None:
    path = SHARED / "cases" / "hostile" / name
    if not path.exists():
        pytest.skip(f"{path} is not there")
    with pytest.raises(ModelError, match="does not fit"):
        require_bounded_graph(path)


def test_damaged_files_raise_no_other_error(model: onnx.ModelProto, tmp_path: Path) -> None:
    content = model.SerializeToString()
    random = np.random.default_rng(0)
    path = tmp_path / "a.onnx"
    for _ in range(200):
        damaged = bytearray(content[: random.integers(1, len(content))])
        damaged[random.integers(0, len(damaged))] ^= int(random.integers(1, 256))
        path.write_bytes(damaged)
        with suppress(ModelError):  # anything else fails the test
            require_bounded_graph(path)
