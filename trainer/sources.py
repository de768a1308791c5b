"""Where a run's data lie, and how the crop of every place of the run is drawn from them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pymaf_live.body import load_body
from pymaf_live.errors import InputError
from trainer.data.ccp import read_backgrounds
from trainer.data.crops import FittedCrops, Sample
from trainer.data.lspet import VALIDATION, read_joint_set
from trainer.fit import read_fits
from trainer.run_config import RunConfig


@dataclass(frozen=True)
class Locations:
    """Folders and files of the data."""

    lspet: Path
    fits: Path
    ccp: Path | None = None


@dataclass(frozen=True)
class Recipe:
    """All that it takes to open a run's data, in whichever process."""

    config: RunConfig
    locations: Locations
    size: int
    """Side of the crops in pixels."""
    held_out: int = VALIDATION
    """The last rows of LSPET that are never trained on."""

    def open(self) -> Draws:
        """Read the labels; pictures are read when they are drawn."""
        return Draws(self)


class Draws:
    """The crops of a run, one a place; a place's crop hangs on the seed and the place alone."""

    def __init__(self, recipe: Recipe) -> None:
        joint_set = read_joint_set(recipe.locations.lspet)
        known = read_fits(recipe.locations.fits, len(joint_set))
        self._rows = len(joint_set) - recipe.held_out
        if self._rows < 1:
            raise InputError(f"{recipe.locations.lspet} has no pictures to train on")
        self._seed = recipe.config.schedule.seed
        ccp = recipe.locations.ccp
        self._crops = FittedCrops(
            joint_set,
            known,
            load_body(),
            recipe.size,
            recipe.config.augmentation,
            read_backgrounds(ccp) if ccp else None,
        )
        self._order: tuple[int, np.ndarray] | None = None

    def sample(self, place: int) -> Sample:
        """The crop of a place of the run."""
        epoch, index = divmod(place, self._rows)
        if self._order is None or self._order[0] != epoch:
            random = np.random.default_rng([self._seed, epoch, 1])
            self._order = epoch, random.permutation(self._rows)
        row = int(self._order[1][index])
        return self._crops.sample(row, np.random.default_rng([self._seed, place]))
