"""The projected body against masks: Clothing Co-Parsing's held-out people.

The picture's pixels are counted, not the crop's, so that the figures of two networks compare. The
first look is at the mask's box with no turn; the second, as in the program, at what the first asks
for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pymaf_live.errors import InputError
from pymaf_live.tracking.crop import crop_from_box
from pymaf_live.types import Array, Crop, Image, Mask
from trainer.body.joint_limits import impossible
from trainer.data.ccp import HELD_OUT, open_ccp, person_box
from trainer.evaluation.inference import CropEstimates, estimate_twice
from trainer.evaluation.mesh_eval import BodyPoser, PartRenderer
from trainer.evaluation.metrics import ConfusionMatrix
from trainer.evaluation.network import Network


@dataclass(frozen=True)
class MaskedPeople:
    """N pictures of one person each, with the person's mask."""

    names: tuple[str, ...]
    pictures: list[Image]
    masks: list[Mask]

    def box(self, row: int) -> Array:
        """(4,) of the mask, x0, y0, x1, y1 at the pixels' edges."""
        # pixel centres lie at integers
        return person_box(self.masks[row]) - 0.5

    def crop(self, row: int, size: int) -> Crop:
        """The crop rule on the mask's box, not turned."""
        return crop_from_box(self.box(row), 0.0, size)


def read_masked_people(folder: Path, count: int = HELD_OUT) -> MaskedPeople:
    """Read the last `count` pictures of the CCP set and their masks.

    Raises
    ------
    InputError
        If the set or a picture of it is missing or broken; the message names it.
    """
    ccp = open_ccp(folder)
    rows = range(max(len(ccp) - count, 0), len(ccp))
    pictures, masks = [ccp.image(row) for row in rows], [ccp.mask(row) for row in rows]
    for row, picture, mask in zip(rows, pictures, masks, strict=True):
        if picture.shape[:2] != mask.shape:
            raise InputError(f"{folder}: the mask of {ccp.names[row]} does not fit its picture")
    return MaskedPeople(tuple(ccp.names[row] for row in rows), pictures, masks)


def estimate_masked(
    network: Network, people: MaskedPeople, bodies: BodyPoser
) -> tuple[CropEstimates, CropEstimates]:
    """Both looks at every person."""
    crops = [people.crop(row, network.size) for row in range(len(people.names))]
    return estimate_twice(network, bodies, people.pictures.__getitem__, crops, "ccp")


def measure_masks(
    looks: Sequence[CropEstimates], people: MaskedPeople, bodies: BodyPoser
) -> dict[str, Any]:
    """Foreground f1, mean f1 with the background, and accuracy: levels of the second look.

    Of the first look the last level's foreground f1 alone.
    """
    first, second = looks
    painter = PartRenderer(bodies)
    figures: dict[str, Any] = {"f1_foreground": [], "f1_mean": [], "accuracy": []}
    for level in range(len(second.estimates.rotations)):
        count = counted_masks(second, people, painter, level)
        figures["f1_foreground"].append(float(count.f1[1]))
        figures["f1_mean"].append(count.mean_f1)
        figures["accuracy"].append(count.accuracy)
    once = counted_masks(first, people, painter, -1)
    figures["f1_foreground_one_look"] = float(once.f1[1])
    figures["impossible"] = float(impossible(bodies.body, second.estimates.rotations[-1]).mean())
    return figures


def counted_masks(
    looked: CropEstimates, people: MaskedPeople, painter: PartRenderer, level: int
) -> ConfusionMatrix:
    """Foreground and background pixels of one level."""
    count = ConfusionMatrix(2)
    for row, mask in enumerate(people.masks):
        count.add(silhouette(looked, row, painter, level, mask.shape), mask.astype(np.int64))
    return count


def silhouette(
    looked: CropEstimates, row: int, painter: PartRenderer, level: int, shape: tuple[int, ...]
) -> npt.NDArray[np.int64]:
    """0 or 1 where the projected body covers a picture of `shape` (H, W)."""
    height, width = shape
    found = looked.estimates
    parts = painter(
        found.rotations[level, row],
        found.shape[level, row],
        found.camera[level, row],
        looked.crops[row],
        (width, height),
    )
    return (parts > 0).astype(np.int64)
