"""Drawing operations that all views of the canvas share."""

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

from pymaf_live.body import Body
from pymaf_live.rendering.scene import ImageRegion, RenderScene
from pymaf_live.rendering.strokes import Strokes
from pymaf_live.rendering.texture_layer import TextureLayer
from pymaf_live.rendering.visuals import ImageVisual, StrokeVisual, TextureQuad
from pymaf_live.types import Image
from ui.canvas.viewport import Area, Rectangle, Viewport

_GL_RENDERER = 0x1F01
_SOFTWARE_RENDERERS = ("llvmpipe", "softpipe", "swrast", "swiftshader", "software")
_MAX_CACHED_LABELS = 32
_LABEL_COLOUR = QColor(231, 233, 236)
_LABEL_BACKGROUND = QColor(16, 18, 21, 190)
_LABEL_FONT_SIZE = 13
"""Logical pixels."""
_WHOLE = (1.0, 1.0)


class CanvasPainter:
    """Draws into areas of the canvas.

    The canvas's context must be current whenever a method runs, including the constructor.

    Parameters
    ----------
    body : Body
    """

    def __init__(self, body: Body) -> None:
        self._image = ImageVisual()
        self._bodies = TextureLayer(body)
        self._strokes = StrokeVisual()
        self._uploaded: tuple[Image, float] | None = None
        self._layer: tuple[Any, TextureQuad] | None = None
        self._labels: OrderedDict[tuple[str, float, str], tuple[TextureQuad, int, int]] = (
            OrderedDict()
        )
        renderer = str(gl.glGetParameter(_GL_RENDERER)).lower()
        # two samples per pixel along each axis smooth edges, where a graphics card does the work
        software = any(name in renderer for name in _SOFTWARE_RENDERERS)
        self._samples_per_pixel = 1.0 if software else 2.0
        self._height = 1

    def begin_frame(
        self, width: int, height: int, background: tuple[float, float, float, float]
    ) -> None:
        """Clear the canvas of `width` x `height` physical pixels."""
        self._height = height
        gloo.set_viewport(0, 0, width, height)
        gloo.clear(color=background)

    @staticmethod
    def end_frame(background: tuple[float, float, float, float]) -> None:
        """Leave the context in the state that vispy expects."""
        # vispy clears the alpha channel afterwards, with the clear colour used last
        gloo.set_clear_color(background)

    def draw_image(self, viewport: Viewport, image: Image) -> None:
        """Draw the frame's image, (H, W, 3) RGB."""
        self._upload(image, viewport.scale)
        self._enter(viewport.area)
        height, width = image.shape[:2]
        self._image.draw(viewport.clip_space((0, 0, width, height)))

    def draw_scene(self, viewport: Viewport, scene: RenderScene | None) -> None:
        """Draw a scene over the image; None draws nothing."""
        if scene is None:
            return
        region = _visible_part(scene.region, viewport)
        if region is None:
            return
        scale = viewport.scale * self._samples_per_pixel
        size = (max(1, math.ceil(region.width * scale)), max(1, math.ceil(region.height * scale)))
        self._bodies.render(replace(scene, region=region), size)
        self._enter(viewport.area)
        self._bodies.draw(viewport.clip_space((region.x0, region.y0, region.x1, region.y1)))

    def draw_strokes(self, viewport: Viewport, strokes: Strokes) -> None:
        """Draw lines and dots in image pixels."""
        self._enter(viewport.area)
        left, right = viewport.x0, viewport.x1
        if viewport.mirrored:
            left, right = right, left
        part = (left, viewport.y0, right, viewport.y1)
        self._strokes.draw(strokes, part, viewport.scale, upright=True)

    def draw_layer(self, viewport: Viewport, layer: npt.NDArray[np.uint8], part: Rectangle) -> None:
        """Blend a layer (h, w, 4), premultiplied RGBA, over a part of the image."""
        if self._layer is None:
            texture = gloo.Texture2D(
                np.zeros((2, 2, 4), np.uint8), interpolation="linear", wrapping="clamp_to_edge"
            )
            self._layer = (texture, TextureQuad(texture))
        texture, quad = self._layer
        texture.set_data(np.ascontiguousarray(layer))
        self._enter(viewport.area)
        quad.draw(viewport.clip_space(part), _WHOLE, blend=True)

    def draw_label(self, area: Area, text: str, pixels_per_point: float) -> None:
        """Write a line of text into an area's upper left corner; never mirrored."""
        quad, width, height = self._label(text, pixels_per_point)
        gap = round(6 * pixels_per_point)
        self._draw_quad(quad, area, (gap, gap, gap + width, gap + height))

    def draw_label_above(
        self,
        viewport: Viewport,
        text: str,
        point: tuple[float, float],
        pixels_per_point: float,
        colour: npt.NDArray[np.float32],
    ) -> None:
        """Write a line of text above an image point, moved to lie inside the viewport.

        Parameters
        ----------
        viewport : Viewport
        text : str
            Never mirrored.
        point : tuple of float
            Image pixels, pixel edges at integers; the text is centred above it.
        pixels_per_point : float
            Physical pixels per logical pixel.
        colour : (3,) array
            sRGB 0..1 of the text.
        """
        quad, width, height = self._label(text, pixels_per_point, QColor.fromRgbF(*colour.tolist()))
        area, gap = viewport.area, round(3 * pixels_per_point)
        x, y = viewport.area_from_image(*point)
        left = min(max(round(x - width / 2), 0), max(area.width - width, 0))
        top = min(max(round(y) - height - gap, 0), max(area.height - height, 0))
        self._draw_quad(quad, area, (left, top, left + width, top + height))

    def _draw_quad(self, quad: TextureQuad, area: Area, rectangle: Rectangle) -> None:
        """Draw a quad at a rectangle in canvas pixels from the area's upper left corner."""
        self._enter(area)
        pixels = Viewport(area, 0, 0, area.width, area.height)
        quad.draw(pixels.clip_space(rectangle), _WHOLE, blend=True)

    def _enter(self, area: Area) -> None:
        bottom = self._height - area.top - area.height
        gloo.set_viewport(area.left, bottom, area.width, area.height)

    def _label(
        self, text: str, pixels_per_point: float, colour: QColor = _LABEL_COLOUR
    ) -> tuple[TextureQuad, int, int]:
        """Return a cached label: quad, width and height in canvas pixels."""
        key = (text, pixels_per_point, colour.name())
        if key not in self._labels:
            while len(self._labels) >= _MAX_CACHED_LABELS:
                self._labels.popitem(last=False)
            pixels = _render_text(text, pixels_per_point, colour)
            quad = TextureQuad(gloo.Texture2D(pixels, interpolation="linear"))
            self._labels[key] = (quad, pixels.shape[1], pixels.shape[0])
        return self._labels[key]

    def _upload(self, image: Image, scale: float) -> None:
        # an image far larger than the canvas is shrunk first: no flicker, and no size limit
        shrink = scale if scale < 0.5 else 1.0
        if self._uploaded is not None:
            uploaded, uploaded_shrink = self._uploaded
            if uploaded is image and uploaded_shrink == shrink:
                return
        self._uploaded = (image, shrink)
        if shrink < 1:
            # averaging all of an 8K image would block the window for a quarter of a second
            step = max(1, int(0.5 / shrink))
            height, width = image.shape[:2]
            size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
            image = image[::step, ::step]
            image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        self._image.set_image(image)


def _visible_part(region: ImageRegion, viewport: Viewport) -> ImageRegion | None:
    """Return the part of a region inside a viewport, or None if there is none."""
    part = ImageRegion(
        max(region.x0, math.floor(viewport.x0)),
        max(region.y0, math.floor(viewport.y0)),
        min(region.x1, math.ceil(viewport.x1)),
        min(region.y1, math.ceil(viewport.y1)),
    )
    return part if part.width > 0 and part.height > 0 else None


def _render_text(text: str, pixels_per_point: float, colour: QColor) -> npt.NDArray[np.uint8]:
    """Return a line of text on a dark background as (h, w, 4) premultiplied RGBA."""
    font = QFont()
    font.setPixelSize(max(8, round(_LABEL_FONT_SIZE * pixels_per_point)))
    metrics = QFontMetrics(font)
    gap = metrics.height() // 3
    width, height = metrics.horizontalAdvance(text) + 3 * gap, metrics.height() + gap
    image = QImage(width, height, QImage.Format.Format_RGBA8888_Premultiplied)
    image.fill(QColor(0, 0, 0, 0))
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(_LABEL_BACKGROUND)
    painter.drawRoundedRect(image.rect(), gap, gap)
    painter.setPen(colour)
    painter.setFont(font)
    painter.drawText(image.rect(), Qt.AlignmentFlag.AlignCenter, text)
    painter.end()
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(height, image.bytesPerLine())
    return rows[:, : 4 * width].reshape(height, width, 4).copy()
