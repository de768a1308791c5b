"""Sheets of what a network makes of held-out pictures: at random, the worst, the best."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from pymaf_live.body import Body, PointSet
from pymaf_live.inference.preprocess import cut
from pymaf_live.types import Array, Image
from trainer.evaluation.inference import CropEstimates
from trainer.rendering.contact_sheet import draw_body, write_sheet

_TILES = 24


def write_sheets(
    folder: Path,
    name: str,
    looked: CropEstimates,
    picture: Callable[[int], Image],
    badness: Array,
    body: Body,
) -> None:
    """Write three sheets of crops, each beside itself with the last estimate drawn over it.

    Parameters
    ----------
    folder : Path
    name : str
        The files are ``NAME_worst.jpg``, ``NAME_random.jpg`` and ``NAME_best.jpg``.
    looked : Looked
        Of N crops.
    picture : callable
        Number -> (H, W, 3) uint8 RGB.
    badness : (N,) array
        The larger, the worse; NaN = not known, left to chance alone.
    body : Body
    """
    mesh, found = PointSet.vertices(body), looked.estimates
    judged = np.flatnonzero(~np.isnan(badness))
    order = judged[np.argsort(-badness[judged], kind="stable")]
    chosen = {
        "worst": order[:_TILES],
        "random": np.random.default_rng(0).permutation(len(badness))[:_TILES],
        "best": order[::-1][:_TILES],
    }
    for kind, picked in chosen.items():
        tiles = []
        for index in picked.tolist():
            image = cut(picture(index), looked.crops[index])
            drawn = draw_body(
                image,
                body,
                mesh,
                found.rotations[-1, index],
                found.shape[-1, index],
                found.camera[-1, index],
            )
            tiles.append(np.hstack([image, drawn]))
        if tiles:
            write_sheet(folder / f"{name}_{kind}.jpg", tiles, columns=4)
