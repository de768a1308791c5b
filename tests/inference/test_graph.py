"""The graphs of the shipped models contain only operations that depend on the image."""

import numpy as np
import onnx
import pytest

from pymaf_live.body import default_body
from pymaf_live.inference import open_session
from pymaf_live.resources import resource

MAX_NODES = {"lite": 1910, "full": 2020}
"""A naive trace, joint by joint, had 8,434 and 8,977."""


@pytest.fixture(scope="module", params=sorted(MAX_NODES))
def name(request):
    return request.param


@pytest.fixture(scope="module")
def graph(name):
    return onnx.load(resource(f"models/{name}.onnx")).graph


def test_graphs_are_small(name, graph):
    print(f"{name}: {len(graph.node)} nodes")
    assert len(graph.node) <= MAX_NODES[name]


def test_everything_that_does_not_depend_on_the_image_is_precomputed(graph):
    """The mean start is precomputed, batch norm folded, and no shape is computed."""
    seen = {"image"}
    for node in graph.node:
        if seen.isdisjoint(node.input):
            assert node.op_type == "Cast", f"{node.name} is constant"
        else:
            seen.update(node.output)
    kinds = {node.op_type for node in graph.node}
    assert not kinds & {
        "Shape", "Size", "ConstantOfShape", "Expand", "Constant", "Identity",
        "BatchNormalization", "Loop", "Scan", "If",
    }  # fmt: skip


def test_only_sampled_vertices_are_skinned(graph):
    body = default_body()
    sizes = {extent for tensor in graph.initializer for extent in tensor.dims}
    assert len(body.sample_vertices) in sizes
    assert len(body.template) not in sizes


def test_estimates_do_not_depend_on_the_batch(name):
    pytest.importorskip("onnxruntime")
    # OpenVINO runs people one by one, which would not test the graph's own batch
    session = open_session(resource(f"models/{name}.onnx"), "onnxruntime", threads=1)
    size = session.metadata.input_size
    images = np.random.default_rng(0).random((3, 3, size, size), dtype=np.float32)
    batch = session.run(images)
    for person, image in enumerate(images):
        for level, single in zip(batch[person], session.run(image[None])[0], strict=True):
            np.testing.assert_allclose(level.rotations, single.rotations, atol=2e-4)
            np.testing.assert_allclose(level.camera, single.camera, atol=2e-4)
    session.close()
