"""Encoder outputs computed once and trained on many times.

An encoder takes most of a training step (three quarters for `lite`, nine tenths for `full`). While
it is frozen, its output for a crop does not change, so a run that keeps it frozen computes the
outputs of a fixed number of augmented crops first, keeps them on the disk, and then trains on
shuffled epochs of them.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pymaf_live.errors import OutputError, UsageError
from pymaf_live.system.atomic_write import atomic_write, make_folder
from pymaf_live.system.reporter import Reporter, report_each
from trainer.network.encoder import Encoder, EncoderOutput
from trainer.training.batches import Batch, batches, to_device
from trainer.training.datasets import DatasetSpec
from trainer.training.distributed import DistributedContext
from trainer.training.losses import Labels

_STATE = "state.json"
_MAP = "map_{}"
_LABEL = "label_{}"
_POINTS = ("points", "world", "visibility")
_STATE_EVERY = 20
"""Batches."""
_SPARE_BYTES = 2**30
"""Space that is left free on the disk."""


@dataclass(frozen=True)
class CachedCrops:
    """Encoder outputs and labels of N crops on the disk.

    Attributes
    ----------
    arrays : mapping of str to array
        Memory-mapped, N rows each; the maps in fp16.
    seed : int
        Of the epochs' order.
    """

    arrays: Mapping[str, npt.NDArray[Any]]
    seed: int

    def __len__(self) -> int:
        return len(self.arrays["summary"])

    def read(self, step: int, batch: int, device: str) -> tuple[EncoderOutput, Labels]:
        """Return the batch of a step; every crop is drawn once before any is drawn again."""
        drawn = range(step * batch, (step + 1) * batch)
        rows = np.array([self._order(index // len(self))[index % len(self)] for index in drawn])
        values = {name: _rows(array, rows).to(device) for name, array in self.arrays.items()}
        maps = [values[_MAP.format(level)] for level in range(_map_count(values))]
        encoded = EncoderOutput(
            maps=[one.contiguous(memory_format=torch.channels_last) for one in maps],
            summary=values["summary"],
            **{name: values[name] for name in _POINTS if name in values},
        )
        labels = {field.name: values[_LABEL.format(field.name)] for field in fields(Labels)}
        return encoded, Labels(**labels)

    def _order(self, epoch: int) -> npt.NDArray[np.int64]:
        return np.random.default_rng([self.seed, epoch]).permutation(len(self))


def cached_inputs(
    folder: Path,
    encoder: Encoder,
    spec: DatasetSpec,
    context: DistributedContext,
    first: int,
    reporter: Reporter,
) -> Iterator[tuple[EncoderOutput, Labels]]:
    """Compute missing encoder outputs, and return those of every step from `first` on with labels.

    Parameters
    ----------
    folder : Path
        Of the outputs; those of another encoder, other data or another augmentation are replaced.
    encoder : Encoder
    spec : DatasetSpec
    context : DistributedContext
    first : int
        Step.
    reporter : Reporter

    Raises
    ------
    UsageError
        If several processes train.
    OutputError
        If the disk is too small or cannot be written.
    """
    if context.world_size > 1:
        raise UsageError("cached_images is for one process; train without it, or with one process")

    def crops(step: int) -> Iterator[Batch]:
        return batches(spec, context, schedule.model_copy(update={"images": count}), step)

    schedule = spec.config.schedule
    count = schedule.cached_crops
    cache = CachedCrops(_encoder_outputs(folder, encoder, spec, crops, reporter), schedule.seed)
    return (
        cache.read(step, schedule.batch, context.device) for step in range(first, schedule.steps)
    )


def _encoder_outputs(
    folder: Path,
    encoder: Encoder,
    spec: DatasetSpec,
    crops: Callable[[int], Iterator[Batch]],
    reporter: Reporter,
) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of a folder, filled."""
    state, schedule = folder / _STATE, spec.config.schedule
    count, batch = schedule.cached_crops, schedule.batch
    key = _key(encoder, spec)
    done = _finished_crops(state, key)
    arrays = _open_arrays(folder, count) if done else {}
    if not arrays:
        done = 0
        shutil.rmtree(folder, ignore_errors=True)
        make_folder(folder)
    device = next(encoder.parameters()).device
    steps = range(done // batch, count // batch)
    made = crops(steps.start)
    for step in report_each(steps, reporter, "encoder outputs"):
        rows = _encode(encoder, next(made), str(device))
        if not arrays:
            arrays = _create_arrays(folder, rows, count)
        for name, values in rows.items():
            arrays[name][step * batch : (step + 1) * batch] = values
        if step % _STATE_EVERY == _STATE_EVERY - 1 or step == steps[-1]:
            _save_state(state, key, (step + 1) * batch, sorted(arrays))
    return arrays


@torch.no_grad()
def _encode(encoder: Encoder, batch: Batch, device: str) -> dict[str, npt.NDArray[Any]]:
    image, labels = to_device(batch, device)
    encoded = encoder(image)
    rows: dict[str, npt.NDArray[Any]] = {"summary": encoded.summary.cpu().numpy()}
    for level, one in enumerate(encoded.maps):
        rows[_MAP.format(level)] = _half(one)
    for name in _POINTS:
        part = getattr(encoded, name)
        if part is not None:
            rows[name] = part.cpu().numpy()
    for field in fields(Labels):
        rows[_LABEL.format(field.name)] = getattr(labels, field.name).cpu().numpy()
    return rows


def _half(values: Tensor) -> npt.NDArray[np.float16]:
    limit = float(np.finfo(np.float16).max)
    return values.clamp(-limit, limit).half().contiguous().cpu().numpy()


def _rows(array: npt.NDArray[Any], rows: npt.NDArray[np.int64]) -> Tensor:
    return torch.from_numpy(np.asarray(array[rows], dtype=np.float32))


def _map_count(values: Mapping[str, object]) -> int:
    return sum(name.startswith(_MAP.format("")) for name in values)


def _key(encoder: Encoder, spec: DatasetSpec) -> str:
    """Return a digest of what the outputs depend on: weights, data and augmentation."""
    config = spec.config
    content = {
        "data": [spec.locations.resolve_set(one).model_dump_json() for one in config.data],
        "augmentation": config.augmentation.model_dump_json(),
        "network": [config.network.encoder, config.network.heatmaps, config.network.crop_rule],
        "schedule": [config.schedule.cached_crops, config.schedule.batch, config.schedule.seed],
    }
    digest = hashlib.sha256(json.dumps(content).encode())
    for name, value in encoder.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _finished_crops(state: Path, key: str) -> int:
    try:
        content = json.loads(state.read_text(encoding="utf-8"))
        return int(content["crops"]) if content["key"] == key else 0
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _save_state(state: Path, key: str, crops: int, names: list[str]) -> None:
    content = {"key": key, "crops": crops, "arrays": names}
    with atomic_write(state) as temporary:
        temporary.write_text(json.dumps(content), encoding="utf-8")


def _create_arrays(
    folder: Path, rows: Mapping[str, npt.NDArray[Any]], count: int
) -> dict[str, npt.NDArray[Any]]:
    size = sum(one.nbytes // len(one) for one in rows.values()) * count
    free = shutil.disk_usage(folder).free
    if size + _SPARE_BYTES > free:
        raise OutputError(
            f"{folder}: {count} encoder outputs take {size / 2**30:.1f} GiB, "
            f"{free / 2**30:.1f} GiB are free; lower cached_images"
        )
    return {
        name: np.lib.format.open_memmap(
            folder / f"{name}.npy", mode="w+", dtype=one.dtype, shape=(count, *one.shape[1:])
        )
        for name, one in rows.items()
    }


def _open_arrays(folder: Path, count: int) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of `count` rows in a folder; none if one is missing or damaged."""
    arrays: dict[str, npt.NDArray[Any]] = {}
    names = json.loads((folder / _STATE).read_text(encoding="utf-8")).get("arrays", [])
    try:
        for name in filter(str.isidentifier, names):
            arrays[name] = np.lib.format.open_memmap(folder / f"{name}.npy", mode="r+")
    except (OSError, ValueError):
        return {}
    return arrays if all(len(one) == count for one in arrays.values()) else {}
