"""Batches made beside the training: by a thread, or by processes where a GPU would wait.

Whoever makes a batch, its crops hang on the seed and their places in the run alone.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from dataclasses import fields

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from pymaf_live.errors import PymafLiveError
from trainer.training.datasets import Draws, Recipe
from trainer.training.distributed import Ranks
from trainer.training.losses import Labels
from trainer.training.schedule import Schedule

Batch = dict[str, Tensor]
"""`image` (B, S, S, 3) uint8 and the fields of `Labels`."""

_AHEAD = 3
"""Batches that wait, at most, of each maker."""


class _Batches(Dataset[Batch | PymafLiveError]):
    """A process's share of each step's batch."""

    def __init__(self, recipe: Recipe, ranks: Ranks, batch: int) -> None:
        self._recipe, self._ranks, self._batch = recipe, ranks, batch
        self._draws: Draws | None = None

    def __getitem__(self, step: int) -> Batch | PymafLiveError:
        # opened where it is used: open files cannot be handed to another process
        try:
            self._draws = self._draws or self._recipe.open()
            places = self._ranks.share(step, self._batch)
            return _stacked([self._draws.sample(place) for place in places])
        except PymafLiveError as error:
            # an exception that crosses processes comes out as a traceback
            return error


def batches(recipe: Recipe, ranks: Ranks, schedule: Schedule, first: int) -> Iterator[Batch]:
    """The share that this process has of every step's batch, from step `first` to the last.

    Raises
    ------
    PymafLiveError
        What went wrong while a batch was made, when its turn comes.
    """
    made, steps = _Batches(recipe, ranks, schedule.batch), range(first, schedule.steps)
    if schedule.workers:
        found: Iterator[Batch | PymafLiveError] = iter(
            DataLoader(
                made,
                batch_size=None,
                sampler=steps,
                num_workers=schedule.workers,
                prefetch_factor=_AHEAD,
                # a fork would copy the threads' locks of OpenCV and torch as they happen to stand
                multiprocessing_context="spawn",
                worker_init_fn=_lean,
                pin_memory=ranks.device.startswith("cuda"),
            )
        )
    else:
        found = _by_thread(made, steps)
    for batch in found:
        if isinstance(batch, PymafLiveError):
            raise batch
        yield batch


def on_device(batch: Batch, device: str) -> tuple[Tensor, Labels]:
    """Crops (B, 3, S, S) in 0..1 and their labels."""
    moved = {name: part.to(device, non_blocking=True) for name, part in batch.items()}
    # NHWC in memory, as channels_last wants it
    image = moved.pop("image").permute(0, 3, 1, 2).float() / 255
    return image, Labels(**moved)


def _stacked(samples: list[object]) -> Batch:
    def stack(name: str) -> np.ndarray:
        return np.stack([np.asarray(getattr(sample, name)) for sample in samples])

    labels = {
        field.name: torch.from_numpy(stack(field.name).astype(np.float32))
        for field in fields(Labels)
    }
    return {"image": torch.from_numpy(stack("image")), **labels}


def _by_thread(made: _Batches, steps: range) -> Iterator[Batch | PymafLiveError]:
    """OpenCV lets go of Python's lock, so a thread is enough beside a slow training."""
    waiting: queue.Queue[Batch | BaseException] = queue.Queue(maxsize=_AHEAD)
    done = threading.Event()

    def work() -> None:
        for step in steps:
            if done.is_set():
                return
            try:
                item: Batch | BaseException = made[step]
            except BaseException as error:
                item = error
            while not done.is_set():
                try:
                    waiting.put(item, timeout=1.0)
                    break
                except queue.Full:
                    continue

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        for _ in steps:
            item = waiting.get()
            if isinstance(item, BaseException) and not isinstance(item, PymafLiveError):
                raise item
            yield item
    finally:
        done.set()


def _lean(_: int) -> None:
    cv2.setNumThreads(1)
