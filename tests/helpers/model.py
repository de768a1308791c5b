"""Small ONNX model that keeps the network's contract, for tests without the trained one.

It locates a bright figure in front of a dark background: the pose is always the same (upright,
T-pose, facing the camera), its position in the crop is the centre of brightness, and its score
grows with contrast, so that an empty image contains no person. `expected` computes the same in
NumPy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from pymaf_live.body import Body, PointSet

SCALE = 0.62
"""Camera scale s: a 1.6 m figure fills half of the crop, as by the crop rule."""

SCORE_GAIN = 6.0
"""Score per standard deviation of brightness, clipped at 1."""

UPRIGHT = np.diag([1.0, -1.0, -1.0])
"""Root rotation of a person who stands upright and faces the camera (camera frame: y down)."""


def figure_center(body: Body) -> npt.NDArray[np.float64]:
    """Return the centre (2,) of the box of the upright figure's 'lsp' key points, metres."""
    rotations = np.tile(np.eye(3), (body.joint_count, 1, 1))
    rotations[0] = UPRIGHT
    points = PointSet.keypoints(body, "lsp").pose(rotations, np.zeros(body.shape_count))[:, :2]
    return np.asarray((points.min(axis=0) + points.max(axis=0)) / 2, dtype=np.float64)


def expected(
    images: npt.NDArray[np.float32], body: Body
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the camera (B, 3) and score (B,) that the model computes for images (B, 3, S, S)."""
    grey = images.astype(np.float64).mean(axis=1)
    size = grey.shape[-1]
    units = (np.arange(size) + 0.5) * 2 / size - 1
    total = grey.sum(axis=(1, 2)) + 1e-3
    centre = np.stack([(grey * units).sum((1, 2)), (grey * units[:, None]).sum((1, 2))], 1)
    shift = centre / total[:, None] / SCALE - figure_center(body)
    camera = np.column_stack([np.full(len(grey), SCALE), shift])
    return camera, np.minimum(SCORE_GAIN * grey.std(axis=(1, 2)), 1.0)


def fake_metadata(body: Body, size: int = 256, levels: int = 1) -> dict[str, str]:
    """Return the metadata of a valid model."""
    return {
        "name": "fake",
        "version": "0",
        "input_size": str(size),
        "crop_rule": "trunk-up 1.75",
        "joint_names": ",".join(body.joint_names),
        "body_sha256": body.sha256,
        "config_sha256": "0" * 64,
        "licence": "Apache-2.0",
        "levels": str(levels),
    }


def _initializers(body: Body, size: int) -> list[onnx.TensorProto]:
    rotations = np.tile(np.eye(3), (body.joint_count, 1, 1))
    rotations[0] = UPRIGHT
    units = (np.arange(size) + 0.5) * 2 / size - 1
    shift = -figure_center(body)
    constants = {
        "across": units[None, None, None, :],
        "down": units[None, None, :, None],
        "least": np.array(1e-3),
        "one": np.array(1.0),
        "zero": np.array(0.0),
        "gain": np.array(SCORE_GAIN),
        "middle_x": np.array(shift[0]),
        "middle_y": np.array(shift[1]),
        "pose": rotations[None],
        "flat": np.zeros((1, body.shape_count)),
        "each": np.ones((1, body.joint_count)),
    }
    indices = {"column": [-1, 1], "planes": [2, 3]}
    return [
        numpy_helper.from_array(np.asarray(value, dtype=np.float32), name)
        for name, value in constants.items()
    ] + [
        numpy_helper.from_array(np.array(value, dtype=np.int64), name)
        for name, value in indices.items()
    ]


def _shared_nodes() -> list[onnx.NodeProto]:
    """Return the nodes of the brightness centre, the scores, the pose and the shape."""
    node = helper.make_node
    nodes = [
        node("ReduceMean", ["image"], ["grey"], axes=[1], keepdims=1),
        node("ReduceSum", ["grey", "planes"], ["sum"], keepdims=1),
        node("Add", ["sum", "least"], ["total"]),
    ]
    for axis, grid in (("x", "across"), ("y", "down")):
        nodes += [
            node("Mul", ["grey", grid], [f"m{axis}"]),
            node("ReduceSum", [f"m{axis}", "planes"], [f"s{axis}"], keepdims=1),
            node("Div", [f"s{axis}", "total"], [f"c{axis}"]),
            node("Reshape", [f"c{axis}", "column"], [f"centre_{axis}"]),
        ]
    nodes += [
        node("ReduceMean", ["grey"], ["mean"], axes=[2, 3], keepdims=1),
        node("Sub", ["grey", "mean"], ["off"]),
        node("Mul", ["off", "off"], ["square"]),
        node("ReduceMean", ["square"], ["variance"], axes=[2, 3], keepdims=1),
        node("Sqrt", ["variance"], ["spread"]),
        node("Mul", ["spread", "gain"], ["raw_score"]),
        node("Clip", ["raw_score", "zero", "one"], ["clipped"]),
        node("Reshape", ["clipped", "column"], ["score"]),
        node("Mul", ["score", "each"], ["joint_score"]),
        # adding zero times a batched tensor gives constant outputs the dynamic batch size
        node("Mul", ["clipped", "zero"], ["nothing"]),
        node("Add", ["nothing", "pose"], ["rotations"]),
        node("Mul", ["score", "zero"], ["none"]),
        node("Add", ["none", "flat"], ["shape"]),
    ]
    return nodes


def _camera_nodes(end: str) -> list[onnx.NodeProto]:
    """Return the nodes of one level's camera; `end` is the suffix of its names."""
    node = helper.make_node
    return [
        node("Add", ["none", f"scale{end}"], [f"s{end}"]),
        node("Div", ["centre_x", f"scale{end}"], [f"u{end}"]),
        node("Div", ["centre_y", f"scale{end}"], [f"v{end}"]),
        node("Add", [f"u{end}", "middle_x"], [f"tx{end}"]),
        node("Add", [f"v{end}", "middle_y"], [f"ty{end}"]),
        node("Concat", [f"s{end}", f"tx{end}", f"ty{end}"], [f"camera{end}"], axis=1),
    ]


def write_fake_model(
    path: Path,
    body: Body,
    size: int = 256,
    *,
    levels: int = 1,
    metadata: Mapping[str, str | None] | None = None,
    without: Sequence[str] = (),
    fill: float | None = None,
    say_sizes: bool = True,
) -> Path:
    """Write the model.

    Parameters
    ----------
    path : Path
    body : Body
    size : int
        Side of the input in pixels.
    levels : int
        Number of levels; all estimate the same, the coarser ones with a smaller scale.
    metadata : mapping, optional
        Entries that replace the valid ones; None removes an entry.
    without : sequence of str
        Outputs to omit, for a model that breaks the contract.
    fill : float, optional
        Value of the camera output instead, such as NaN.
    say_sizes : bool
        State the sizes of the outputs; some exporters leave them open.
    """
    joints, shapes = body.joint_count, body.shape_count
    initializers, nodes = _initializers(body, size), _shared_nodes()
    sizes: dict[str, list[int]] = {}
    for level in range(1, levels + 1):
        # coarsest first; the outputs of the finest level have no number
        end = "" if level == levels else f"_{level}"
        scale = SCALE * (1 - 0.1 * (levels - level)) if fill is None else fill
        initializers.append(
            numpy_helper.from_array(np.array(scale, dtype=np.float32), f"scale{end}")
        )
        nodes += _camera_nodes(end)
        if end:
            copied = ("rotations", "shape")
            nodes += [helper.make_node("Identity", [name], [f"{name}{end}"]) for name in copied]
        sizes |= {
            f"rotations{end}": [joints, 3, 3],
            f"shape{end}": [shapes],
            f"camera{end}": [3],
        }
    # scores belong to the finest level only
    sizes |= {"score": [1], "joint_score": [joints]}
    outputs = [
        helper.make_tensor_value_info(
            name,
            TensorProto.FLOAT,
            ["B", *rest] if say_sizes else ["B", *(f"{name}_{k}" for k in range(len(rest)))],
        )
        for name, rest in sizes.items()
        if name not in without
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["B", 3, size, size])
    graph = helper.make_graph(nodes, "fake", [image], outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    entries = {**fake_metadata(body, size, levels), **(metadata or {})}
    helper.set_model_props(model, {k: v for k, v in entries.items() if v is not None})
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path
