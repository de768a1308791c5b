"""Configuration of a training run: one TOML file, validated."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from pymaf_live.errors import InputError
from trainer.data.augmentation import Augmentation
from trainer.data.factory import DatasetConfig
from trainer.network.config import NetworkConfig
from trainer.training.losses import LossWeights
from trainer.training.schedule import Schedule


class RunConfig(BaseModel):
    """Everything that determines a run, except where its data are stored."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    network: NetworkConfig
    losses: LossWeights = LossWeights()
    augmentation: Augmentation = Augmentation()
    data: tuple[DatasetConfig, ...] = ()
    """Data sets and their shares; none = LSPET with its fits."""
    schedule: Schedule

    @model_validator(mode="after")
    def _check_cached_heatmaps(self) -> RunConfig:
        # a loss that silently stays zero would look like distillation in the log
        if self.schedule.cached_images and self.losses.heatmaps:
            raise ValueError("cached_images stores no heatmaps; set heatmaps = 0 in [losses]")
        return self


def read_run_config(text: str, name: str) -> RunConfig:
    """Parse and validate a configuration.

    Parameters
    ----------
    text : str
        TOML.
    name : str
        Named in errors.

    Raises
    ------
    InputError
        With the first fault.
    """
    try:
        return RunConfig.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{name} is not TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        where = f"{name}: {key}" if key else name
        raise InputError(f"{where}: {first['msg']}") from error


def read_config_file(path: Path) -> tuple[str, RunConfig]:
    """Return the text of a configuration file and its content.

    Raises
    ------
    InputError
        If the file cannot be read or is not a valid configuration.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the configuration {path}: {error}") from error
    return text, read_run_config(text, str(path))
