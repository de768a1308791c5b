"""Batches made in parallel with training: by a thread, or by processes if a GPU would wait.

A crop depends only on the seed and its sample index, not on the thread or process that makes it.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import fields

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from pymaf_live.errors import PymafLiveError
from pymaf_live.system.exit_hooks import NativeThread
from trainer.training.datasets import DatasetSpec, SampleStream
from trainer.training.distributed import DistributedContext
from trainer.training.losses import Labels
from trainer.training.schedule import Schedule

Batch = dict[str, Tensor]
"""`image` (B, S, S, 3) uint8 and the fields of `Labels`."""

_PREFETCH = 3
"""Largest number of finished batches per maker."""


class _Batches(Dataset[Batch | PymafLiveError]):
    """One process's share of each step's batch."""

    def __init__(self, spec: DatasetSpec, context: DistributedContext, batch: int) -> None:
        self._spec, self._context, self._batch = spec, context, batch
        self._stream: SampleStream | None = None

    def __getitem__(self, step: int) -> Batch | PymafLiveError:
        # opened where it is used: open files cannot be handed to another process
        try:
            self._stream = self._stream or self._spec.open()
            indices = self._context.sample_indices(step, self._batch)
            return _stack([self._stream.sample(index) for index in indices])
        except PymafLiveError as error:
            # returned, since an exception that crosses processes becomes a traceback
            return error


def batches(
    spec: DatasetSpec,
    context: DistributedContext,
    schedule: Schedule,
    first: int,
    save: Callable[[], None] = lambda: None,
) -> Iterator[Batch]:
    """Yield this process's share of every step's batch, from step `first` to the last.

    `save` is called before an error is raised, so that bad data do not lose the progress.

    Raises
    ------
    PymafLiveError
        If a batch cannot be made; raised when the batch is due.
    """
    dataset, steps = _Batches(spec, context, schedule.batch), range(first, schedule.steps)
    if schedule.workers:
        made: Iterator[Batch | PymafLiveError] = iter(
            DataLoader(
                dataset,
                batch_size=None,
                sampler=steps,
                num_workers=schedule.workers,
                prefetch_factor=_PREFETCH,
                # a fork would copy the locks of OpenCV and torch in whatever state they are
                multiprocessing_context="spawn",
                worker_init_fn=_use_one_thread,
                pin_memory=context.device.startswith("cuda"),
            )
        )
    else:
        made = _make_in_thread(dataset, steps)
    try:
        for batch in made:
            if isinstance(batch, PymafLiveError):
                save()
                raise batch
            yield batch
    finally:
        # a thread ends now, not when the last traceback that refers to it is forgotten
        if isinstance(made, Generator):
            made.close()


def to_device(batch: Batch, device: str) -> tuple[Tensor, Labels]:
    """Return crops (B, 3, S, S) in 0..1 and their labels on a device."""
    moved = {name: part.to(device, non_blocking=True) for name, part in batch.items()}
    # NHWC in memory, the layout of channels_last
    image = moved.pop("image").permute(0, 3, 1, 2).float() / 255
    return image, Labels(**moved)


def _stack(samples: list[object]) -> Batch:
    def stack(name: str) -> np.ndarray:
        return np.stack([np.asarray(getattr(sample, name)) for sample in samples])

    labels = {
        field.name: torch.from_numpy(stack(field.name).astype(np.float32))
        for field in fields(Labels)
    }
    return {"image": torch.from_numpy(stack("image")), **labels}


def _make_in_thread(dataset: _Batches, steps: range) -> Iterator[Batch | PymafLiveError]:
    """Make batches in a thread, which is enough beside slow training: OpenCV releases the GIL."""
    finished: queue.Queue[Batch | BaseException] = queue.Queue(maxsize=_PREFETCH)
    stopped = threading.Event()

    def make_batches() -> None:
        for step in steps:
            if stopped.is_set():
                return
            try:
                item: Batch | BaseException = dataset[step]
            except BaseException as error:
                item = error
            while not stopped.is_set():
                try:
                    finished.put(item, timeout=1.0)
                    break
                except queue.Full:
                    continue

    NativeThread("batches", make_batches, stopped.set).start()
    try:
        for _ in steps:
            item = finished.get()
            if isinstance(item, BaseException) and not isinstance(item, PymafLiveError):
                raise item
            yield item
    finally:
        stopped.set()


def _use_one_thread(_: int) -> None:
    cv2.setNumThreads(1)
