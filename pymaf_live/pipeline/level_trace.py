"""How the network came to an estimate: its levels as people, and where each read the picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pymaf_live.body import (
    Body,
    PointSet,
    crop_points_2d,
    person_from_estimate,
    pixels_from_crop_units,
)
from pymaf_live.types import Array, Camera, Crop, Estimate, Inside


class InsideReader:
    """Carries the levels of a crop into the frame.

    Parameters
    ----------
    body : Body
    reads : sequence of int
        Of each level, coarsest first: points a side of the grid that it reads the features on, or
        0 where it reads them under the projected mesh of the level before.
    """

    def __init__(self, body: Body, reads: Sequence[int]) -> None:
        self._body = body
        self._reads = tuple(reads)
        self._sampled = PointSet.vertices(body, body.sample_vertices)

    def read(
        self, estimates: Sequence[Estimate], crop: Crop, camera: Camera, person: int
    ) -> Inside:
        """The inside of one person's estimate.

        Parameters
        ----------
        estimates : sequence of Estimate
            Its levels, finest last; where there are fewer than the network has, the last ones.
        crop : Crop
        camera : Camera
        person : int

        Returns
        -------
        Inside
        """
        levels = tuple(
            person_from_estimate(self._body, each, crop, camera, person) for each in estimates
        )
        reads = self._reads[-len(estimates) :]
        before: list[Estimate | None] = [None, *estimates]
        where = tuple(
            self._points(side, previous, crop)
            for side, previous in zip(reads, before, strict=False)
        )
        return Inside(person, crop, levels, where, estimates[-1].dense)

    def _points(self, side: int, previous: Estimate | None, crop: Crop) -> Array:
        """(N, 2) frame pixels; none where the level before is not known."""
        if side > 0:
            line = np.linspace(-1, 1, side)
            units: Array = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
        elif previous is not None:
            units = crop_points_2d(
                self._sampled.pose(previous.rotations, previous.shape), previous.camera
            )
        else:
            return np.zeros((0, 2))
        return crop.to_frame(pixels_from_crop_units(units, crop.size))
