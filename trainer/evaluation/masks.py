"""Projected bodies against masks: Clothing Co-Parsing's held-out people.

The image's pixels are counted, not the crop's, so that the metrics of two networks compare. The
first pass runs on the mask's upright box; the second, as in the program, on the refined crop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pymaf_live.errors import InputError
from pymaf_live.system.reporter import SILENT, Reporter
from pymaf_live.types import Array, Image, Mask
from trainer.body.joint_limits import violates_joint_limits
from trainer.data.ccp import HELD_OUT_COUNT, open_ccp, person_box
from trainer.evaluation.inference import CropEstimates, box_crop, estimate_twice
from trainer.evaluation.mesh_eval import BodyPoser, PartRenderer
from trainer.evaluation.metrics import ConfusionMatrix
from trainer.evaluation.network import Network


@dataclass(frozen=True)
class MaskedPeople:
    """N images of one person each, with the person's mask."""

    names: tuple[str, ...]
    images: list[Image]
    masks: list[Mask]

    def box(self, row: int) -> Array:
        """Return the box of a mask, (4,) x0, y0, x1, y1 at the pixels' edges."""
        # pixel centres are at integers
        return person_box(self.masks[row]) - 0.5


def read_masked_people(folder: Path, count: int = HELD_OUT_COUNT) -> MaskedPeople:
    """Read the last `count` images of the CCP set and their masks.

    Raises
    ------
    InputError
        If the set or an image is missing or damaged; the message names it.
    """
    ccp = open_ccp(folder)
    rows = range(max(len(ccp) - count, 0), len(ccp))
    images, masks = [ccp.image(row) for row in rows], [ccp.mask(row) for row in rows]
    for row, image, mask in zip(rows, images, masks, strict=True):
        if image.shape[:2] != mask.shape:
            raise InputError(f"{folder}: the mask of {ccp.names[row]} does not fit its image")
    return MaskedPeople(tuple(ccp.names[row] for row in rows), images, masks)


def estimate_masked(
    network: Network, people: MaskedPeople, bodies: BodyPoser, reporter: Reporter = SILENT
) -> tuple[CropEstimates, CropEstimates]:
    """Run a network twice on every person."""
    crops = [box_crop(people.box(row), network) for row in range(len(people.names))]
    return estimate_twice(network, bodies, people.images.__getitem__, crops, "ccp", reporter)


def measure_masks(
    passes: Sequence[CropEstimates], people: MaskedPeople, bodies: BodyPoser
) -> dict[str, Any]:
    """Return foreground f1, mean f1 with the background, and accuracy of the second pass's levels.

    Of the first pass only the last level's foreground f1.
    """
    first, second = passes
    renderer = PartRenderer(bodies)
    figures: dict[str, Any] = {"f1_foreground": [], "f1_mean": [], "accuracy": []}
    for level in range(len(second.estimates.rotations)):
        matrix = mask_confusion(second, people, renderer, level)
        figures["f1_foreground"].append(float(matrix.f1[1]))
        figures["f1_mean"].append(matrix.mean_f1)
        figures["accuracy"].append(matrix.accuracy)
    once = mask_confusion(first, people, renderer, -1)
    figures["f1_foreground_one_look"] = float(once.f1[1])
    figures["impossible"] = float(
        violates_joint_limits(bodies.body, second.estimates.rotations[-1]).mean()
    )
    return figures


def mask_confusion(
    found: CropEstimates, people: MaskedPeople, renderer: PartRenderer, level: int
) -> ConfusionMatrix:
    """Return the foreground and background pixel counts of one level."""
    matrix = ConfusionMatrix(2)
    for row, mask in enumerate(people.masks):
        matrix.add(silhouette(found, row, renderer, level, mask.shape), mask.astype(np.int64))
    return matrix


def silhouette(
    found: CropEstimates, row: int, renderer: PartRenderer, level: int, shape: tuple[int, ...]
) -> npt.NDArray[np.int64]:
    """Return a map of shape (H, W) that is 1 where the projected body covers the image, else 0."""
    height, width = shape
    estimates = found.estimates
    parts = renderer(
        estimates.rotations[level, row],
        estimates.shape[level, row],
        estimates.camera[level, row],
        found.crops[row],
        (width, height),
    )
    return (parts > 0).astype(np.int64)
