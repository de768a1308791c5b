"""The configuration of a training run: one TOML file, checked."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from pymaf_live.errors import InputError
from trainer.data.crops import Augmentation
from trainer.losses import LossWeights
from trainer.network.config import NetworkConfig


class Schedule(BaseModel):
    """How long and how fast to learn."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pictures: int
    """In all, with repeats."""
    frozen_pictures: int = 0
    """Of these, at first, with the encoder as it is."""
    freeze_stem: bool = False
    """Whether the encoder's high-resolution stages stay as they are throughout."""
    batch: int = 32
    learning_rate: float = 5e-5
    """Of everything but the encoder; falls to zero along a cosine."""
    encoder_rate: float = 5e-5
    """Of the encoder; relative to each channel's size for BlazePose's."""
    warm_up: int = 200
    """Steps."""
    weight_decay: float = 0.0
    average: float = 0.999
    """Decay a step of the averaged weights, which are what is kept."""
    validate_every: int = 10000
    """Pictures."""
    seed: int = 0


class RunConfig(BaseModel):
    """Everything that decides a run but where its data lie."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    network: NetworkConfig
    losses: LossWeights = LossWeights()
    augmentation: Augmentation = Augmentation()
    schedule: Schedule


def read_run_config(text: str, name: str) -> RunConfig:
    """Parse and check a configuration.

    Raises
    ------
    InputError
        With the first thing that is wrong.
    """
    try:
        return RunConfig.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{name} is not TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise InputError(f"{name}: {place}: {first['msg']}") from error


def read_config_file(path: Path) -> tuple[str, RunConfig]:
    """The text of a configuration file and what it says."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the configuration {path}: {error}") from error
    return text, read_run_config(text, str(path))
