"""Training weights in an exported ONNX file, so that training can start from a bundled model.

Constant folding leaves most parameters as initializers of their own name. Of the others, those
that it only transposed are found by their values; the few small ones that it computed with (weights
of the IK steps) are stored in the file's metadata. The folded first layer at level 0 keeps only its
sum over the initial estimate, which is constant: the weights are read back as zeros there, with the
sum in the bias, which is the same function.
"""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from pymaf_live.errors import InputError, ModelError
from pymaf_live.inference.stored_weights import unpack_weights
from trainer.network.pymaf import PyMAF
from trainer.network.regressor import Regressor

METADATA_KEY = "training"
"""Key of the ONNX file's metadata: JSON of the run's configuration, names and small parameters."""

_MAX_STORED = 4096
"""Values; a larger parameter must be found among the initializers."""
_PREFIX = "model."
_NOT_EXPORTED = ("encoder.graph.", "auxiliary.")
"""Parameters that may be of an output that the exported graph does not compute."""

Arrays = Mapping[str, npt.NDArray[Any]]


@torch.no_grad()
def with_folded_start(model: PyMAF) -> PyMAF:
    """Return a copy whose level 0 has the constant contribution of its initial estimate as bias."""
    other = copy.deepcopy(model)
    first = other.regressors[0]
    assert isinstance(first, Regressor)
    start = torch.cat([other.start_pose, other.start_shape, other.start_camera], dim=-1)
    weight = first.fc1.weight[:, -start.shape[1] :]
    first.fc1.bias.add_(weight @ start[0])
    weight.zero_()
    return other


def training_metadata(model: PyMAF, initializers: Arrays, config: str) -> str:
    """Return the metadata entry by which `read_exported_weights` finds every parameter.

    Parameters
    ----------
    model : PyMAF
        From `with_folded_start`, with the exported weights.
    initializers : mapping of str to array
        Of the exported graph.
    config : str
        Text of the run's configuration.

    Raises
    ------
    ModelError
        If a large parameter is not in the graph.
    """
    names: dict[str, list[Any]] = {}
    stored: dict[str, list[Any]] = {}
    for name, tensor in model.state_dict().items():
        values = tensor.detach().numpy()
        found = _find(f"{_PREFIX}{name}", values, initializers)
        if found is not None:
            names[name] = [*found, list(values.shape)]
        elif values.size <= _MAX_STORED:
            content = base64.b64encode(values.astype("<f4").tobytes()).decode()
            stored[name] = [content, list(values.shape)]
        elif not name.startswith(_NOT_EXPORTED):
            raise ModelError(f"the exported graph does not hold the parameter {name}")
    return json.dumps({"config": config, "names": names, "stored": stored})


def _find(own: str, values: npt.NDArray[Any], initializers: Arrays) -> tuple[str, bool] | None:
    """Return an initializer's name and True if it is transposed, without unused columns."""
    same = initializers.get(own)
    if same is not None and np.array_equal(same, values):
        return own, False
    if values.ndim not in (2, 3) or values.size < 2:
        return None
    matrix = values.reshape(len(values), -1)
    used = int(np.flatnonzero(matrix.any(axis=0)).max(initial=-1)) + 1
    for name, one in initializers.items():
        if one.shape == (used, len(matrix)) and np.array_equal(one.T, matrix[:, :used]):
            return name, True
    return None


def read_exported_weights(path: Path) -> tuple[dict[str, Tensor], str]:
    """Read the training weights of an exported file.

    Parameters
    ----------
    path : Path
        ONNX file.

    Returns
    -------
    weights : dict of str to Tensor
        By the names of the network's tensors.
    config : str
        Text of the exported run's configuration.

    Raises
    ------
    InputError
        If the file is damaged or was exported without its training weights.
    """
    import onnx
    from onnx import numpy_helper

    try:
        graph = onnx.load(path)
        entry = {item.key: item.value for item in graph.metadata_props}.get(METADATA_KEY)
        unpack_weights(graph)
        arrays = {one.name: numpy_helper.to_array(one) for one in graph.graph.initializer}
    # protobuf's and onnx's exceptions have no common base class
    except Exception as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path} is not an ONNX file: {first}") from error
    if entry is None:
        raise InputError(
            f"{path} has no weights to train from; export it again with `python -m trainer export`"
        )
    try:
        content = json.loads(entry)
        weights = {
            name: _as_stored(arrays[source], shape, transposed=transposed)
            for name, (source, transposed, shape) in content["names"].items()
        }
        for name, (text, shape) in content["stored"].items():
            values = np.frombuffer(base64.b64decode(text), "<f4").reshape(shape)
            weights[name] = torch.tensor(values)
        return weights, str(content["config"])
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        raise InputError(f"{path} has damaged training weights: {error}") from error


def _as_stored(values: npt.NDArray[Any], shape: list[int], *, transposed: bool) -> Tensor:
    tensor = torch.tensor(values.astype(np.float32))
    if transposed:
        missing = int(np.prod(shape[1:])) - len(tensor)
        tensor = nn.functional.pad(tensor.T, (0, missing))
    return tensor.reshape(shape).contiguous()
