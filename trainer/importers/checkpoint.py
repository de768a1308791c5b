"""PyMAF's published checkpoint: its tensors, and their mapping onto our network.

The checkpoint holds tensors under `model`: the encoder, each level's point features
(`maf_extractor`) and regressor, and buffers (mean parameters, the grid, the mesh's downsampling,
SMPL's own arrays), which must agree with the files given beside it.
"""

from __future__ import annotations

import math
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from pymaf_live.body import Body
from pymaf_live.errors import InputError
from pymaf_live.types import Array
from trainer.importers.published import PublishedPyMAF, Sizes

TOLERANCE = 1e-4
"""Largest difference between a checkpoint's buffer and the same values in a file."""
_LISTED_NAMES = 4
"""Names of missing or unknown tensors in an error message."""

_ENCODER = re.compile(r"(?:feature_extractor\.)?((?:conv1|bn1|layer[1-4]|deconv_layers)\..+)")
_POINTS = re.compile(r"maf_extractor\.(\d+)\.conv(\d+)\.(weight|bias)")
_REGRESSOR = re.compile(r"regressor\.(\d+)\.((?:fc1|fc2|decpose|decshape|deccam)\.(?:weight|bias))")
_START = {"init_pose": "start_pose", "init_shape": "start_shape", "init_cam": "start_camera"}
_MEAN = {"start_pose": "pose", "start_shape": "shape", "start_camera": "cam"}
_START_BUFFER = re.compile(r"regressor\.(\d+)\.(init_pose|init_shape|init_cam)")
REDUCTION = re.compile(r"maf_extractor\.\d+\.Dmap")
"""Name of a buffer with the mesh's downsampling."""
_BODY = re.compile(r"regressor\.\d+\.smpl\.(.+)")
_UNUSED = re.compile(r"dp_head\.|points_grid$|fp_grid$|feature_extractor\.fc\.")
"""Tensors for training only, or that repeat other parts of the network."""


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint; nothing in the file is executed.

    Raises
    ------
    InputError
        If the file is missing, damaged, or holds anything but tensors.
    """
    import numpy._core.multiarray as multiarray

    # scores are stored beside the weights as NumPy scalars
    safe: list[Any] = [
        multiarray.scalar,
        np.dtype,
        np.dtypes.Float64DType,
        np.dtypes.Float32DType,
    ]
    try:
        with torch.serialization.safe_globals(safe):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise InputError(f"there is no checkpoint {path}") from error
    except Exception as error:
        # torch reports damage and forbidden content by many types of errors
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        reason = f"it holds {named[1]}" if named else (str(error).splitlines() or ["damaged"])[0]
        raise InputError(f"{path} is not a checkpoint of weights alone: {reason}") from error
    tensors = content.get("model", content) if isinstance(content, dict) else None
    if not isinstance(tensors, dict) or not tensors:
        raise InputError(f"{path} has no weights under `model`")
    others = [str(name) for name, value in tensors.items() if not isinstance(value, Tensor)]
    if others:
        raise InputError(f"{path} has more than tensors under `model`: {_list_names(others)}")
    return {
        str(name).removeprefix("module."): value.detach().float()
        if value.is_floating_point()
        else value
        for name, value in tensors.items()
    }


def build_network(
    weights: Mapping[str, Tensor],
    body: Body,
    reduction: csr_matrix,
    pose_directions: Array,
    mean: Path | None,
    source: Path,
) -> PublishedPyMAF:
    """Return the network with a checkpoint's weights, with every name and shape accounted for.

    Parameters
    ----------
    weights : mapping of str to Tensor
        From `read_weights`.
    body : Body
    reduction : (P, V) sparse matrix
        From the mesh to the sampled points.
    pose_directions : (V, 3, 9 (J - 1)) array
    mean : Path, optional
        npz of the mean pose, shape and camera, for a checkpoint without them.
    source : Path
        The checkpoint, for errors.

    Raises
    ------
    InputError
        If tensors are missing, unknown or of another shape, with their names.
    """
    mapped = map_names(weights, source)
    _fill_start(mapped, mean, source)
    grid = weights.get("points_grid")
    model = PublishedPyMAF(_sizes(mapped, source), body, reduction, pose_directions)
    if grid is not None and not _is_same_grid(grid, model.grid):
        raise InputError(f"{source}: its points_grid is in another order than PyMAF's")
    expected = model.state_dict()
    missing = [n for n in expected if n not in mapped and not _is_own(n)]
    if missing:
        raise InputError(f"{source} lacks layers of PyMAF, by our names: {_list_names(missing)}")
    unknown = [mapped[n][0] for n in mapped if n not in expected]
    if unknown:
        raise InputError(f"{source} has layers that PyMAF has not: {_list_names(unknown)}")
    state = {}
    for own, (name, value) in mapped.items():
        if value.numel() == expected[own].numel() and own in _MEAN:
            value = value.reshape(expected[own].shape)
        if value.shape != expected[own].shape:
            sizes = f"{tuple(value.shape)}, not {tuple(expected[own].shape)}"
            raise InputError(f"{source}: {name} is {sizes}")
        if not torch.isfinite(value).all():
            raise InputError(f"{source}: {name} has values that are not finite")
        state[own] = value
    model.load_state_dict(state, strict=False)
    return model.eval()


def map_names(weights: Mapping[str, Tensor], source: Path) -> dict[str, tuple[str, Tensor]]:
    """Return the checkpoint's names and tensors by our names.

    Raises
    ------
    InputError
        If there are unknown tensors, or its levels start differently.
    """
    mapped: dict[str, tuple[str, Tensor]] = {}
    unknown = []
    for name, value in weights.items():
        own = _own_name(name)
        if own is None:
            unknown.append(name)
        elif own:
            other = mapped.setdefault(own, (name, value))[1]
            if own in _MEAN and not torch.allclose(other, value, atol=TOLERANCE):
                raise InputError(f"{source}: its levels start from different {_MEAN[own]}s")
    if unknown:
        raise InputError(f"{source} has layers that PyMAF has not: {_list_names(unknown)}")
    return mapped


def check_body(weights: Mapping[str, Tensor], template: Array, source: Path, smpl: Path) -> None:
    """Check that SMPL's mesh in a checkpoint, if there is one, is that of the body file.

    Raises
    ------
    InputError
        If it is another mesh.
    """
    for name, value in weights.items():
        match = _BODY.fullmatch(name)
        if match is None or match[1] != "v_template":
            continue
        mesh = value.numpy()
        if mesh.shape != template.shape:
            raise InputError(
                f"{smpl} has {len(template)} vertices, the checkpoint {source} was trained with a "
                f"body of {len(mesh)}"
            )
        if np.abs(mesh - template).max() > TOLERANCE:
            raise InputError(
                f"{smpl} is another body than the checkpoint {source} was trained with"
            )


def _own_name(name: str) -> str | None:
    """Return our name of a tensor, "" if it is used elsewhere, None if it is unknown."""
    if match := _POINTS.fullmatch(name):
        return f"points.{match[1]}.layers.{match[2]}.{match[3]}"
    if match := _REGRESSOR.fullmatch(name):
        return f"regressors.{match[1]}.{match[2]}"
    if match := _START_BUFFER.fullmatch(name):
        return _START[match[2]]
    if REDUCTION.fullmatch(name) or _BODY.fullmatch(name) or _UNUSED.match(name):
        return ""
    if match := _ENCODER.fullmatch(name):
        return f"encoder.{match[1]}"
    return None


def _is_same_grid(published: Tensor, ours: Tensor) -> bool:
    """Compare a grid (1, 2, N) as published with one of ours (1, N, 2)."""
    transposed = published.transpose(-1, -2)
    return transposed.shape == ours.shape and torch.allclose(transposed, ours, atol=1e-5)


def _is_own(name: str) -> bool:
    # normalisation is part of our encoder; batches are counted only while training
    return name in ("encoder.mean", "encoder.std") or name.endswith("num_batches_tracked")


def _sizes(mapped: Mapping[str, tuple[str, Tensor]], source: Path) -> Sizes:
    def rows(name: str) -> int:
        if name not in mapped:
            raise InputError(f"{source} lacks layers of PyMAF, by our names: {name}")
        return int(mapped[name][1].shape[0])

    levels = len({name.split(".")[1] for name in mapped if name.startswith("regressors.")})
    layers = len({n.split(".")[3] for n in mapped if n.startswith("points.0.layers.")})
    widths = [rows(f"points.0.layers.{layer}.bias") for layer in range(max(layers, 1))]
    hidden = rows("regressors.0.fc1.bias")
    estimate = sum(rows(f"regressors.0.{head}.bias") for head in ("decpose", "decshape", "deccam"))
    first = mapped["regressors.0.fc1.weight"][1] if "regressors.0.fc1.weight" in mapped else None
    if first is None or first.ndim != 2:
        raise InputError(f"{source} lacks layers of PyMAF, by our names: regressors.0.fc1.weight")
    grid = math.isqrt(max(int(first.shape[1]) - estimate, 0) // widths[-1])
    if not 1 <= levels <= 3 or not 1 <= grid <= 256:
        raise InputError(f"{source} has {levels} levels and a grid of {grid}, not PyMAF's")
    return Sizes(levels, grid, tuple(widths[:-1]), widths[-1], hidden)


def _fill_start(mapped: dict[str, tuple[str, Tensor]], mean: Path | None, source: Path) -> None:
    """Add the mean parameters of a file if the checkpoint has none; otherwise compare them."""
    if mean is None:
        missing = [key for own, key in _MEAN.items() if own not in mapped]
        if missing:
            raise InputError(
                f"{source} has no mean {', '.join(missing)}: give the file with --mean"
            )
        return
    try:
        with np.load(mean, allow_pickle=False) as file:
            stored = {own: np.asarray(file[key], np.float32) for own, key in _MEAN.items()}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{mean} is not a file of mean parameters: {error}") from error
    for own, values in stored.items():
        tensor = torch.from_numpy(values.reshape(1, -1))
        if own not in mapped:
            mapped[own] = (f"{_MEAN[own]} of {mean}", tensor)
        elif mapped[own][1].numel() != tensor.numel() or not torch.allclose(
            mapped[own][1].reshape(1, -1), tensor, atol=TOLERANCE
        ):
            raise InputError(f"the mean {_MEAN[own]} of {mean} differs from that of {source}")


def _list_names(names: list[str]) -> str:
    more = f" and {len(names) - _LISTED_NAMES} more" if len(names) > _LISTED_NAMES else ""
    return ", ".join(name[:80] for name in names[:_LISTED_NAMES]) + more
