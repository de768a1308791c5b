"""Data-parallel training with processes started by ``torchrun``; one process alone also works.

The gradients equal those of one process with the whole batch: every process draws its share of a
step's samples, every mean over known values is divided by their number in all shares, and only
dropout differs. Batch norm statistics are shared on GPUs (`SyncBatchNorm`) and per process on CPUs,
where torch cannot share them.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, distributed, nn

from pymaf_live.errors import UsageError


@dataclass(frozen=True)
class DistributedContext:
    """Part of one process in the training."""

    rank: int
    world_size: int
    device: str
    """Torch's name of this process's device."""

    @property
    def is_main(self) -> bool:
        """True for the process that writes files and logs."""
        return self.rank == 0

    def sample_indices(self, step: int, batch: int) -> range:
        """Return the sample indices that this process draws for a step."""
        size = batch // self.world_size
        first = step * batch + self.rank * size
        return range(first, first + size)

    def wrap(self, module: nn.Module) -> nn.Module:
        """Return the module whose backward pass averages the gradients of all processes."""
        if self.world_size == 1:
            return module
        if self.device.startswith("cuda"):
            shared = nn.SyncBatchNorm.convert_sync_batchnorm(module)  # type: ignore[no-untyped-call]
            module = cast(nn.Module, shared)
        with warnings.catch_warnings():
            # the recommended replacement is not in every supported version of torch
            warnings.filterwarnings("ignore", message="`broadcast_buffers`")
            # a frozen encoder takes no part in a step; the body's constants need no broadcast
            return nn.parallel.DistributedDataParallel(
                module, find_unused_parameters=True, broadcast_buffers=False
            )

    def maximum(self, *numbers: float) -> list[float]:
        """Return each number's maximum over the processes, so that all decide alike."""
        if self.world_size == 1:
            return list(numbers)
        shared = torch.tensor(numbers, dtype=torch.float64, device=self.device)
        distributed.all_reduce(shared, distributed.ReduceOp.MAX)
        maxima: list[float] = shared.tolist()
        return maxima

    def mean(self, values: dict[str, Tensor]) -> dict[str, float]:
        """Return the mean of each value over the processes."""
        stacked = torch.stack([value.detach().float() for value in values.values()])
        if self.world_size > 1:
            distributed.all_reduce(stacked)
        return dict(zip(values, (stacked / self.world_size).tolist(), strict=True))


@contextmanager
def distributed_context(device: str, batch: int) -> Iterator[DistributedContext]:
    """Join the processes that ``torchrun`` started, or train alone without it.

    Parameters
    ----------
    device : str
        ``cuda``: each process uses its own GPU.
    batch : int
        Images of a step over all processes.

    Raises
    ------
    UsageError
        If the batch cannot be divided evenly or the device is missing.
    """
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    if batch % world_size:
        raise UsageError(f"a batch of {batch} cannot be shared by {world_size} processes")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise UsageError(f"there is no {device} here; choose --device cpu")
    if world_size == 1:
        yield DistributedContext(0, 1, device)
        return
    if device == "cuda":
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    if device.startswith("cuda"):
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield DistributedContext(distributed.get_rank(), world_size, device)
    finally:
        distributed.destroy_process_group()


def mean_over_known(values: Tensor, weights: Tensor) -> Tensor:
    """Return the sum of the weighted values, divided by the number of known ones.

    A value is known if its weight is above 0. Weights are absolute: values that all weigh 0.02
    contribute a fiftieth of values that all weigh 1. (Divided by the sum of the weights, as in a
    weighted mean, any common factor of the weights would cancel.) Nothing known yields 0.

    With several processes the number is over all of them, so that the mean of the processes'
    results, and of their gradients, equals that of one process. Every process must call this
    equally often.

    Parameters
    ----------
    values, weights : tensors of one shape

    Returns
    -------
    () tensor
    """
    return mean_over(values, weights, (weights > 0).sum())


def mean_over(values: Tensor, weights: Tensor, count: Tensor) -> Tensor:
    """Return the sum of the weighted values, divided by a count; a count of 0 yields 0.

    With several processes the count is summed over all of them, as in `mean_over_known`.

    Parameters
    ----------
    values, weights : tensors of one shape
    count : () tensor
        Number of values that this process's mean is over.

    Returns
    -------
    () tensor
    """
    count = count.to(values.dtype, copy=True)
    if not (distributed.is_available() and distributed.is_initialized()):
        return (values * weights).sum() / count.clamp(min=1.0)
    distributed.all_reduce(count)
    return (values * weights).sum() / (count.clamp(min=1.0) / distributed.get_world_size())
