"""The training loop, to be read from top to bottom.

Everything random hangs on the seed and the step, so a run that is killed and resumed goes on as if
nothing had happened. What is validated and kept is the average of the weights over the last steps.
"""

from __future__ import annotations

import copy
import time
from pathlib import Path

import cv2
import torch
from torch import nn

from pymaf_live.body import default_body
from pymaf_live.errors import Interrupted, PymafLiveError
from pymaf_live.system.atomic_write import atomic_write, make_folder
from pymaf_live.system.signals import StopRequest
from trainer.data.lspet import JointSet, read_joint_set
from trainer.evaluation.preview import training_picture
from trainer.evaluation.validation import validate
from trainer.fitting.fit import Fits, read_fits
from trainer.network.pymaf import PyMAF
from trainer.training.batches import batches, on_device
from trainer.training.checkpoint import (
    Progress,
    discard_halves,
    load_checkpoint,
    save_checkpoint,
    start_from,
)
from trainer.training.config import RunConfig, read_config_file
from trainer.training.datasets import Locations, Recipe, mean_start, open_sets
from trainer.training.distributed import Ranks, joined
from trainer.training.logger import RunLog
from trainer.training.loss_module import Learner, follow
from trainer.training.losses import Losses
from trainer.training.malloc import keep_freed_memory
from trainer.training.optimizer import RelativeAdam
from trainer.training.schedule import rates

_CLIP = 20.0
"""Largest norm of the gradients of all but the encoder."""


def train(
    config_file: Path,
    *,
    out: Path,
    locations: Locations,
    landmark_file: Path | None = None,
    start: Path | None = None,
    device: str = "cpu",
    minutes: float | None = None,
) -> None:
    """Train a network.

    Parameters
    ----------
    config_file : Path
        A TOML file, see `trainer/configs`.
    out : Path
        Folder of the run: checkpoint, log and a copy of the configuration. A run that is there goes
        on where it stopped.
    locations : Locations
        Where the data lie.
    landmark_file : Path, optional
        BlazePose's .tflite file, for its encoders.
    start : Path, optional
        A checkpoint whose averaged weights a new run begins with, as far as the network has them.
    device : str
        Torch's name of it; ``cuda`` = each process's own GPU.
    minutes : float, optional
        Time after which the rates have fallen to zero, should the pictures not be done by then;
        the last validation comes on top. A run with a limit is not repeatable.

    Raises
    ------
    PymafLiveError
        If the configuration, the data, the checkpoint or the device cannot be used, or the loss is
        not finite; `Interrupted` when it was asked to stop and has saved.
    """
    text, config = read_config_file(config_file)
    with joined(device, config.schedule.batch) as ranks, StopRequest() as stop:
        _train(text, config, out, locations, landmark_file, start, ranks, minutes, stop)


def _train(
    text: str,
    config: RunConfig,
    out: Path,
    locations: Locations,
    landmark_file: Path | None,
    start: Path | None,
    ranks: Ranks,
    minutes: float | None,
    stop: StopRequest,
) -> None:
    schedule, steps, device = config.schedule, config.schedule.steps, ranks.device
    make_folder(out)
    keep_freed_memory()
    cv2.setNumThreads(1)
    torch.manual_seed(schedule.seed)

    # what is measured while it learns, the network, and the average of its weights
    held_out = _held_out(config, locations)
    body = default_body()
    mean = mean_start(*open_sets(config, locations, body), body)
    model = PyMAF(config.network, body, mean, landmark_file).to(device)
    model.encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if schedule.freeze_stem:
        model.encoder.freeze_stem()
    fresh = []
    if start is not None:
        fresh = start_from(start, model)
        model.rebase(mean)
    average = copy.deepcopy(model).eval()
    losses = Losses(body, config.losses, dense=config.network.auxiliary != "none").to(device)
    learner = ranks.wrapped(Learner(model, losses, bf16=schedule.precision == "bf16"))
    within = {id(parameter) for parameter in model.encoder.parameters()}
    encoder = [p for p in model.encoder.parameters() if p.requires_grad]
    pulls = list(model.pull_parameters())
    within |= {id(parameter) for parameter in pulls}
    rest = [p for p in model.parameters() if id(p) not in within]
    optimiser = RelativeAdam(
        [
            {"params": encoder, "relative": config.network.encoder != "resnet50"},
            {"params": rest, "weight_decay": schedule.weight_decay},
            {"params": pulls},
        ]
    )

    # go on where a run stopped
    checkpoint, step, seconds = out / "checkpoint.safetensors", 0, 0.0
    if checkpoint.exists():
        progress = load_checkpoint(checkpoint, model, average, optimiser, text)
        step, seconds = progress.step, progress.seconds
    limit = None if minutes is None else 60 * minutes
    log = RunLog(out, step, steps, schedule.batch, limit=limit, speaks=ranks.first)
    if ranks.first:
        discard_halves(checkpoint)
        with atomic_write(out / "config.toml") as temporary:
            temporary.write_text(text, encoding="utf-8")
    if step:
        log.say(f"going on from step {step} of {steps}")
    elif fresh:
        log.say(f"{start} lacks {len(fresh)} tensors, which begin anew: {fresh[0]} ...")

    def save() -> None:
        if ranks.first:
            progress = Progress(step, text, seconds)
            save_checkpoint(checkpoint, model, average, optimiser, progress)

    if step >= steps or (limit is not None and seconds >= limit):
        log.say(f"done already: {checkpoint}")
        return

    validate_every = max(schedule.validate_every // schedule.batch, 1)
    recipe = Recipe(config, locations, model.encoder.size)
    before, saved = time.monotonic(), time.monotonic()
    for batch in batches(recipe, ranks, schedule, step):
        # the same dropout whatever came before, and another one in every process
        torch.manual_seed(schedule.seed + step + 1_000_003 * ranks.rank)
        place = step if limit is None else max(step, seconds / limit * steps)
        now = rates(schedule, place)
        optimiser.param_groups[0]["lr"] = now.encoder
        optimiser.param_groups[1]["lr"] = now.rest
        optimiser.param_groups[2]["lr"] = now.rest * schedule.pull_factor

        model.train()
        loss, terms = learner(*on_device(batch, device), now.frozen)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        seconds, before = seconds + time.monotonic() - before, time.monotonic()
        broken, stopped, seconds = ranks.largest(not torch.isfinite(loss), stop.requested, seconds)
        if broken:
            raise PymafLiveError(f"the loss is not finite at step {step}; lower the rates")
        nn.utils.clip_grad_norm_(rest + pulls, _CLIP)
        optimiser.step()
        follow(average, model, min(schedule.average, (1 + step) / (10 + step)))
        step += 1

        done = step == steps or (limit is not None and seconds >= limit)
        if step % 20 == 0 or done:
            figures = ranks.mean({"loss": loss, **terms})
            log.figures(step, "train", {name: round(value, 3) for name, value in figures.items()})
            log.pace(step, seconds, figures["loss"])
        if stopped and not done:
            save()
            raise Interrupted(f"stopped at step {step} of {steps}; the same command goes on")
        if step % validate_every == 0 or done:
            save()
            if ranks.first and held_out is not None:
                joint_set, known = held_out
                figures = validate(average, joint_set, known, body, device)
                log.figures(step, "validation", figures)
                log.picture(step, "held out", training_picture(average, joint_set, body))
                log.say(f"{step}/{steps}  {figures}")
                log.resume_pace(step)
            saved = time.monotonic()
        elif time.monotonic() - saved > 60 * schedule.save_every:
            save()
            saved = time.monotonic()
        if done:
            break
    log.close()
    if held_out is None:
        log.say("nothing was measured: LSPET is not there; look at pictures with `process`")
    log.say(f"done: {checkpoint}")


def _held_out(config: RunConfig, locations: Locations) -> tuple[JointSet, Fits] | None:
    """LSPET with its fits, whose last rows are measured; None where a run does without LSPET."""
    folder = locations.of(Path("lspet"))
    learned_from = not config.data or any(one.kind == "lspet" for one in config.data)
    if not learned_from and not (folder / "labels.npz").is_file():
        return None
    joint_set = read_joint_set(folder)
    return joint_set, read_fits(locations.of(Path("fits")), len(joint_set))
