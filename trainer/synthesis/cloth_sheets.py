"""Skirts and long hair: sheets of their own, bound to the joints nearby."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pymaf_live.body import Body
from pymaf_live.types import Array, Ints
from trainer.synthesis.clothing import step
from trainer.synthesis.outfits import Outfit
from trainer.synthesis.textures import Floats

BODY, SKIRT, LONG_HAIR = 0, 1, 2
"""Materials of a figure's triangles."""

_SKIRT_ROWS, _SKIRT_COLUMNS = 9, 28
_HAIR_ROWS, _HAIR_COLUMNS = 8, 15


@dataclass(frozen=True)
class Part:
    """A mesh that is part of a figure; N vertices, M triangles."""

    rest: Array
    """(N, 3) m, T-pose."""
    weights: Array
    """(N, J) skin weights."""
    faces: Ints
    """(M, 3)"""
    place: Floats
    """(N, 4) place on the mean rest body and the head's weight; painting depends on it."""
    material: int


class SheetBuilder:
    """Builds sheets for dressed bodies.

    Parameters
    ----------
    body : Body
    place : (V, 4) float32 array
        Place on the mean rest body and the head's weight of each vertex.
    """

    def __init__(self, body: Body, place: Floats) -> None:
        self._body, self._place = body, place
        self._row = {name: row for row, name in enumerate(body.joint_names)}
        self._ear = body.keypoint_names.index("left_ear")

    def skirt(self, rest: Array, joints: Array, outfit: Outfit, rng: np.random.Generator) -> Part:
        """Return a cone from the waist down, carried by the pelvis above and the thighs below.

        Parameters
        ----------
        rest : (V, 3) array
            The dressed body, m.
        joints : (J, 3) array
        outfit : Outfit
        rng : numpy.random.Generator
        """
        rows, columns = _SKIRT_ROWS, _SKIRT_COLUMNS
        pelvis = joints[0]
        near = (np.abs(rest[:, 1] - pelvis[1]) < 0.12) & (np.abs(rest[:, 0]) < 0.3)
        low, high = rest[near].min(axis=0), rest[near].max(axis=0)
        radius = (high - low)[[0, 2]] / 2 + 0.012
        middle = np.array([0.0, pelvis[1], (low[2] + high[2]) / 2])
        down = np.linspace(0, 1, rows)[:, None]
        angle = np.linspace(0, 2 * np.pi, columns, endpoint=False)[None]
        pleats = 0.02 * outfit.folds * np.sin(angle * int(rng.integers(5, 11)) + rng.uniform(0, 6))
        # tight at the waist, full width at the hips, then wider by the flare
        hips = np.interp(down, [0, 0.25, 1.0], [0.84, 1.0, 1.0])
        wide = hips * (1 + outfit.flare * np.clip(down - 0.2, 0, None)) + pleats * down
        points = np.stack([
            middle[0] + radius[0] * wide * np.sin(angle),
            middle[1] + 0.13 - (outfit.skirt + 0.13) * down + 0 * angle,
            middle[2] + radius[1] * wide * np.cos(angle),
        ], axis=-1).reshape(-1, 3)  # fmt: skip
        weights = np.zeros((rows * columns, self._body.joint_count))
        legs = np.clip((down - 0.12) * 1.5, 0, 0.92) + 0 * angle
        left = step(np.sin(angle), 0.9) + 0 * down
        weights[:, self._row["left_hip"]] = (legs * left).ravel()
        weights[:, self._row["right_hip"]] = (legs * (1 - left)).ravel()
        weights[:, 0] = (1 - legs).ravel()
        faces = _grid_faces(rows, columns, closed=True)
        place = np.column_stack([points, np.zeros(len(points))]).astype(np.float32)
        # unrolled round the body, so that a print continues at the sides
        place[:, 0] = (np.sin(angle / 2) * 0.6 + 0 * down).ravel()
        return Part(points, weights, faces, place, SKIRT)

    def long_hair(self, rest: Array, joints: Array, outfit: Outfit) -> Part:
        """Return a sheet round the back of the head that falls over neck and back.

        Parameters
        ----------
        rest : (V, 3) array
            The dressed body, m.
        joints : (J, 3) array
        outfit : Outfit
        """
        rows, columns = _HAIR_ROWS, _HAIR_COLUMNS
        skull = rest[self._place[:, 3] > 0.7]
        low, high = skull.min(axis=0), skull.max(axis=0)
        ear = (self._body.keypoint_regressor @ rest)[self._ear]
        down = np.linspace(0, 1, rows)[:, None]
        angle = np.radians(np.linspace(-102, 102, columns))[None]
        top = ear[1] + 0.05
        length = top - ear[1] + outfit.long_hair + 0.06
        half = (high[0] - low[0]) / 2 + 0.006
        depth = ear[2] - low[2] + 0.008
        wide = np.interp(down, [0, 0.3, 1], [1.0, 1.08, 1.05 + 0.8 * outfit.long_hair])
        back = rest[(self._place[:, 3] < 0.3) & (np.abs(self._place[:, 0]) < 0.12)]
        behind = back[back[:, 1] > joints[self._row["spine2"]][1]][:, 2].min() - 0.012
        y = top - length * down
        z = ear[2] - depth * wide * np.cos(angle)
        lower = np.clip((ear[1] - 0.08 - y) / 0.12, 0, 1)
        z = np.where(np.cos(angle) > 0, np.minimum(z, z + lower * (behind - z)), z + 0 * y)
        points = np.stack([half * wide * np.sin(angle), y + 0 * angle, z], axis=-1).reshape(-1, 3)
        weights = np.zeros((rows * columns, self._body.joint_count))
        chest = (np.clip((ear[1] - 0.1 - y) / 0.3, 0, 0.75) + 0 * angle).ravel()
        weights[:, self._row["spine3"]] = chest
        weights[:, self._row["head"]] = 1 - chest
        place = np.column_stack([points, np.ones(len(points))]).astype(np.float32)
        return Part(points, weights, _grid_faces(rows, columns, closed=False), place, LONG_HAIR)


def _grid_faces(rows: int, columns: int, *, closed: bool) -> Ints:
    """Return the triangles (M, 3) of a grid of vertices, row by row."""
    across = np.arange(columns if closed else columns - 1)
    grids = np.meshgrid(np.arange(rows - 1), across, indexing="ij")
    r, c = grids[0].ravel(), grids[1].ravel()
    next_c = (c + 1) % columns
    a, b = r * columns + c, r * columns + next_c
    d, e = (r + 1) * columns + c, (r + 1) * columns + next_c
    return np.concatenate([np.column_stack([a, d, b]), np.column_stack([b, d, e])]).astype(np.int64)
