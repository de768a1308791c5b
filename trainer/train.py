"""The training loop: configuration, data, model, then forward, loss, step, EMA, checkpoint and log.

Everything random depends only on the seed and the step, so a run that is killed and resumed ends
with the same weights. Validation and export use the moving average (EMA) of the weights.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import torch
from torch import Tensor

from pymaf_live.body import default_body
from pymaf_live.errors import Interrupted, PymafLiveError
from pymaf_live.system.atomic_write import atomic_write, make_folder
from pymaf_live.system.reporter import SILENT, Reporter
from pymaf_live.system.signals import StopRequest
from trainer.data.image_check import check_images
from trainer.evaluation.preview import validation_preview
from trainer.evaluation.validation import validate
from trainer.network.encoder import EncoderOutput
from trainer.network.pymaf import PyMAF
from trainer.training.batches import batches, to_device
from trainer.training.checkpoint import (
    Progress,
    load_checkpoint,
    load_matching,
    remove_partial_files,
    save_checkpoint,
)
from trainer.training.config import read_config_file
from trainer.training.datasets import (
    DatasetSpec,
    Locations,
    mean_initial_estimate,
    open_datasets,
    open_validation_set,
)
from trainer.training.distributed import distributed_context
from trainer.training.feature_cache import cached_inputs
from trainer.training.logger import TrainingLogger
from trainer.training.loss_module import LossModule, ema_update
from trainer.training.losses import Labels, Losses
from trainer.training.malloc import keep_freed_memory
from trainer.training.optimizer import TrainingOptimizer
from trainer.training.schedule import TrainingClock, learning_rates
from trainer.training.threads import describe_threads

_LOG_EVERY = 20
"""Steps."""
_EARLY_LINES = (1, 5)
"""Steps of this start after which the progress is printed at once."""
_SEED_STRIDE = 1_000_003
"""Between the dropout seeds of two processes; more than any run has steps."""


def train(
    config_file: Path,
    *,
    out: Path,
    locations: Locations,
    landmark_file: Path | None = None,
    start: Path | None = None,
    device: str = "cpu",
    minutes: float | None = None,
    reporter: Reporter = SILENT,
) -> None:
    """Train a network, or resume its training.

    Parameters
    ----------
    config_file : Path
        TOML file, see `trainer/configs`.
    out : Path
        Folder of the run: checkpoint, log and a copy of the configuration. A run that is already
        there is resumed.
    locations : Locations
        Where the data are stored.
    landmark_file : Path, optional
        BlazePose's .tflite file, for its encoders.
    start : Path, optional
        Checkpoint whose averaged weights a new run starts from, as far as the networks match, or
        an exported ONNX file, such as a bundled model.
    device : str
        Torch's name of the device; ``cuda``: each process uses its own GPU.
    minutes : float, optional
        Time limit: the learning rates reach zero when it ends, if the images are not done by then;
        the last validation comes on top. A run with a time limit is not repeatable.
    reporter : Reporter
        Receives the progress until the first step.

    Raises
    ------
    PymafLiveError
        If the configuration, the data, the checkpoint or the device cannot be used, or the loss is
        not finite; `Interrupted` after a request to stop, with the progress saved.
    """
    text, config = read_config_file(config_file)
    schedule, steps = config.schedule, config.schedule.steps
    with distributed_context(device, schedule.batch) as context, StopRequest() as stop:
        make_folder(out)
        keep_freed_memory()
        cv2.setNumThreads(1)
        torch.manual_seed(schedule.seed)

        # data
        validation_set = open_validation_set(config, locations)
        body = default_body()
        sets, mixture = open_datasets(config, locations, body)
        if context.is_main:
            check_images(sets, reporter)
        mean = mean_initial_estimate(sets, mixture, body, reporter)

        # model
        model = PyMAF(config.network, body, mean, landmark_file).to(context.device)
        model.encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        differences: list[str] = []
        if start is not None:
            differences = load_matching(start, model).messages(start)
            model.replace_start(mean)
        average = copy.deepcopy(model).eval()
        losses = Losses(body, config.losses, dense=config.network.auxiliary != "none")
        loss_module = context.wrap(
            LossModule(model, losses.to(context.device), bf16=schedule.precision == "bf16")
        )
        optimizer = TrainingOptimizer(model, config)

        # resume
        checkpoint, step = out / "checkpoint.safetensors", 0
        clock = TrainingClock(limit=None if minutes is None else 60 * minutes)
        if checkpoint.exists():
            progress = load_checkpoint(checkpoint, model, average, optimizer, text)
            step, clock.seconds = progress.step, progress.seconds
        log = TrainingLogger(
            out, step, steps, schedule.batch, limit=clock.limit, enabled=context.is_main
        )
        if threads := describe_threads():
            log.message(threads)
        if context.is_main:
            remove_partial_files(checkpoint)
            with atomic_write(out / "config.toml") as temporary:
                temporary.write_text(text, encoding="utf-8")
        if step:
            log.message(f"resuming at step {step} of {steps}")
        else:
            for line in differences:
                log.message(line)
        if step >= steps or clock.expired:
            log.message(f"already finished: {checkpoint}")
            return

        def save() -> None:
            if context.is_main:
                progress = Progress(step, text, clock.seconds)
                save_checkpoint(checkpoint, model, average, optimizer, progress)

        validate_every = max(schedule.validate_every // schedule.batch, 1)
        spec = DatasetSpec(config, locations, model.encoder.size)
        stem_frozen = False
        inputs: Iterator[tuple[Tensor | EncoderOutput, Labels]]
        if schedule.cached_images:
            folder = out / "encoder_outputs"
            inputs = cached_inputs(folder, model.encoder, spec, context, step, reporter)
            log.restart_timer(step)
        else:
            made = batches(spec, context, schedule, step, save)
            inputs = (to_device(batch, context.device) for batch in made)
        first, saved = step, clock.restart()
        for image, labels in inputs:
            # dropout depends on the step alone, and differs between processes
            torch.manual_seed(schedule.seed + step + _SEED_STRIDE * context.rank)
            rates = learning_rates(schedule, clock.position(step, steps))
            optimizer.set_rates(rates)
            if rates.stem_frozen != stem_frozen:
                stem_frozen = rates.stem_frozen
                model.encoder.freeze_stem(frozen=stem_frozen)

            # forward, backward, step
            model.train()
            loss, terms = loss_module(image, labels, rates.frozen)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            clock.tick()
            not_finite, stopped, clock.seconds = context.maximum(
                not torch.isfinite(loss), stop.requested, clock.seconds
            )
            if not_finite:
                raise PymafLiveError(f"the loss is not finite at step {step}; lower the rates")
            optimizer.clip_gradients()
            optimizer.step()
            ema_update(average, model, min(schedule.ema_decay, (1 + step) / (10 + step)))
            step += 1
            if step - first in _EARLY_LINES:
                log.progress(step, clock.seconds, float(loss.detach()), early=True)

            # log, save, validate
            done = step == steps or clock.expired
            if step % _LOG_EVERY == 0 or done:
                means = context.mean({"loss": loss, **terms})
                log.scalars(step, "train", {name: round(value, 3) for name, value in means.items()})
                log.progress(step, clock.seconds, means["loss"])
            if stopped and not done:
                save()
                raise Interrupted(f"stopped at step {step} of {steps}; the same command resumes")
            if step % validate_every == 0 or done:
                save()
                if context.is_main and validation_set is not None:
                    joint_set, fits = validation_set
                    figures = validate(average, joint_set, fits, body, context.device)
                    log.scalars(step, "validation", figures)
                    log.image(step, "held out", validation_preview(average, joint_set, body))
                    log.message(f"{step}/{steps}  {figures}")
                    log.restart_timer(step)
                saved = time.monotonic()
            elif time.monotonic() - saved > 60 * schedule.save_every:
                save()
                saved = time.monotonic()
            if done:
                break
        log.close()
        if validation_set is None:
            log.message("no validation: LSPET is missing; inspect images with `process`")
        log.message(f"finished: {checkpoint}")
