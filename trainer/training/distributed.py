"""Several processes that train one network, started by ``torchrun``; a lone process is one of one.

The gradients are those of one process that had the whole batch: every process draws its share of a
step's places, every weighted mean is divided by the weights of all shares, and dropout alone
differs. Statistics of batch norm are shared on GPUs (`SyncBatchNorm`) and each process's own on
CPUs, where torch cannot share them.
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
class Ranks:
    """Which of the processes this is."""

    rank: int
    world: int
    device: str
    """Torch's name of this process's device."""

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and speaks."""
        return self.rank == 0

    def share(self, step: int, batch: int) -> range:
        """The places of the run that this process draws for a step."""
        size = batch // self.world
        first = step * batch + self.rank * size
        return range(first, first + size)

    def wrapped(self, learner: nn.Module) -> nn.Module:
        """The module whose backward pass averages the gradients of all processes."""
        if self.world == 1:
            return learner
        if self.device.startswith("cuda"):
            shared = nn.SyncBatchNorm.convert_sync_batchnorm(learner)  # type: ignore[no-untyped-call]
            learner = cast(nn.Module, shared)
        with warnings.catch_warnings():
            # what torch advises instead is not in every version that serves here
            warnings.filterwarnings("ignore", message="`broadcast_buffers`")
            # a frozen encoder takes no part in a step; the body's constants need no broadcast
            return nn.parallel.DistributedDataParallel(
                learner, find_unused_parameters=True, broadcast_buffers=False
            )

    def largest(self, *numbers: float) -> list[float]:
        """Each number's largest value over the processes, so that all decide alike."""
        if self.world == 1:
            return list(numbers)
        shared = torch.tensor(numbers, dtype=torch.float64, device=self.device)
        distributed.all_reduce(shared, distributed.ReduceOp.MAX)
        found: list[float] = shared.tolist()
        return found

    def mean(self, values: dict[str, Tensor]) -> dict[str, float]:
        """Mean of each value over the processes."""
        stacked = torch.stack([value.detach().float() for value in values.values()])
        if self.world > 1:
            distributed.all_reduce(stacked)
        return dict(zip(values, (stacked / self.world).tolist(), strict=True))


@contextmanager
def joined(device: str, batch: int) -> Iterator[Ranks]:
    """Join the processes that ``torchrun`` started; alone where it did not start this one.

    Parameters
    ----------
    device : str
        ``cuda`` stands for each process's own GPU.
    batch : int
        Pictures of a step over all processes.

    Raises
    ------
    UsageError
        If the batch cannot be shared evenly or the device is not there.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if batch % world:
        raise UsageError(f"a batch of {batch} cannot be shared by {world} processes")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise UsageError(f"there is no {device} here; choose --device cpu")
    if world == 1:
        yield Ranks(0, 1, device)
        return
    if device == "cuda":
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    if device.startswith("cuda"):
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield Ranks(distributed.get_rank(), world, device)
    finally:
        distributed.destroy_process_group()


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """Mean of values by weights; at least a weight of 1 is counted.

    With several processes the weights of all are counted, so that the mean of the processes'
    results, and of their gradients, is what one process would have had. Every process must call
    this equally often.
    """
    total = weights.sum()
    if not (distributed.is_available() and distributed.is_initialized()):
        return (values * weights).sum() / total.clamp(min=1.0)
    total = total.detach().clone()
    distributed.all_reduce(total)
    return (values * weights).sum() / (total.clamp(min=1.0) / distributed.get_world_size())
