"""Length and learning rates of a run."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Literal

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveInt,
    model_validator,
)


class Schedule(BaseModel):
    """Length and learning rates of a run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    images: PositiveInt = Field(validation_alias=AliasChoices("images", "pictures"))
    """Training images in all, repeats included."""
    frozen_images: NonNegativeInt = Field(
        default=0, validation_alias=AliasChoices("frozen_images", "frozen_pictures")
    )
    """Images at the start that train with a frozen encoder."""
    freeze_stem: bool = False
    """Keep the encoder's high-resolution stages frozen."""
    stem_images: NonNegativeInt = 0
    """Images at the end for which these stages train too, although `freeze_stem` is set."""
    cached_images: NonNegativeInt = 0
    """Crops whose encoder output is computed before the training, which every epoch draws again;
    0 = new crops all the time. The encoder must be frozen throughout."""
    batch: PositiveInt = 32
    """Images of a step, over all processes."""
    learning_rate: float = 5e-5
    """Rate of everything but the encoder; falls to zero along a cosine."""
    ik_rate_factor: float = Field(
        default=1.0, validation_alias=AliasChoices("ik_rate_factor", "pull_factor")
    )
    """Factor on the rate of the IK steps' weights: they are few values of about one, each of which
    moves a whole body."""
    encoder_rate: float = 5e-5
    """Rate of the encoder; relative to each channel's size for BlazePose's."""
    warm_up: PositiveInt = 200
    """Steps."""
    weight_decay: float = 0.0
    ema_decay: float = Field(default=0.999, validation_alias=AliasChoices("ema_decay", "average"))
    """Decay per step of the averaged weights (EMA), which are validated and exported."""
    precision: Literal["f32", "bf16"] = "f32"
    """Arithmetic of the encoder; weights, heads, body and losses are always f32."""
    workers: NonNegativeInt = 0
    """Processes that make crops; 0 = a thread beside the training."""
    validate_every: PositiveInt = 10000
    """Images."""
    save_every: float = 5.0
    """Minutes; every validation and a request to stop save too."""
    seed: int = 0

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return math.ceil(self.images / self.batch)

    @property
    def cached_crops(self) -> int:
        """`cached_images`, rounded up to whole batches."""
        return math.ceil(self.cached_images / self.batch) * self.batch

    @model_validator(mode="after")
    def _check_cache(self) -> Schedule:
        if self.cached_images and self.frozen_images < self.images:
            raise ValueError("cached_images needs frozen_images = images: the encoder cannot train")
        return self


@dataclass(frozen=True)
class LearningRates:
    """Learning rates at one position of the run."""

    base: float
    """Rate of everything but the encoder."""
    encoder: float
    frozen: bool
    """The encoder does not train."""
    stem_frozen: bool
    """The encoder's high-resolution stages do not train."""


def learning_rates(schedule: Schedule, position: float) -> LearningRates:
    """Return the rates at a position of the run, in steps; the cosine ends at the last step.

    The position of a run with a time limit is given by its time or its steps, whichever is further.
    """
    frozen_steps = schedule.frozen_images // schedule.batch
    cosine = 0.5 * (1 + math.cos(math.pi * min(position / schedule.steps, 1.0)))
    factor = min(1.0, (position + 1) / schedule.warm_up) * cosine
    frozen = position < frozen_steps
    # the encoder's own warm-up begins when it starts to train
    encoder_warm_up = min(1.0, max(position - frozen_steps, 0) / schedule.warm_up)
    encoder = 0.0 if frozen else schedule.encoder_rate * factor * encoder_warm_up
    loose = position >= schedule.steps - schedule.stem_images // schedule.batch
    stem_frozen = schedule.freeze_stem and not (schedule.stem_images and loose)
    return LearningRates(schedule.learning_rate * factor, encoder, frozen, stem_frozen)


class TrainingClock:
    """Training time of a run, and its time limit.

    Parameters
    ----------
    seconds : float
        Training time before this process started.
    limit : float, optional
        Seconds after which the run ends fully annealed.
    """

    def __init__(self, seconds: float = 0.0, limit: float | None = None) -> None:
        self.seconds = seconds
        self.limit = limit
        self._last = time.monotonic()

    def restart(self) -> float:
        """Exclude the time before now, and return it (`time.monotonic`)."""
        self._last = time.monotonic()
        return self._last

    def tick(self) -> None:
        """Add the time since the last tick or restart."""
        now = time.monotonic()
        self.seconds += now - self._last
        self._last = now

    @property
    def expired(self) -> bool:
        """True once the limit is reached."""
        return self.limit is not None and self.seconds >= self.limit

    def position(self, step: int, steps: int) -> float:
        """Return the position of the run in steps, by its time or its steps, the further one."""
        if self.limit is None:
            return step
        return max(step, self.seconds / self.limit * steps)
