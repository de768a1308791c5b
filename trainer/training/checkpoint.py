"""Checkpoints: safetensors with the run's configuration in the header, written whole."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from pymaf_live.errors import InputError
from pymaf_live.system.atomic_write import atomic_write
from trainer.training.optimizer import RelativeAdam


@dataclass(frozen=True)
class Progress:
    """How far a run has come."""

    step: int
    config: str
    """The run's configuration file, as text."""
    seconds: float = 0.0
    """Time trained so far."""


def save_checkpoint(
    path: Path, model: nn.Module, average: nn.Module, optimiser: RelativeAdam, progress: Progress
) -> None:
    """Write model, average and the optimiser's state; the old file stays until the new stands."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"average.{name}": value for name, value in average.state_dict().items()}
    for name, parameter in model.named_parameters():
        for key, value in optimiser.state.get(parameter, {}).items():
            tensors[f"optimiser.{name}.{key}"] = value
    whole = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    header = {"progress": json.dumps(asdict(progress))}
    with atomic_write(path) as temporary:
        # not by safetensors' own writer, whose errors do not tell a full disk from a bad tensor
        temporary.write_bytes(save(whole, metadata=header))


def discard_halves(path: Path) -> None:
    """Remove what a kill in the middle of saving left beside a checkpoint."""
    for half in path.parent.glob(f".{path.stem}.*.part{path.suffix}"):
        half.unlink(missing_ok=True)


def load_checkpoint(
    path: Path, model: nn.Module, average: nn.Module, optimiser: RelativeAdam, config: str
) -> Progress:
    """Read a checkpoint of the same configuration; returns where to go on from.

    Raises
    ------
    InputError
        If the file is broken or of another configuration.
    """
    tensors, progress = _read(path)
    if progress.config != config:
        raise InputError(f"{path} is of another configuration; choose another --out folder")
    _fill(path, model, tensors, "model.")
    _fill(path, average, tensors, "average.")
    for name, parameter in model.named_parameters():
        prefix = f"optimiser.{name}."
        state = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        if state:
            optimiser.state[parameter] = {
                key: _like(parameter, value) for key, value in state.items()
            }
    return progress


def _like(parameter: Tensor, value: Tensor) -> Tensor:
    if value.ndim == 0:
        # the count of steps is read by the CPU
        return value.clone()
    if value.shape != parameter.shape:
        return value.to(parameter.device)
    # the moments take the parameter's own memory layout
    return torch.empty_like(parameter).copy_(value)


def load_average(path: Path, model: nn.Module) -> Progress:
    """Fill a model with a checkpoint's averaged weights.

    Raises
    ------
    InputError
        If the file is broken or of another network.
    """
    tensors, progress = _read(path)
    _fill(path, model, tensors, "average.")
    return progress


def start_from(path: Path, model: nn.Module) -> list[str]:
    """Fill a model with a checkpoint's averaged weights, as far as it has them.

    Parts that the checkpoint's network has not (a head added since) stay as they are.

    Returns
    -------
    list of str
        Names of the tensors that the checkpoint does not have.

    Raises
    ------
    InputError
        If the file is broken, or of a network whose parts have other sizes or other names.
    """
    tensors, _ = _read(path)
    given = {
        name.removeprefix("average."): value
        for name, value in tensors.items()
        if name.startswith("average.")
    }
    own = model.state_dict()
    if not own.keys() & given.keys():
        raise InputError(f"{path} is of another network: it has no tensor of this one")
    for name, value in given.items():
        if name in own and own[name].shape != value.shape:
            sizes = f"{tuple(value.shape)}, not {tuple(own[name].shape)}"
            raise InputError(f"{path} is of another network: {name} is {sizes}")
    model.load_state_dict(given, strict=False)
    return sorted(own.keys() - given.keys())


def write_average(path: Path, out: Path) -> None:
    """Write what `load_average` reads of a checkpoint and no more: a quarter of its size.

    Raises
    ------
    InputError
        If the file is broken.
    OutputError
        If `out` cannot be written.
    """
    tensors, progress = _read(path)
    _write_average(
        out,
        {name: value for name, value in tensors.items() if name.startswith("average.")},
        progress,
    )


def save_average(out: Path, model: nn.Module, progress: Progress) -> None:
    """Write a model as the averaged weights of a run.

    Raises
    ------
    OutputError
        If `out` cannot be written.
    """
    kept = {f"average.{name}": value.contiguous() for name, value in model.state_dict().items()}
    _write_average(out, kept, progress)


def _write_average(out: Path, tensors: dict[str, Tensor], progress: Progress) -> None:
    with atomic_write(out) as temporary:
        temporary.write_bytes(save(tensors, metadata={"progress": json.dumps(asdict(progress))}))


def read_progress(path: Path) -> Progress:
    """How far a checkpoint's run has come, and its configuration."""
    return _read(path, tensors=False)[1]


def _read(path: Path, *, tensors: bool = True) -> tuple[dict[str, Tensor], Progress]:
    try:
        with safe_open(path, framework="pt") as file:
            progress = json.loads((file.metadata() or {})["progress"])
            found = {name: file.get_tensor(name) for name in file.keys()} if tensors else {}  # noqa: SIM118
            seconds = float(progress.get("seconds", 0.0))
            return found, Progress(int(progress["step"]), str(progress["config"]), seconds)
    except (OSError, SafetensorError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is not a whole checkpoint: {error}") from error


def _fill(path: Path, module: nn.Module, tensors: dict[str, Tensor], prefix: str) -> None:
    values = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
    try:
        module.load_state_dict(values)
    except RuntimeError as error:
        first = str(error).splitlines()[0]
        raise InputError(f"{path} is of another network: {first}") from error
