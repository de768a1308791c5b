"""Trace of the network's levels: each level as a person, and where it sampled the image."""

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
from pymaf_live.types import Array, Camera, Crop, Estimate, LevelTrace


class LevelTracer:
    """Converts the levels of a crop's estimate to the frame.

    Parameters
    ----------
    body : Body
    reads : sequence of int
        For each level, coarsest first: side of the grid of points at which it samples the feature
        map, or 0 if it samples under the projected mesh of the previous level.
    """

    def __init__(self, body: Body, reads: Sequence[int]) -> None:
        self._body = body
        self._reads = tuple(reads)
        self._sampled_vertices = PointSet.vertices(body, body.sample_vertices)

    def trace(
        self, estimates: Sequence[Estimate], crop: Crop, camera: Camera, person: int
    ) -> LevelTrace:
        """Return the trace of one person's estimate.

        Parameters
        ----------
        estimates : sequence of Estimate
            Its levels, coarsest first; if there are fewer than the network has, the last ones.
        crop : Crop
        camera : Camera
        person : int

        Returns
        -------
        LevelTrace
        """
        levels = tuple(
            person_from_estimate(self._body, each, crop, camera, person) for each in estimates
        )
        reads = self._reads[-len(estimates) :]
        previous: list[Estimate | None] = [None, *estimates]
        points = tuple(
            self._sample_points(side, before, crop)
            for side, before in zip(reads, previous, strict=False)
        )
        return LevelTrace(person, crop, levels, points, estimates[-1].dense)

    def _sample_points(self, side: int, previous: Estimate | None, crop: Crop) -> Array:
        """Return the points (N, 2) in frame pixels; none if the previous level is unknown."""
        if side > 0:
            line = np.linspace(-1, 1, side)
            units: Array = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
        elif previous is not None:
            units = crop_points_2d(
                self._sampled_vertices.pose(previous.rotations, previous.shape), previous.camera
            )
        else:
            return np.zeros((0, 2))
        return crop.to_frame(pixels_from_crop_units(units, crop.size))
