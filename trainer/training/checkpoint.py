"""Checkpoints: safetensors files with the run's configuration in the header, written atomically."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from pymaf_live.errors import InputError
from pymaf_live.system.atomic_write import atomic_write
from trainer.data.locations import landmark_file
from trainer.importers.start_weights import is_published, read_start_weights
from trainer.training.config import RunConfig, read_run_config
from trainer.training.exported_weights import read_exported_weights
from trainer.training.optimizer import RelativeAdam

_MODEL, _AVERAGE, _OPTIMIZER = "model.", "average.", "optimiser."
"""Prefixes of a checkpoint's tensor names."""

_OLD_NAMES = (
    (re.compile(rf"^({_MODEL}|{_AVERAGE}|{_OPTIMIZER})(trust|direction)\."), r"\1ik.\2."),
    (re.compile(rf"^({_MODEL}|{_AVERAGE}|{_OPTIMIZER})pulls\."), r"\1ik.steps."),
    (re.compile(r"(\.ik\.(?:direction|steps)\.[\d.]+)picture(?=\.|$)"), r"\1image"),
)
"""Patterns of tensor names in earlier checkpoints, and their replacements."""


@dataclass(frozen=True)
class Progress:
    """Progress of a run."""

    step: int
    config: str
    """Text of the run's configuration file."""
    seconds: float = 0.0
    """Training time so far."""


def save_checkpoint(
    path: Path, model: nn.Module, average: nn.Module, optimizer: RelativeAdam, progress: Progress
) -> None:
    """Write model, average and optimizer state; the old file stays until the new one is complete.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    tensors = {f"{_MODEL}{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"{_AVERAGE}{name}": value for name, value in average.state_dict().items()}
    for name, parameter in model.named_parameters():
        for key, value in optimizer.state.get(parameter, {}).items():
            tensors[f"{_OPTIMIZER}{name}.{key}"] = value
    copies = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    header = {"progress": json.dumps(asdict(progress))}
    with atomic_write(path) as temporary:
        # safetensors' own file writer does not distinguish a full disk from a bad tensor
        temporary.write_bytes(save(copies, metadata=header))


def remove_partial_files(path: Path) -> None:
    """Remove temporary files that a kill while saving left beside a checkpoint."""
    for partial in path.parent.glob(f".{path.stem}.*.part{path.suffix}"):
        partial.unlink(missing_ok=True)


def load_checkpoint(
    path: Path, model: nn.Module, average: nn.Module, optimizer: RelativeAdam, config: str
) -> Progress:
    """Read a checkpoint of the same configuration and return its progress.

    Raises
    ------
    InputError
        If the file is damaged or of another configuration.
    """
    tensors, progress = _read(path)
    if progress.config != config:
        raise InputError(f"{path} is of another configuration; choose another --out folder")
    _fill(path, model, tensors, _MODEL)
    _fill(path, average, tensors, _AVERAGE)
    for name, parameter in model.named_parameters():
        prefix = f"{_OPTIMIZER}{name}."
        state = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        if state:
            optimizer.state[parameter] = {
                key: _like(parameter, value) for key, value in state.items()
            }
    return progress


def _like(parameter: Tensor, value: Tensor) -> Tensor:
    if value.ndim == 0:
        # the step count is read on the CPU
        return value.clone()
    if value.shape != parameter.shape:
        return value.to(parameter.device)
    # moments take the parameter's own memory layout
    return torch.empty_like(parameter).copy_(value)


def load_average(path: Path, model: nn.Module) -> Progress:
    """Fill a model with a checkpoint's averaged weights.

    Raises
    ------
    InputError
        If the file is damaged or of another network.
    """
    tensors, progress = _read(path)
    _fill(path, model, tensors, _AVERAGE)
    return progress


@dataclass(frozen=True)
class PartialLoad:
    """Difference between a model and the checkpoint that it was filled from."""

    missing: list[str]
    """Tensors of the model that the checkpoint lacks; they keep their values."""
    unused: list[str]
    """Tensors of the checkpoint that the model lacks; they were not taken over."""

    def messages(self, path: Path) -> list[str]:
        """Return a line for each kind of difference, with the names of all layers."""
        lines = []
        if self.missing:
            count, layers = len(self.missing), _layers(self.missing)
            lines.append(f"{path} lacks {count} tensors, which start untrained: {layers}")
        if self.unused:
            count, layers = len(self.unused), _layers(self.unused)
            lines.append(f"{path}: {count} tensors are not in this network, not used: {layers}")
        return lines


def load_matching(path: Path, model: nn.Module) -> PartialLoad:
    """Fill a model with averaged weights as far as the networks match.

    The weights are a checkpoint's, or those of an exported ONNX file.

    Weights that others published (ImageNet's ResNet-50, PyMAF's checkpoint) are renamed.

    Parts that only one of the networks has, such as an added or a removed head, are left as they
    are and listed.

    Raises
    ------
    InputError
        If the file is damaged, or of a network whose parts have other sizes or other names.
    """
    stored = read_start_weights(path) if is_published(path) else read_average(path)[0]
    own = model.state_dict()
    # constants such as the image's mean, which all networks have, do not count
    if not stored.keys() & dict(model.named_parameters()).keys():
        raise InputError(f"{path} is of another network: they have no weights in common")
    for name, value in stored.items():
        if name in own and own[name].shape != value.shape:
            sizes = f"{tuple(value.shape)}, not {tuple(own[name].shape)}"
            raise InputError(f"{path} is of another network: {name} is {sizes}")
    model.load_state_dict(stored, strict=False)
    return PartialLoad(sorted(own.keys() - stored.keys()), sorted(stored.keys() - own.keys()))


def read_average(path: Path) -> tuple[dict[str, Tensor], Progress]:
    """Read averaged weights by name, of a checkpoint or an exported ONNX file.

    Raises
    ------
    InputError
        If the file is damaged, or exported without its training weights.
    """
    if path.suffix == ".onnx":
        weights, config = read_exported_weights(path)
        return weights, Progress(0, config)
    tensors, progress = _read(path)
    averages = {
        name.removeprefix(_AVERAGE): value
        for name, value in tensors.items()
        if name.startswith(_AVERAGE)
    }
    return averages, progress


def _layers(names: Sequence[str]) -> str:
    return ", ".join(sorted({name.rpartition(".")[0] or name for name in names}))


def extract_average(path: Path, out: Path) -> None:
    """Write only the averaged weights of a checkpoint, a quarter of its size, for `load_average`.

    `path` may also be an exported ONNX file.

    Raises
    ------
    InputError
        If the file is damaged.
    OutputError
        If `out` cannot be written.
    """
    averages, progress = read_average(path)
    _write_average(out, {f"{_AVERAGE}{name}": value for name, value in averages.items()}, progress)


def save_average(out: Path, model: nn.Module, progress: Progress) -> None:
    """Write a model as the averaged weights of a run.

    Raises
    ------
    OutputError
        If `out` cannot be written.
    """
    tensors = {
        f"{_AVERAGE}{name}": value.contiguous() for name, value in model.state_dict().items()
    }
    _write_average(out, tensors, progress)


def _write_average(out: Path, tensors: dict[str, Tensor], progress: Progress) -> None:
    with atomic_write(out) as temporary:
        temporary.write_bytes(save(tensors, metadata={"progress": json.dumps(asdict(progress))}))


def read_progress(path: Path) -> Progress:
    """Return the progress of a checkpoint's run, and with it the configuration.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    return _read(path, tensors=False)[1]


def read_checkpoint_config(path: Path) -> RunConfig:
    """Return the configuration of a checkpoint's run.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    return read_run_config(read_progress(path).config, str(path))


def checkpoint_landmark_file(path: Path, folder: Path) -> Path | None:
    """Return the BlazePose file of a checkpoint's encoder, None for encoders of other kinds.

    Raises
    ------
    InputError
        If the checkpoint is damaged.
    """
    return landmark_file(read_checkpoint_config(path).network.encoder, folder)


def current_name(name: str) -> str:
    """Return the current name of a tensor that an earlier checkpoint may call otherwise."""
    for pattern, replacement in _OLD_NAMES:
        name = pattern.sub(replacement, name)
    return name


def _read(path: Path, *, tensors: bool = True) -> tuple[dict[str, Tensor], Progress]:
    try:
        with safe_open(path, framework="pt") as file:
            progress = json.loads((file.metadata() or {})["progress"])
            names = file.keys() if tensors else ()
            found = {current_name(name): file.get_tensor(name) for name in names}
            seconds = float(progress.get("seconds", 0.0))
            return found, Progress(int(progress["step"]), str(progress["config"]), seconds)
    except (OSError, SafetensorError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is not a complete checkpoint: {error}") from error


def _fill(path: Path, module: nn.Module, tensors: dict[str, Tensor], prefix: str) -> None:
    values = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
    try:
        module.load_state_dict(values)
    except RuntimeError as error:
        first = str(error).splitlines()[0]
        raise InputError(f"{path} is of another network: {first}") from error
