"""The configuration of a training run: one TOML file, checked."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from pymaf_live.errors import InputError
from trainer.data.augmentation import Augmentation
from trainer.data.factory import SetConfig
from trainer.network.config import NetworkConfig
from trainer.training.losses import LossWeights
from trainer.training.schedule import Schedule


class RunConfig(BaseModel):
    """Everything that decides a run but where its data lie."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    network: NetworkConfig
    losses: LossWeights = LossWeights()
    augmentation: Augmentation = Augmentation()
    data: tuple[SetConfig, ...] = ()
    """The data sets and their shares; none = LSPET with its fits."""
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
