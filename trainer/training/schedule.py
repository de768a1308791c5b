"""How long and how fast to learn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveInt


class Schedule(BaseModel):
    """How long and how fast to learn."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pictures: PositiveInt
    """In all, with repeats."""
    frozen_pictures: NonNegativeInt = 0
    """Of these, at first, with the encoder as it is."""
    freeze_stem: bool = False
    """Whether the encoder's high-resolution stages stay as they are throughout."""
    batch: PositiveInt = 32
    """Pictures of a step, over all processes."""
    learning_rate: float = 5e-5
    """Of everything but the encoder; falls to zero along a cosine."""
    pull_factor: float = 1.0
    """How many times faster than the rest the pulls' weights learn: they are few numbers of about
    one, each of which moves a whole body."""
    encoder_rate: float = 5e-5
    """Of the encoder; relative to each channel's size for BlazePose's."""
    warm_up: PositiveInt = 200
    """Steps."""
    weight_decay: float = 0.0
    average: float = 0.999
    """Decay a step of the averaged weights, which are what is kept."""
    precision: Literal["f32", "bf16"] = "f32"
    """Of the encoder's arithmetic; weights, heads, body and losses are always in f32."""
    workers: NonNegativeInt = 0
    """Processes that make crops; 0 = a thread beside the training."""
    validate_every: PositiveInt = 10000
    """Pictures."""
    save_every: float = 5.0
    """Minutes; besides, every validation and a request to stop save."""
    seed: int = 0

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return math.ceil(self.pictures / self.batch)


@dataclass(frozen=True)
class Rates:
    """How large the steps are at one moment."""

    rest: float
    """Of everything but the encoder."""
    encoder: float
    frozen: bool
    """Whether the encoder stays as it is."""


def rates(schedule: Schedule, place: float) -> Rates:
    """Rates at a place of the run, in steps; the cosine ends at the last.

    A run with a time limit is as far as its time or its steps, whichever is further.
    """
    frozen_steps = schedule.frozen_pictures // schedule.batch
    cosine = 0.5 * (1 + math.cos(math.pi * min(place / schedule.steps, 1.0)))
    rate = min(1.0, (place + 1) / schedule.warm_up) * cosine
    frozen = place < frozen_steps
    # the encoder's own warm-up begins when it is let loose
    let_loose = min(1.0, max(place - frozen_steps, 0) / schedule.warm_up)
    encoder = 0.0 if frozen else schedule.encoder_rate * rate * let_loose
    return Rates(schedule.learning_rate * rate, encoder, frozen)
