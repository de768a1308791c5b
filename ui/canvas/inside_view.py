"""The network's levels side by side: estimates, where they read, and the body's parts."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from pymaf_live.rendering import Look
from pymaf_live.rendering.scene import Stage
from pymaf_live.rendering.strokes import Strokes
from pymaf_live.rendering.style import part_colours
from pymaf_live.rendering.surface import Surface
from pymaf_live.types import Crop, DenseMap, FrameResult, Inside
from ui.canvas.painter import Painter
from ui.canvas.viewport import Area, Pane, Place, tiles

_READ_COLOUR = np.array([0.99, 0.85, 0.35])
_MAP_SIDE = 512
"""Pixels a side, at most, of the network's own map as it is laid over the picture."""


@dataclass(frozen=True)
class InsideLook:
    """What is shown of the levels."""

    level: int = 0
    """From 1; 0: all side by side."""
    points: bool = True
    dense: bool = False


class InsideView:
    """Tiles of the person that is followed longest, cut out as the network saw them.

    Parameters
    ----------
    surface : Surface
    """

    def __init__(self, surface: Surface) -> None:
        self._surface = surface
        self._stages: list[Stage] = []

    def draw(
        self,
        painter: Painter,
        area: Area,
        result: FrameResult,
        look: InsideLook,
        opacity: float,
        mirrored: bool,
        pixels_a_point: float,
    ) -> None:
        """Draw the tiles of the first person in `result.inside`, which must not be empty."""
        inside = result.inside[0]
        count = len(inside.levels)
        shown = [look.level - 1] if 1 <= look.level <= count else list(range(count))
        own_map = look.dense and inside.dense is not None
        places = tiles(area, len(shown) + own_map)
        part = _square(inside.crop)
        for level, place in zip(shown, places, strict=False):
            pane = Pane.about(place, part, mirrored)
            painter.picture(pane, result.frame.image)
            self._draw_level(painter, pane, result, inside, level, look, opacity)
            painter.label(place, f"After level {level + 1} of {count}", pixels_a_point)
        if own_map and inside.dense is not None:
            pane = Pane.about(places[-1], part, mirrored)
            painter.picture(pane, result.frame.image)
            painter.sheet(pane, _coloured(inside.dense, inside.crop, part), part)
            painter.label(places[-1], "Dense map of the network", pixels_a_point)

    def _draw_level(
        self,
        painter: Painter,
        pane: Pane,
        result: FrameResult,
        inside: Inside,
        level: int,
        look: InsideLook,
        opacity: float,
    ) -> None:
        while len(self._stages) <= level:
            self._stages.append(Stage(self._surface, f"level {len(self._stages)}"))
        rows, columns = result.frame.image.shape[:2]
        if result.camera is not None:
            painter.bodies(
                pane,
                self._stages[level].scene(
                    [inside.levels[level]],
                    result.camera,
                    (columns, rows),
                    Look(opacity=opacity, parts=look.dense),
                ),
            )
        if look.points:
            points = inside.read[level]
            radius = max(0.004 * inside.crop.side, 1.2 / pane.scale)
            painter.strokes(pane, Strokes.dots(points, _READ_COLOUR, radius))


def _square(crop: Crop) -> Place:
    """The upright square about a crop's middle with its side."""
    (x, y), half = crop.centre + 0.5, crop.side / 2
    return (float(x - half), float(y - half), float(x + half), float(y + half))


def _coloured(dense: DenseMap, crop: Crop, part: Place) -> npt.NDArray[np.uint8]:
    """(h, h, 4) premultiplied RGBA of a map over an upright square of the picture."""
    colours = part_colours(max(int(dense.part.max()), 1))
    rgb = np.where((dense.part > 0)[..., None], colours[np.maximum(dense.part, 1) - 1], 0.0)
    if dense.u is not None and dense.v is not None:
        # the place on the part as a gentle change of brightness, so that its directions show
        rgb = rgb * (0.55 + 0.225 * (np.clip(dense.u, 0, 1) + np.clip(dense.v, 0, 1)))[..., None]
    sheet = np.concatenate([rgb, (dense.part > 0)[..., None]], axis=-1).astype(np.float32)
    sheet = np.rint(sheet * 0.85 * 255).astype(np.uint8)
    rows, columns = dense.part.shape
    side = min(_MAP_SIDE, max(1, round(part[2] - part[0])))
    # sheet pixel -> frame pixel -> crop pixel -> cell
    fine = (part[2] - part[0]) / side
    frame = np.array([[fine, 0, part[0] + fine / 2 - 0.5], [0, fine, part[1] + fine / 2 - 0.5]])
    inverse = np.linalg.inv(np.vstack([crop.frame_from_crop, [0, 0, 1]]))
    cell = np.array(
        [
            [columns / crop.size, 0, columns / crop.size / 2 - 0.5],
            [0, rows / crop.size, rows / crop.size / 2 - 0.5],
            [0, 0, 1],
        ]
    )
    cell_from_sheet = (cell @ inverse @ np.vstack([frame, [0, 0, 1]]))[:2]
    warped = cv2.warpAffine(
        sheet, cell_from_sheet, (side, side), flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    )
    return np.asarray(warped, np.uint8)
