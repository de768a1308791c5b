"""Lines and dots over a picture: skeletons, points and boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pymaf_live.rendering.rasteriser import Floats
from pymaf_live.rendering.scene import Posed, Scene
from pymaf_live.rendering.style import certainty_colours
from pymaf_live.types import Array


@dataclass(frozen=True)
class Strokes:
    """N lines; one whose ends meet is a dot."""

    ends: Floats
    """(N, 4) x, y of both ends, picture px."""
    paint: Floats
    """(N, 5) sRGB 0..1, radius in picture px, opacity 0..1."""

    @classmethod
    def of(cls, ends: Array, colour: Array, radius: float, opacity: float = 1.0) -> Strokes:
        """Strokes of one width.

        Parameters
        ----------
        ends : (N, 4) array
            Those that are not finite are left out.
        colour : (3,) or (N, 3) array
        radius : float
        opacity : float
        """
        ends = np.asarray(ends, np.float32).reshape(-1, 4)
        paint = np.empty((len(ends), 5), np.float32)
        paint[:, :3], paint[:, 3], paint[:, 4] = colour, radius, opacity
        sound = np.isfinite(ends).all(axis=1)
        return cls(ends[sound], paint[sound])

    @classmethod
    def dots(cls, points: Array, colour: Array, radius: float, opacity: float = 1.0) -> Strokes:
        """Dots at points (N, 2)."""
        return cls.of(np.c_[points, points], colour, radius, opacity)

    @classmethod
    def joined(cls, parts: Sequence[Strokes]) -> Strokes:
        """All of them, later ones over earlier ones."""
        if not parts:
            return cls(np.zeros((0, 4), np.float32), np.zeros((0, 5), np.float32))
        return cls(
            np.concatenate([part.ends for part in parts]),
            np.concatenate([part.paint for part in parts]),
        )


def scene_strokes(scene: Scene, parents: npt.NDArray[np.int64]) -> Strokes:
    """What the scene's look draws in lines and dots: boxes, skeletons, points."""
    parts: list[Strokes] = []
    for posed in scene.people:
        if scene.look.box:
            parts.append(_box(posed, scene.stroke))
        if scene.look.skeleton:
            parts += _skeleton(posed, scene.stroke, parents)
        if scene.look.points:
            person = posed.person
            colours = certainty_colours(person.joint_score)
            parts.append(
                Strokes.dots(person.joints_2d, colours, 2.0 * scene.stroke, posed.presence)
            )
    return Strokes.joined(parts)


def _skeleton(posed: Posed, stroke: float, parents: npt.NDArray[np.int64]) -> list[Strokes]:
    points = posed.person.joints_2d
    children = np.flatnonzero(parents >= 0)
    lines = np.c_[points[parents[children]], points[children]]
    colour = 0.35 * posed.colour + 0.65
    return [
        Strokes.of(lines, colour, stroke, posed.presence),
        Strokes.dots(points, colour, stroke * 1.7, posed.presence),
    ]


def _box(posed: Posed, stroke: float) -> Strokes:
    x0, y0, x1, y1 = posed.person.box
    lines = [(x0, y0, x1, y0), (x1, y0, x1, y1), (x1, y1, x0, y1), (x0, y1, x0, y0)]
    colour = 0.6 * posed.colour + 0.4
    return Strokes.of(np.array(lines), colour, 0.8 * stroke, posed.presence)
