"""Data of a run: where they are stored, and the crop of every sample index."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np

from pymaf_live.body import Body, default_body
from pymaf_live.system.reporter import SILENT, Reporter, report_each
from pymaf_live.tracking.crop import CropRule
from trainer.data.base import BodyLabel, PersonDataset
from trainer.data.ccp import read_backgrounds
from trainer.data.crops import CropDataset, Sample
from trainer.data.factory import DatasetConfig, open_dataset
from trainer.data.fits import Fits, read_fits
from trainer.data.image_check import refuse_broken
from trainer.data.image_files import ImageError
from trainer.data.lspet import JointSet, read_joint_set
from trainer.data.mixture import Mixture
from trainer.data.recrop import RecroppedDataset
from trainer.network.estimates import InitialEstimate
from trainer.training.config import RunConfig

FITTED_LSPET = DatasetConfig(kind="lspet", folder=Path("lspet"), fits=Path("fits"))
"""Training data of a configuration without data sets."""

_SAMPLES_FOR_MEAN = 4000


@dataclass(frozen=True)
class Locations:
    """Folders and files that names in configurations stand for.

    A run always reads `lspet` and `fits` and, for crops without people, `ccp`.
    """

    paths: Mapping[str, Path]

    def resolve(self, path: Path) -> Path:
        """Replace the first part of a path if it is a name; other paths are unchanged."""
        first, *rest = path.parts or (".",)
        location = self.paths.get(first)
        return path if location is None else location.joinpath(*rest)

    def resolve_set(self, config: DatasetConfig) -> DatasetConfig:
        """Return a data set's configuration with its paths resolved."""
        names = ("folder", "fits", "labels", "teacher")
        paths = {name: getattr(config, name) for name in names}
        resolved = {name: self.resolve(path) for name, path in paths.items() if path is not None}
        return config.model_copy(update=resolved)


@dataclass(frozen=True)
class DatasetSpec:
    """Everything needed to open a run's data, in any process."""

    config: RunConfig
    locations: Locations
    size: int
    """Side of the crops in pixels."""

    def open(self) -> SampleStream:
        """Read the labels; images are read when they are drawn."""
        body, seed = default_body(), self.config.schedule.seed
        sets, mixture = open_datasets(self.config, self.locations, body)
        ccp = self.locations.paths.get("ccp")
        backgrounds = read_backgrounds(ccp) if ccp else None
        crops = CropDataset(sets, body, self.size, self.config.augmentation, backgrounds)
        return SampleStream(mixture, crops, seed)


class SampleStream:
    """Crops of a run, one per sample index; a crop depends only on the seed and the index.

    A crop whose image is missing or broken is replaced by one of another person of the same set.
    """

    def __init__(self, mixture: Mixture, crops: CropDataset, seed: int) -> None:
        self._mixture, self._crops, self._seed = mixture, crops, seed
        self._broken: list[str] = []

    def sample(self, sample_index: int) -> Sample:
        """Return the crop of a sample index.

        Raises
        ------
        InputError
            If more images than `MAX_BROKEN_SHARE` of the run's people are missing or broken.
        """
        chosen, row = self._mixture.draw(sample_index)
        random = np.random.default_rng([self._seed, sample_index])
        # ends at the latest when too many images are broken
        for attempt in count(1):
            try:
                return self._crops.sample(chosen, row, random)
            except ImageError as error:
                self._skip(str(error))
                random = np.random.default_rng([self._seed, sample_index, attempt])
                row = int(random.integers(len(self._mixture.sets[chosen])))
        raise AssertionError("unreachable")

    def _skip(self, reason: str) -> None:
        if reason in self._broken:
            return
        self._broken.append(reason)
        refuse_broken("the run", len(self._mixture), self._broken)
        print(f"skipped: {reason}", file=sys.stderr)


def open_datasets(
    config: RunConfig, locations: Locations, body: Body
) -> tuple[list[PersonDataset], Mixture]:
    """Open the data sets of a run, and the mixture that draws from them.

    Raises
    ------
    InputError
        If a set is missing, damaged or empty.
    """
    chosen: Sequence[DatasetConfig] = config.data or (FITTED_LSPET,)
    sets = [open_dataset(locations.resolve_set(one), body) for one in chosen]
    rule = config.network.rule
    if rule != CropRule():
        sets = [RecroppedDataset(people, rule, body) for people in sets]
    return sets, Mixture(sets, [one.ratio for one in chosen], config.schedule.seed)


def mean_initial_estimate(
    sets: Sequence[PersonDataset], mixture: Mixture, body: Body, reporter: Reporter = SILENT
) -> InitialEstimate:
    """Return the mean body of the first people that a run draws; upright if no set has bodies."""
    labels: dict[tuple[int, int], BodyLabel | None] = {}
    for sample_index in report_each(range(_SAMPLES_FOR_MEAN), reporter, "mean body"):
        chosen, row = drawn = mixture.draw(sample_index)
        if drawn not in labels:
            labels[drawn] = sets[chosen].labels(row).body
    bodies = [label for label in labels.values() if label is not None]
    if not bodies:
        return InitialEstimate.upright(body)
    return InitialEstimate.mean(
        np.stack([one.rotations for one in bodies]),
        np.stack([one.shape for one in bodies]),
        np.stack([one.camera for one in bodies]),
    )


def open_validation_set(config: RunConfig, locations: Locations) -> tuple[JointSet, Fits] | None:
    """Return LSPET with its fits, whose last rows are held out; None if a run has no LSPET.

    Raises
    ------
    InputError
        If the run trains on LSPET and it is missing or damaged.
    """
    folder = locations.resolve(Path("lspet"))
    is_training_data = not config.data or any(one.kind == "lspet" for one in config.data)
    if not is_training_data and not (folder / "labels.npz").is_file():
        return None
    joint_set = read_joint_set(folder)
    return joint_set, read_fits(locations.resolve(Path("fits")), len(joint_set))
