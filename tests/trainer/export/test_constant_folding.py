"""Tests of constant folding: exported graphs shrink, and their outputs stay the same."""

import numpy as np
import onnx
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from pymaf_live.body import default_body  # noqa: E402
from trainer.export.constant_folding import fold_constants  # noqa: E402
from trainer.export.onnx import trace_model  # noqa: E402
from trainer.network.config import NetworkConfig  # noqa: E402
from trainer.network.estimates import InitialEstimate  # noqa: E402
from trainer.network.kinematic_chain import KinematicChain  # noqa: E402
from trainer.network.pymaf import PyMAF  # noqa: E402


class JointByJointChain(torch.nn.Module):
    """Straightforward forward kinematics: from the root outwards, one joint at a time."""

    def __init__(self, chain: KinematicChain, parents):
        super().__init__()
        self.bones, self.rotations, self.joints = chain.bones, chain.rotations, chain.joints
        self.parents = [int(parent) for parent in parents]

    def forward(self, columns, bones):
        turned, bone = self.rotations(columns), bones.reshape(-1, self.joints + 1, 4, 4)
        world, place = [], []
        for joint, parent in enumerate(self.parents):
            step = bone[:, joint, 3, :3]
            if parent < 0:
                world.append(turned[:, joint])
                place.append(step.expand(len(turned), -1))
            else:
                world.append(torch.matmul(world[parent], turned[:, joint]))
                place.append(place[parent] + torch.matmul(world[parent], step[..., None])[..., 0])
        eye = torch.eye(3).expand(len(turned), 1, 3, 3)
        rows = torch.cat([torch.stack(world, 1).transpose(-1, -2), eye], 1)
        last = torch.cat([torch.stack(place, 1), torch.zeros(len(turned), 1, 3)], 1)
        frames = torch.cat([rows, last[:, :, None]], 2)
        ones = torch.tensor([0.0, 0, 0, 1])[:, None].expand(*frames.shape[:2], 4, 1)
        return torch.cat([frames, ones], -1)


@pytest.fixture(scope="module")
def network(blazepose):
    body = default_body()
    torch.manual_seed(0)
    config = NetworkConfig(
        encoder="blazepose_lite", landmarks=True, heatmaps=True, joint_limits=True, activation=True,
        hidden=16, feature_width=8, ik_steps=(1, 1, 4),
    )  # fmt: skip
    model = PyMAF(
        config, body, InitialEstimate.upright(body), blazepose / "pose_landmark_lite.tflite"
    )
    return model.eval()


def test_graph_is_a_third_of_the_unfolded_trace_with_the_same_output(network):
    folded_model = fold_constants(trace_model(network, all_levels=True))
    original, network.body.chain = (
        network.body.chain,
        JointByJointChain(network.body.chain, default_body().parents),
    )
    image = np.random.default_rng(0).random((2, 3, 256, 256), dtype=np.float32)
    try:
        plain = trace_model(network, all_levels=True)
        with torch.no_grad():
            expected = network(torch.from_numpy(image)).levels[-1]
    finally:
        network.body.chain = original
    print(f"{len(folded_model.graph.node)} nodes of {len(plain.graph.node)}")
    assert len(folded_model.graph.node) <= len(plain.graph.node) / 3
    assert {opset.version for opset in folded_model.opset_import} == {17}
    onnx.checker.check_model(folded_model, full_check=True)
    rotations, shape, camera, *_ = outputs_of(folded_model, image)
    np.testing.assert_allclose(rotations, expected.rotations, atol=2e-4)
    np.testing.assert_allclose(shape, expected.shape, atol=2e-4)
    np.testing.assert_allclose(camera, expected.camera, atol=2e-4)


def outputs_of(model, image):
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"image": image})


def test_equal_constants_and_expressions_are_merged():
    def constant(name):
        return numpy_helper.from_array(np.arange(6, dtype=np.float32), name)

    nodes = [
        helper.make_node("Add", ["first", "second"], ["sum"]),
        helper.make_node("Mul", ["image", "first"], ["a"]),
        helper.make_node("Mul", ["image", "second"], ["b"]),
        helper.make_node("Add", ["a", "b"], ["c"]),
        helper.make_node("Add", ["c", "sum"], ["out"]),
    ]
    image, out = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 6])
        for name in ("image", "out")
    )
    graph = helper.make_graph(
        nodes, "small", [image], [out], [constant("first"), constant("second")]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    folded_model = fold_constants(model)
    assert sorted(node.op_type for node in folded_model.graph.node) == ["Add", "Add", "Mul"]
    image = np.random.default_rng(0).random((2, 6), dtype=np.float32)
    folded_output, output = (outputs_of(one, image)[0] for one in (folded_model, model))
    np.testing.assert_allclose(folded_output, output, atol=1e-6)
