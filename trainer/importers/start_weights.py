"""Weights of others that a run may start from: ImageNet's ResNet-50, or PyMAF's checkpoint.

Both come as a PyTorch file of weights alone, or as safetensors without a run's header. A ResNet-50
as torchvision publishes it fills the encoder but its deconvolutions; PyMAF's checkpoint also fills
the point features, regressors and the auxiliary head. Tensors of the mesh are left out: they belong
to the body.
"""

from __future__ import annotations

import re
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from pymaf_live.errors import InputError
from trainer.importers.checkpoint import map_names, read_weights

PYTORCH_SUFFIXES = (".pt", ".pth")

_CLASSIFIER = re.compile(r"fc\.(?:weight|bias)")
"""The classifier of a ResNet-50 for ImageNet."""
_AUXILIARY = re.compile(r"dp_head\.((?:predict_u|predict_v|predict_uv_index)\.(?:weight|bias))")
_START = re.compile(r"start_(?:pose|shape|camera)")


def is_published(path: Path) -> bool:
    """Return True unless a file is a checkpoint of our own runs, which have a header."""
    if path.suffix in PYTORCH_SUFFIXES:
        return True
    try:
        with safe_open(path, framework="pt") as file:
            return "progress" not in (file.metadata() or {})
    except (OSError, SafetensorError):
        return False


def read_start_weights(path: Path) -> dict[str, Tensor]:
    """Return a published file's weights by the names of our network.

    Raises
    ------
    InputError
        If the file is missing or damaged, or has layers that neither network has (named).
    """
    weights = _read_safetensors(path) if path.suffix == ".safetensors" else read_weights(path)
    weights = {name: value for name, value in weights.items() if not _CLASSIFIER.fullmatch(name)}
    mapped = {
        name: value
        for name, (_, value) in map_names(weights, path).items()
        # a run starts from the mean of its own data
        if not _START.fullmatch(name)
    }
    for name, value in weights.items():
        if match := _AUXILIARY.fullmatch(name):
            mapped[f"auxiliary.{match[1]}"] = value
    return mapped


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path} is not a file of weights: {error}") from error
