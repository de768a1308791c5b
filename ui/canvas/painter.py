"""The GL parts that all views share: one picture, one body visual, one for strokes."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QImage, QPainter
from vispy import gloo
from vispy.gloo import gl

from pymaf_live.rendering.scene import Scene, Window
from pymaf_live.rendering.strokes import Strokes
from pymaf_live.rendering.surface import Surface
from pymaf_live.rendering.texture_layer import BodyLayer
from pymaf_live.rendering.visuals import PictureVisual, StrokeVisual, TextureQuad
from pymaf_live.types import Image
from ui.canvas.viewport import Area, Pane, Place

_RENDERER = 0x1F01
_SOFTWARE = ("llvmpipe", "softpipe", "swrast", "swiftshader", "software")
_MOST_LABELS = 32
_LETTERS = QColor(231, 233, 236)


class Painter:
    """Draws into areas of the canvas; needs the canvas' context to be current, from the start on.

    Parameters
    ----------
    surface : Surface
    """

    def __init__(self, surface: Surface) -> None:
        self._picture = PictureVisual()
        self._layer = BodyLayer(surface)
        self._strokes = StrokeVisual()
        self._uploaded: tuple[Image, float] | None = None
        self._sheet: tuple[Any, TextureQuad] | None = None
        self._labels: OrderedDict[tuple[str, float, str], tuple[TextureQuad, int, int]] = (
            OrderedDict()
        )
        renderer = str(gl.glGetParameter(_RENDERER)).lower()
        # two samples a pixel along each axis smooth the edges where that costs nothing
        self._fineness = 1.0 if any(name in renderer for name in _SOFTWARE) else 2.0
        self._height = 1

    def begin(self, width: int, height: int, ground: tuple[float, float, float, float]) -> None:
        """Empty the canvas of physical pixels."""
        self._height = height
        gloo.set_viewport(0, 0, width, height)
        gloo.clear(color=ground)

    @staticmethod
    def end(ground: tuple[float, float, float, float]) -> None:
        """Leave the context as vispy wants it."""
        # it then empties the alpha channel with whatever colour was used last
        gloo.set_clear_color(ground)

    def picture(self, pane: Pane, image: Image) -> None:
        """Draw the frame's picture, (H, W, 3) RGB."""
        self._upload(image, pane.scale)
        self._enter(pane.area)
        rows, columns = image.shape[:2]
        self._picture.draw(pane.place((0, 0, columns, rows)))

    def bodies(self, pane: Pane, scene: Scene | None) -> None:
        """Draw a scene over what is there."""
        if scene is None:
            return
        window = _common(scene.window, pane)
        if window is None:
            return
        fine = pane.scale * self._fineness
        size = (max(1, math.ceil(window.width * fine)), max(1, math.ceil(window.height * fine)))
        self._layer.render(replace(scene, window=window), size)
        self._enter(pane.area)
        self._layer.draw(pane.place((window.x0, window.y0, window.x1, window.y1)))

    def strokes(self, pane: Pane, strokes: Strokes) -> None:
        """Draw lines and dots, given in picture pixels."""
        self._enter(pane.area)
        x0, x1 = (pane.x1, pane.x0) if pane.mirrored else (pane.x0, pane.x1)
        self._strokes.draw(strokes, (x0, pane.y0, x1, pane.y1), pane.scale, upright=True)

    def sheet(self, pane: Pane, colours: npt.NDArray[np.uint8], part: Place) -> None:
        """Lay colours (h, w, 4), premultiplied RGBA, over a part of the picture."""
        if self._sheet is None:
            texture = gloo.Texture2D(
                np.zeros((2, 2, 4), np.uint8), interpolation="linear", wrapping="clamp_to_edge"
            )
            self._sheet = (texture, TextureQuad(texture))
        texture, quad = self._sheet
        texture.set_data(np.ascontiguousarray(colours))
        self._enter(pane.area)
        quad.draw(pane.place(part), (1.0, 1.0), blend=True)

    def label(self, area: Area, text: str, pixels_a_point: float) -> None:
        """Write a line into an area's upper left corner; never mirrored."""
        quad, width, height = self._label(text, pixels_a_point)
        self._enter(area)
        pane = Pane(area, 0, 0, area.width, area.height)
        gap = round(6 * pixels_a_point)
        quad.draw(pane.place((gap, gap, gap + width, gap + height)), (1.0, 1.0), blend=True)

    def label_above(
        self,
        pane: Pane,
        text: str,
        point: tuple[float, float],
        pixels_a_point: float,
        colour: npt.NDArray[np.float32],
    ) -> None:
        """Write a line above a point of the picture, whole within the pane; never mirrored.

        Parameters
        ----------
        pane : Pane
        text : str
        point : tuple of float
            Picture pixels, edges at whole numbers; the line's middle lies above it.
        pixels_a_point : float
        colour : (3,) array
            sRGB 0..1 of the letters.
        """
        quad, width, height = self._label(text, pixels_a_point, QColor.fromRgbF(*colour.tolist()))
        area, gap = pane.area, round(3 * pixels_a_point)
        x, y = pane.in_area(*point)
        left = min(max(round(x - width / 2), 0), max(area.width - width, 0))
        top = min(max(round(y) - height - gap, 0), max(area.height - height, 0))
        self._enter(area)
        upright = Pane(area, 0, 0, area.width, area.height)
        quad.draw(upright.place((left, top, left + width, top + height)), (1.0, 1.0), blend=True)

    def _enter(self, area: Area) -> None:
        bottom = self._height - area.top - area.height
        gloo.set_viewport(area.left, bottom, area.width, area.height)

    def _label(
        self, text: str, pixels_a_point: float, colour: QColor = _LETTERS
    ) -> tuple[TextureQuad, int, int]:
        key = (text, pixels_a_point, colour.name())
        if key not in self._labels:
            while len(self._labels) >= _MOST_LABELS:
                self._labels.popitem(last=False)
            colours = _written(text, pixels_a_point, colour)
            quad = TextureQuad(gloo.Texture2D(colours, interpolation="linear"))
            self._labels[key] = (quad, colours.shape[1], colours.shape[0])
        return self._labels[key]

    def _upload(self, image: Image, scale: float) -> None:
        # a picture far larger than the canvas is made smaller first: no flicker, any size goes
        shrink = scale if scale < 0.5 else 1.0
        if self._uploaded is not None:
            shown, shown_shrink = self._uploaded
            if shown is image and shown_shrink == shrink:
                return
        self._uploaded = (image, shrink)
        if shrink < 1:
            # averaging all of an 8K picture would hold up the window for a quarter of a second
            step = max(1, int(0.5 / shrink))
            rows, columns = image.shape[:2]
            image = image[::step, ::step]
            size = (max(1, round(columns * shrink)), max(1, round(rows * shrink)))
            image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        self._picture.set_image(image)


def _common(window: Window, pane: Pane) -> Window | None:
    """The part of a window that a pane shows; None if there is none."""
    common = Window(
        max(window.x0, math.floor(pane.x0)),
        max(window.y0, math.floor(pane.y0)),
        min(window.x1, math.ceil(pane.x1)),
        min(window.y1, math.ceil(pane.y1)),
    )
    return common if common.width > 0 and common.height > 0 else None


def _written(text: str, pixels_a_point: float, colour: QColor) -> npt.NDArray[np.uint8]:
    """(h, w, 4) premultiplied RGBA of a line of text on a dark ground."""
    font = QFont()
    font.setPixelSize(max(8, round(13 * pixels_a_point)))
    metrics = QFontMetrics(font)
    gap = metrics.height() // 3
    width, height = metrics.horizontalAdvance(text) + 3 * gap, metrics.height() + gap
    image = QImage(width, height, QImage.Format.Format_RGBA8888_Premultiplied)
    image.fill(QColor(0, 0, 0, 0))
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(16, 18, 21, 190))
    painter.drawRoundedRect(image.rect(), gap, gap)
    painter.setPen(colour)
    painter.setFont(font)
    painter.drawText(image.rect(), Qt.AlignmentFlag.AlignCenter, text)
    painter.end()
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(height, image.bytesPerLine())
    return rows[:, : 4 * width].reshape(height, width, 4).copy()
