"""Inside view: the network's levels in tiles, with their sample points and dense map."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from pymaf_live.rendering import OverlayStyle
from pymaf_live.rendering.scene import SceneBuilder
from pymaf_live.rendering.strokes import Strokes
from pymaf_live.rendering.style import part_colours
from pymaf_live.rendering.surface import Surfaces
from pymaf_live.types import Array, Crop, DenseMap, FrameResult, LevelTrace
from ui.canvas.display_options import DisplayOptions, InsideOptions
from ui.canvas.painter import CanvasPainter
from ui.canvas.viewport import Area, Rectangle, Viewport, tiles

_POINT_COLOUR = np.array([0.99, 0.85, 0.35])
_MAX_MAP_SIDE = 512
"""Side in pixels of the dense map when drawn over the image."""
_MAP_OPACITY = 0.85
ROOM = 1.03
"""Side of a tile relative to the crop in it, so that dots on the crop's edge are not cut."""


class InsideView:
    """One tile per level, showing the crop of the person tracked longest.

    Parameters
    ----------
    surfaces : Surfaces
    """

    def __init__(self, surfaces: Surfaces) -> None:
        self._surfaces = surfaces
        self._builders: list[SceneBuilder] = []

    def draw(
        self,
        painter: CanvasPainter,
        area: Area,
        result: FrameResult,
        options: DisplayOptions,
        pixels_per_point: float,
    ) -> None:
        """Draw the tiles of the first person in `result.level_traces`, which must not be empty.

        Parameters
        ----------
        painter : CanvasPainter
        area : Area
        result : FrameResult
        options : DisplayOptions
        pixels_per_point : float
            Physical pixels per logical pixel.
        """
        inside, inside_options = result.level_traces[0], options.inside or InsideOptions()
        count = len(inside.levels)
        one = 1 <= inside_options.level <= count
        levels = [inside_options.level - 1] if one else list(range(count))
        shows_map = inside_options.dense and inside.dense is not None
        areas = tiles(area, len(levels) + shows_map)
        square = _square_of(inside.crop)
        for level, tile in zip(levels, areas, strict=False):
            viewport = Viewport.fit(tile, square, options.mirrored)
            painter.draw_image(viewport, result.frame.image)
            self._draw_level(painter, viewport, result, level, options)
            painter.draw_label(tile, f"After level {level + 1} of {count}", pixels_per_point)
        if shows_map and inside.dense is not None:
            viewport = Viewport.fit(areas[-1], square, options.mirrored)
            painter.draw_image(viewport, result.frame.image)
            layer = _map_layer(inside.dense, inside.crop, square)
            painter.draw_layer(viewport, layer, square)
            painter.draw_label(areas[-1], "Dense map of the network", pixels_per_point)

    def _draw_level(
        self,
        painter: CanvasPainter,
        viewport: Viewport,
        result: FrameResult,
        level: int,
        options: DisplayOptions,
    ) -> None:
        inside: LevelTrace = result.level_traces[0]
        inside_options = options.inside or InsideOptions()
        while len(self._builders) <= level:
            self._builders.append(SceneBuilder(self._surfaces, f"level {len(self._builders)}"))
        height, width = result.frame.image.shape[:2]
        if result.camera is not None:
            style = OverlayStyle(
                opacity=options.style.opacity,
                body=options.style.body,
                parts=inside_options.dense,
            )
            scene = self._builders[level].build(
                [inside.levels[level]], result.camera, (width, height), style
            )
            painter.draw_scene(viewport, scene)
        if inside_options.points:
            radius = max(0.004 * inside.crop.side, 1.2 / viewport.scale)
            points = _inside_image(inside.sample_points[level], (width, height))
            painter.draw_strokes(viewport, Strokes.dots(points, _POINT_COLOUR, radius))


def _inside_image(points: Array, size: tuple[int, int]) -> Array:
    """Return the points (N, 2) px that lie in the image; beyond it a crop is black."""
    inside = ((points >= -0.5) & (points <= np.asarray(size) - 0.5)).all(axis=1)
    return np.asarray(points[inside])


def _square_of(crop: Crop) -> Rectangle:
    """Return the upright square around a crop, which may be turned, pixel edges at integers."""
    reach = abs(math.cos(crop.turn)) + abs(math.sin(crop.turn))
    (x, y), half = crop.centre + 0.5, ROOM * reach * crop.side / 2
    return (float(x - half), float(y - half), float(x + half), float(y + half))


def _map_layer(dense: DenseMap, crop: Crop, square: Rectangle) -> npt.NDArray[np.uint8]:
    """Return a dense map over an upright square of the image as (h, h, 4) premultiplied RGBA."""
    colours = part_colours(max(int(dense.part.max()), 1))
    rgb = np.where((dense.part > 0)[..., None], colours[np.maximum(dense.part, 1) - 1], 0.0)
    if dense.u is not None and dense.v is not None:
        # brightness follows the position on the part, so that its directions are visible
        rgb = rgb * (0.55 + 0.225 * (np.clip(dense.u, 0, 1) + np.clip(dense.v, 0, 1)))[..., None]
    layer = np.concatenate([rgb, (dense.part > 0)[..., None]], axis=-1).astype(np.float32)
    layer = np.rint(layer * _MAP_OPACITY * 255).astype(np.uint8)
    rows, columns = dense.part.shape
    side = min(_MAX_MAP_SIDE, max(1, round(square[2] - square[0])))
    # layer pixel -> frame pixel -> crop pixel -> map cell
    step = (square[2] - square[0]) / side
    frame_from_layer = np.array(
        [
            [step, 0, square[0] + step / 2 - 0.5],
            [0, step, square[1] + step / 2 - 0.5],
            [0, 0, 1],
        ]
    )
    crop_from_frame = np.linalg.inv(np.vstack([crop.frame_from_crop, [0, 0, 1]]))
    cell_from_crop = np.array(
        [
            [columns / crop.size, 0, columns / crop.size / 2 - 0.5],
            [0, rows / crop.size, rows / crop.size / 2 - 0.5],
            [0, 0, 1],
        ]
    )
    cell_from_layer = (cell_from_crop @ crop_from_frame @ frame_from_layer)[:2]
    warped = cv2.warpAffine(
        layer, cell_from_layer, (side, side), flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    )
    return np.asarray(warped, np.uint8)
