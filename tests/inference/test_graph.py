"""The graphs of the shipped models hold what hangs on the picture, and no more."""

import numpy as np
import onnx
import pytest

from pymaf_live.body import default_body
from pymaf_live.inference import open_session
from pymaf_live.resources import resource

MOST_NODES = {"lite": 1800, "full": 1900}
"""Traced plainly, joint by joint, they had 8,434 and 8,977."""


@pytest.fixture(scope="module", params=sorted(MOST_NODES))
def name(request):
    return request.param


@pytest.fixture(scope="module")
def graph(name):
    return onnx.load(resource(f"models/{name}.onnx")).graph


def test_nodes_are_few(name, graph):
    print(f"{name}: {len(graph.node)} nodes")
    assert len(graph.node) <= MOST_NODES[name]


def test_nothing_is_worked_out_anew_that_is_the_same_for_every_picture(graph):
    """So the mean start is precomputed, batch norm folded, and no shape is calculated."""
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


def test_only_the_vertices_that_are_read_are_skinned(graph):
    body = default_body()
    sizes = {extent for tensor in graph.initializer for extent in tensor.dims}
    assert len(body.sample_vertices) in sizes
    assert len(body.template) not in sizes


def test_people_in_one_batch_are_told_as_they_are_alone(name):
    pytest.importorskip("onnxruntime")
    # OpenVINO runs people one by one: it says nothing of the graph's own batch
    session = open_session(resource(f"models/{name}.onnx"), "onnxruntime", threads=1)
    size = session.metadata.input_size
    images = np.random.default_rng(0).random((3, 3, size, size), dtype=np.float32)
    together = session.run(images)
    for person, image in enumerate(images):
        for level, alone in zip(together[person], session.run(image[None])[0], strict=True):
            np.testing.assert_allclose(level.rotations, alone.rotations, atol=2e-4)
            np.testing.assert_allclose(level.camera, alone.camera, atol=2e-4)
    session.close()
