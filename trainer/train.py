"""The training loop, to be read from top to bottom.

Everything random hangs on the seed and the step, so a run that is killed and resumed goes on as if
nothing had happened. What is validated and kept is the average of the weights over the last steps.
"""

from __future__ import annotations

import copy
import ctypes
import json
import math
import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import cv2
import numpy as np
import torch
from rich.console import Console
from torch import nn

from pymaf_live.atomic import make_folder, written_whole
from pymaf_live.body import load_body
from pymaf_live.errors import PymafLiveError
from trainer.checkpoint import Progress, load_average, load_checkpoint, save_checkpoint
from trainer.data.ccp import read_backgrounds
from trainer.data.crops import FittedCrops, Sample
from trainer.data.lspet import VALIDATION, read_joint_set
from trainer.fit import read_fits
from trainer.losses import Labels, Losses
from trainer.network.pymaf import PyMAF, Start
from trainer.optimiser import RelativeAdam
from trainer.run_config import read_config_file
from trainer.validate import validate


def train(
    config_file: Path,
    *,
    out: Path,
    lspet: Path,
    fits: Path,
    ccp: Path | None = None,
    landmark_file: Path | None = None,
    start: Path | None = None,
    device: str = "cpu",
) -> None:
    """Train a network.

    Parameters
    ----------
    config_file : Path
        A TOML file, see `trainer/configs`.
    out : Path
        Folder of the run: checkpoint, log and a copy of the configuration. A run that is there goes
        on where it stopped.
    lspet, fits : Path
        The packed LSPET set and its fits.
    ccp : Path, optional
        The packed CCP set, for crops without people.
    landmark_file : Path, optional
        BlazePose's .tflite file, for its encoders.
    start : Path, optional
        A checkpoint of the same network whose averaged weights a new run begins with.
    device : str
        Torch's name of it.
    """
    text, config = read_config_file(config_file)
    schedule, console = config.schedule, Console(stderr=True, soft_wrap=True)
    make_folder(out)
    _keep_freed_memory()
    cv2.setNumThreads(1)
    torch.manual_seed(schedule.seed)

    body, joint_set = load_body(), read_joint_set(lspet)
    known = read_fits(fits, len(joint_set))
    rows = len(joint_set) - VALIDATION
    good = np.flatnonzero(known.kept[:rows])
    mean = Start.mean(known.rotations[good], known.shape[good], known.camera[good])
    model = PyMAF(config.network, body, mean, landmark_file).to(device)
    model.encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if schedule.freeze_stem:
        model.encoder.freeze_stem()
    if start is not None:
        load_average(start, model)
        model.rebase(mean)
    average = copy.deepcopy(model).eval()
    losses = Losses(body, config.losses).to(device)
    encoder = [p for p in model.encoder.parameters() if p.requires_grad]
    within = {id(parameter) for parameter in model.encoder.parameters()}
    optimiser = RelativeAdam(
        [
            {"params": encoder, "relative": config.network.encoder != "resnet50"},
            {
                "params": [p for p in model.parameters() if id(p) not in within],
                "weight_decay": schedule.weight_decay,
            },
        ]
    )

    data = FittedCrops(
        joint_set,
        known,
        body,
        model.encoder.size,
        config.augmentation,
        read_backgrounds(ccp) if ccp else None,
    )
    steps = math.ceil(schedule.pictures / schedule.batch)
    frozen_steps = schedule.frozen_pictures // schedule.batch
    validate_every = max(schedule.validate_every // schedule.batch, 1)

    checkpoint, step = out / "checkpoint.safetensors", 0
    if checkpoint.exists():
        step = load_checkpoint(checkpoint, model, average, optimiser, text)
        console.print(f"going on from step {step} of {steps}")
    with written_whole(out / "config.toml") as temporary:
        temporary.write_text(text, encoding="utf-8")

    started, first = time.monotonic(), step
    batches = _prefetched(_batches(data, rows, schedule.batch, schedule.seed, step, steps))
    for batch in batches:
        torch.manual_seed(schedule.seed + step)
        rate = (
            min(1.0, (step + 1) / schedule.warm_up) * 0.5 * (1 + math.cos(math.pi * step / steps))
        )
        frozen = step < frozen_steps
        # the encoder's own warm-up begins when it is let loose
        let_loose = min(1.0, max(step - frozen_steps, 0) / schedule.warm_up)
        optimiser.param_groups[0]["lr"] = (
            0.0 if frozen else schedule.encoder_rate * rate * let_loose
        )
        optimiser.param_groups[1]["lr"] = schedule.learning_rate * rate

        model.train()
        image, labels = _on_device(batch, device)
        with torch.set_grad_enabled(not frozen):
            encoded = model.encoder(image)
        loss, terms = losses(model.estimate(encoded), labels)
        if not torch.isfinite(loss):
            raise PymafLiveError(f"the loss is {loss.item()} at step {step}; lower the rates")
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(optimiser.param_groups[1]["params"], 20.0)
        optimiser.step()
        _follow(average, model, min(schedule.average, (1 + step) / (10 + step)))
        step += 1

        if step % 20 == 0:
            pace = (time.monotonic() - started) / (step - first)
            left = pace * (steps - step) / 60
            figures = {name: round(value.item(), 3) for name, value in terms.items()}
            record = {"step": step, "loss": round(loss.item(), 3), **figures}
            _log(out / "log.jsonl", record)
            if step % 100 == 0:
                console.print(
                    f"{step}/{steps}  loss {loss.item():.2f}  "
                    f"{schedule.batch / pace:.0f} pictures/s  {left:.0f} min left"
                )
        if step % validate_every == 0 or step == steps:
            save_checkpoint(checkpoint, model, average, optimiser, Progress(step, text))
            figures = validate(average, joint_set, known, body, device)
            _log(out / "log.jsonl", {"step": step, **figures})
            console.print(f"{step}/{steps}  {figures}")
    console.print(f"done: {checkpoint}")


def _batches(
    data: FittedCrops, rows: int, size: int, seed: int, first: int, last: int
) -> Iterator[list[Sample]]:
    for step in range(first, last):
        samples = []
        for place in range(step * size, (step + 1) * size):
            epoch, index = divmod(place, rows)
            row = int(_shuffled(rows, seed, epoch)[index])
            samples.append(data.sample(row, np.random.default_rng([seed, place])))
        yield samples


_orders: dict[tuple[int, int, int], np.ndarray] = {}


def _shuffled(rows: int, seed: int, epoch: int) -> np.ndarray:
    key = (rows, seed, epoch)
    if key not in _orders:
        _orders.clear()
        _orders[key] = np.random.default_rng([seed, epoch, 1]).permutation(rows)
    return _orders[key]


def _prefetched(batches: Iterator[list[Sample]]) -> Iterator[list[Sample]]:
    """Make batches in a thread beside the training; OpenCV lets go of Python's lock."""
    waiting: queue.Queue[list[Sample] | BaseException | None] = queue.Queue(maxsize=3)

    def work() -> None:
        try:
            for batch in batches:
                waiting.put(batch)
            waiting.put(None)
        except BaseException as error:
            waiting.put(error)

    threading.Thread(target=work, daemon=True).start()
    while (item := waiting.get()) is not None:
        if isinstance(item, BaseException):
            raise item
        yield item


def _on_device(samples: list[Sample], device: str) -> tuple[torch.Tensor, Labels]:
    images = torch.from_numpy(np.stack([sample.image for sample in samples])).to(device)
    # NHWC in memory, as channels_last wants it
    image = images.permute(0, 3, 1, 2).float() / 255
    stacked = {
        field.name: torch.from_numpy(
            np.stack([getattr(sample, field.name) for sample in samples]).astype(np.float32)
        ).to(device)
        for field in fields(Labels)
    }
    return image, Labels(**stacked)


@torch.no_grad()
def _follow(average: nn.Module, model: nn.Module, decay: float) -> None:
    for kept, now in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
        if kept.dtype.is_floating_point:
            kept.lerp_(now, 1 - decay)
        else:
            kept.copy_(now)


def _log(path: Path, record: dict[str, object]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def _keep_freed_memory() -> None:
    """Tell glibc not to give large freed blocks back: doing so every step halves the speed."""
    try:
        libc = ctypes.CDLL("libc.so.6")
    except OSError:
        return
    trim_threshold, top_pad, mmap_max = -1, -2, -4
    libc.mallopt(mmap_max, 0)
    libc.mallopt(trim_threshold, 2**31 - 1)
    libc.mallopt(top_pad, 256 * 2**20)
