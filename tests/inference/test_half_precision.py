"""The fp16 graph computes the same as the f32 one, including GridSample."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pymaf_live.diagnostics.backend_check import mean_vertex_error
from pymaf_live.inference.half_precision import LAST_OPSET, read_model, to_half_precision
from pymaf_live.inference.onnxruntime_engine import OnnxRuntimeEngine
from pymaf_live.inference.preprocess import network_input
from pymaf_live.inference.session import Session
from pymaf_live.pipeline.model_selection import shipped_models
from pymaf_live.resources import resource

onnxruntime = pytest.importorskip("onnxruntime")


def sampling_model(size: int = 8) -> onnx.ModelProto:
    """Return two convolutions, then bilinear sampling of their map at points between the cells."""
    random = np.random.default_rng(1)

    def weights(name: str, *shape: int) -> onnx.TensorProto:
        return numpy_helper.from_array(random.normal(size=shape).astype(np.float32), name)

    node = helper.make_node
    limits = [
        numpy_helper.from_array(np.array([k], np.int64), name)
        for name, k in (("from", 0), ("to", 2), ("axis", 1))
    ]
    graph = helper.make_graph(
        [
            node("Conv", ["image", "w1"], ["a"], pads=[1, 1, 1, 1]),
            node("Relu", ["a"], ["b"]),
            node("Conv", ["b", "w2"], ["map"], pads=[1, 1, 1, 1]),
            # the sampling points come from the image, as they come from the network in real models
            node("Slice", ["image", "from", "to", "axis"], ["pairs"]),
            node("Transpose", ["pairs"], ["points"], perm=[0, 2, 3, 1]),
            node("GridSample", ["map", "points"], ["found"], mode="bilinear", align_corners=1),
        ],
        "sampling",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["B", 3, size, size])],
        [helper.make_tensor_value_info("found", TensorProto.FLOAT, ["B", 2, size, size])],
        [
            weights("w1", 4, 3, 3, 3),
            weights("w2", 2, 4, 3, 3),
            *limits,
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def run(model: onnx.ModelProto, image: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return np.asarray(session.run(None, {"image": image})[0])


def test_sampling_stays_bilinear_in_fp16() -> None:
    model = sampling_model()
    half = to_half_precision(model)
    image = np.random.default_rng(0).random((1, 3, 8, 8), dtype=np.float32)
    true = run(model, image)
    nearest = sampling_model()
    (mode,) = (a for a in nearest.graph.node[-1].attribute if a.name == "mode")
    mode.s = b"nearest"
    error = np.abs(run(half, image) - true).max()
    assert error < 0.02
    # nearest sampling would exceed the bound
    assert np.abs(run(nearest, image) - true).max() > 10 * error


def test_convolutions_run_in_fp16_and_sampling_in_f32() -> None:
    typed = onnx.shape_inference.infer_shapes(to_half_precision(sampling_model())).graph
    types = {v.name: v.type.tensor_type.elem_type for v in [*typed.value_info, *typed.output]}
    types |= {t.name: t.data_type for t in typed.initializer}
    by_kind = {
        node.op_type: [types[name] for name in (*node.input, *node.output) if name in types]
        for node in typed.node
    }
    assert set(by_kind["Conv"]) == {TensorProto.FLOAT16}
    assert set(by_kind["GridSample"]) == {TensorProto.FLOAT}


def test_a_graph_without_convolutions_is_unchanged() -> None:
    graph = helper.make_graph(
        [helper.make_node("Neg", ["image"], ["found"])],
        "plain",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3])],
        [helper.make_tensor_value_info("found", TensorProto.FLOAT, [1, 3])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    assert [node.op_type for node in to_half_precision(model).graph.node] == ["Neg"]


def test_weights_beyond_the_range_of_fp16_stay_f32() -> None:
    model = sampling_model()
    big = numpy_helper.to_array(model.graph.initializer[1]) * 1e6
    model.graph.initializer[1].CopyFrom(numpy_helper.from_array(big, "w2"))
    image = np.random.default_rng(0).random((1, 3, 8, 8), dtype=np.float32)
    true = run(model, image)
    assert np.abs(run(to_half_precision(model), image) - true).max() < 0.01 * np.abs(true).max()


@pytest.mark.parametrize("name", ["lite", "full"])
def test_bodies_of_the_shipped_models_move_by_millimetres_at_most(
    name: str, tmp_path: Path
) -> None:
    path = shipped_models()[name]
    model = read_model(path)
    assert model.opset_import[0].version <= LAST_OPSET
    assert any(node.op_type == "GatherND" for node in model.graph.node)
    half = tmp_path / "half.onnx"
    onnx.save(to_half_precision(model), half)
    crops = demo_crops(2, int(next(p.value for p in model.metadata_props if p.key == "input_size")))
    true, found = (Session(OnnxRuntimeEngine(p, 1)).run(crops) for p in (path, half))
    errors = [mean_vertex_error(a[-1], b[-1]) for a, b in zip(true, found, strict=True)]
    assert np.mean(errors) < 3.0
    assert max(errors) < 10.0


def demo_crops(count: int, size: int) -> np.ndarray:
    """Return central squares of demo frames: they show people, though not cut by the crop rule."""
    import cv2

    from pymaf_live.sources import open_source

    source = open_source(str(resource("demo.mp4")))
    crops = []
    for frame in source.frames():
        if frame.index % 40 == 0:
            height, width = frame.image.shape[:2]
            left = (width - height) // 2
            square = frame.image[:, left : left + height]
            crops.append(cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA))
        if len(crops) == count:
            break
    source.close()
    return network_input(np.stack(crops))
