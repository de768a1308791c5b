"""Lines and dots over an image: skeletons, joints and boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pymaf_live.rendering.rasteriser import Floats
from pymaf_live.rendering.scene import PosedBody, RenderScene
from pymaf_live.rendering.style import score_colours
from pymaf_live.types import Array

RIM_COLOUR = (0.10, 0.12, 0.16)
"""sRGB 0..1 of the dark rim around every stroke."""
INNER_PART = 0.62
"""Share of a stroke's radius inside the rim."""


@dataclass(frozen=True)
class Strokes:
    """N lines; a line whose ends coincide is a dot."""

    ends: Floats
    """(N, 4) x, y of both ends, image px."""
    paint: Floats
    """(N, 5) sRGB 0..1, radius in image px, opacity 0..1."""

    @classmethod
    def lines(cls, ends: Array, colour: Array, radius: float, opacity: float = 1.0) -> Strokes:
        """Return lines of one width.

        Parameters
        ----------
        ends : (N, 4) array
            x, y of both ends, image px; lines that are not finite are left out.
        colour : (3,) or (N, 3) array
            sRGB 0..1.
        radius : float
            Half the width in image px.
        opacity : float
            0..1.
        """
        ends = np.asarray(ends, np.float32).reshape(-1, 4)
        paint = np.empty((len(ends), 5), np.float32)
        paint[:, :3], paint[:, 3], paint[:, 4] = colour, radius, opacity
        finite = np.isfinite(ends).all(axis=1)
        return cls(ends[finite], paint[finite])

    @classmethod
    def dots(cls, points: Array, colour: Array, radius: float, opacity: float = 1.0) -> Strokes:
        """Return dots at points (N, 2); the other parameters are those of `lines`."""
        return cls.lines(np.c_[points, points], colour, radius, opacity)

    @classmethod
    def concatenate(cls, parts: Sequence[Strokes]) -> Strokes:
        """Return all strokes of several sets; later ones are drawn over earlier ones."""
        if not parts:
            return cls(np.zeros((0, 4), np.float32), np.zeros((0, 5), np.float32))
        return cls(
            np.concatenate([part.ends for part in parts]),
            np.concatenate([part.paint for part in parts]),
        )


def scene_strokes(scene: RenderScene, parents: npt.NDArray[np.int64]) -> Strokes:
    """Return the boxes, skeletons and joint dots that the scene's style asks for.

    Parameters
    ----------
    scene : RenderScene
    parents : (J,) array
        Parent of each joint; -1 for the root.
    """
    parts: list[Strokes] = []
    for posed in scene.people:
        if scene.style.box:
            parts.append(_box(posed, scene.stroke))
        if scene.style.draws_skeleton:
            parts += _skeleton(posed, scene.stroke, parents)
        if scene.style.points:
            person = posed.person
            colours = score_colours(person.joint_score)
            parts.append(
                Strokes.dots(person.joints_2d, colours, 2.0 * scene.stroke, posed.visibility)
            )
    return Strokes.concatenate(parts)


def _skeleton(posed: PosedBody, stroke: float, parents: npt.NDArray[np.int64]) -> list[Strokes]:
    points = posed.person.joints_2d
    children = np.flatnonzero(parents >= 0)
    bones = np.c_[points[parents[children]], points[children]]
    colour = 0.35 * posed.colour + 0.65
    return [
        Strokes.lines(bones, colour, stroke, posed.visibility),
        Strokes.dots(points, colour, stroke * 1.7, posed.visibility),
    ]


def _box(posed: PosedBody, stroke: float) -> Strokes:
    x0, y0, x1, y1 = posed.person.box
    sides = [(x0, y0, x1, y0), (x1, y0, x1, y1), (x1, y1, x0, y1), (x0, y1, x0, y0)]
    colour = 0.6 * posed.colour + 0.4
    return Strokes.lines(np.array(sides), colour, 0.8 * stroke, posed.visibility)
