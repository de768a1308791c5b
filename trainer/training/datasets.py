"""Where a run's data lie, and how the crop of every place of the run is drawn from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pymaf_live.body import Body, default_body
from trainer.data.base import BodyLabel, PeopleSet
from trainer.data.ccp import read_backgrounds
from trainer.data.crops import Crops, Sample
from trainer.data.factory import SetConfig, open_set
from trainer.data.mixture import Mixture
from trainer.network.pymaf import Start
from trainer.training.config import RunConfig

FITTED_LSPET = SetConfig(kind="lspet", folder=Path("lspet"), fits=Path("fits"))
"""What a configuration without data sets learns from."""

_PLACES_FOR_MEAN = 4000


@dataclass(frozen=True)
class Locations:
    """Names of data in configurations, and the folders and files that they stand for.

    `lspet`, `fits` and, for crops without people, `ccp` have their names without being asked for.
    """

    places: Mapping[str, Path]

    def of(self, path: Path) -> Path:
        """The place of a path whose first part may be a name; other paths are what they are."""
        first, *rest = path.parts or (".",)
        place = self.places.get(first)
        return path if place is None else place.joinpath(*rest)

    def located(self, config: SetConfig) -> SetConfig:
        """A data set's configuration with its paths resolved."""
        paths = {"folder": config.folder, "fits": config.fits, "labels": config.labels}
        found = {name: self.of(path) for name, path in paths.items() if path is not None}
        return config.model_copy(update=found)


@dataclass(frozen=True)
class Recipe:
    """All that it takes to open a run's data, in whichever process."""

    config: RunConfig
    locations: Locations
    size: int
    """Side of the crops in pixels."""

    def open(self) -> Draws:
        """Read the labels; pictures are read when they are drawn."""
        body, seed = default_body(), self.config.schedule.seed
        sets, mixture = open_sets(self.config, self.locations, body)
        ccp = self.locations.places.get("ccp")
        backgrounds = read_backgrounds(ccp) if ccp else None
        crops = Crops(sets, body, self.size, self.config.augmentation, backgrounds)
        return Draws(mixture, crops, seed)


class Draws:
    """The crops of a run, one a place; a place's crop hangs on the seed and the place alone."""

    def __init__(self, mixture: Mixture, crops: Crops, seed: int) -> None:
        self._mixture, self._crops, self._seed = mixture, crops, seed

    def sample(self, place: int) -> Sample:
        """The crop of a place of the run."""
        chosen, row = self._mixture.draw(place)
        return self._crops.sample(chosen, row, np.random.default_rng([self._seed, place]))


def open_sets(
    config: RunConfig, locations: Locations, body: Body
) -> tuple[list[PeopleSet], Mixture]:
    """The data sets of a run, and which row comes at which place.

    Raises
    ------
    InputError
        If a set is missing, unsound or empty.
    """
    chosen: Sequence[SetConfig] = config.data or (FITTED_LSPET,)
    sets = [open_set(locations.located(one), body) for one in chosen]
    return sets, Mixture(sets, [one.ratio for one in chosen], config.schedule.seed)


def mean_start(sets: Sequence[PeopleSet], mixture: Mixture, body: Body) -> Start:
    """The mean body of the people that a run draws first; upright where no set has bodies."""
    labels: dict[tuple[int, int], BodyLabel | None] = {}
    for place in range(_PLACES_FOR_MEAN):
        chosen, row = drawn = mixture.draw(place)
        if drawn not in labels:
            labels[drawn] = sets[chosen].known(row).body
    bodies = [label for label in labels.values() if label is not None]
    if not bodies:
        return Start.upright(body)
    return Start.mean(
        np.stack([one.rotations for one in bodies]),
        np.stack([one.shape for one in bodies]),
        np.stack([one.camera for one in bodies]),
    )
