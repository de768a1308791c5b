"""The picture with the body over it, as a vispy canvas that goes into a Qt layout."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from vispy import app, gloo
from vispy.gloo import gl

from pymaf_live.body import Body
from pymaf_live.drawing import Look
from pymaf_live.drawing.layer import BodyLayer
from pymaf_live.drawing.scene import Scene, Stage
from pymaf_live.drawing.surface import Surface
from pymaf_live.drawing.visuals import PictureVisual
from pymaf_live.types import FrameResult, Image

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

_RENDERER = 0x1F01
_SOFTWARE = ("llvmpipe", "softpipe", "swrast", "swiftshader", "software")
_BACKGROUND = (0.09, 0.10, 0.12, 1.0)
_Place = tuple[float, float, float, float]


class BodyCanvas(app.Canvas):  # type: ignore[misc]
    """Shows one `FrameResult` at a time, letterboxed.

    Everything happens in the GUI thread. Drawing is put off to the next paint, so results that
    come faster than the screen cost nothing.

    Parameters
    ----------
    body : Body
    parent : QWidget, optional
    on_drawn : callable, optional
        Called after each paint with the result that is now on the screen.
    """

    def __init__(
        self,
        body: Body,
        parent: QWidget | None = None,
        on_drawn: Callable[[FrameResult], None] | None = None,
    ) -> None:
        self._stage = Stage(Surface(body))
        self._look = Look()
        self._mirrored = False
        self._result: FrameResult | None = None
        self._uploaded: tuple[Image, float] | None = None
        self._picture: PictureVisual | None = None
        self._layer: BodyLayer | None = None
        self._fineness = 1.0
        self._on_drawn = on_drawn
        self.failure = ""
        """Why nothing more is drawn; empty when all is well."""
        super().__init__(
            title="PyMAF Live", app="pyside6", show=False, parent=parent, vsync=True, keys=None
        )

    def show_result(self, result: FrameResult | None) -> None:
        """Show a frame and its people from the next paint on; None empties the canvas."""
        self._result = result
        self.update()

    @property
    def result(self) -> FrameResult | None:
        """What was given to `show_result` last."""
        return self._result

    @property
    def look(self) -> Look:
        """Opacity, and whether body and skeleton are shown."""
        return self._look

    @look.setter
    def look(self, look: Look) -> None:
        self._look = look
        self.update()

    @property
    def opacity(self) -> float:
        """0..1 of the body over the picture."""
        return self._look.opacity

    @opacity.setter
    def opacity(self, opacity: float) -> None:
        self.look = replace(self._look, opacity=min(max(opacity, 0.0), 1.0))

    @property
    def skeleton(self) -> bool:
        """Whether bones and joints are drawn over the body."""
        return self._look.skeleton

    @skeleton.setter
    def skeleton(self, shown: bool) -> None:
        self.look = replace(self._look, skeleton=shown)

    @property
    def mirrored(self) -> bool:
        """Whether left and right are exchanged, as in a mirror; of the view only."""
        return self._mirrored

    @mirrored.setter
    def mirrored(self, mirrored: bool) -> None:
        self._mirrored = mirrored
        self.update()

    def on_draw(self, event: Any) -> None:
        """Paint; called by vispy with the context current."""
        if self.failure:
            return
        try:
            self._paint()
        except Exception as error:
            # a driver's fault must not end a run that records
            self.failure = " ".join(str(error).split()) or type(error).__name__
            return
        if self._result is not None and self._on_drawn is not None:
            self._on_drawn(self._result)

    def _paint(self) -> None:
        width, height = self.physical_size
        picture, layer = self._visuals()
        result = self._result
        scene = None if result is None else self._scene(result)
        if result is None:
            gloo.set_viewport(0, 0, width, height)
            gloo.clear(color=_BACKGROUND)
            return
        rows, columns = result.frame.image.shape[:2]
        scale = min(width / columns, height / rows)
        if scene is not None:
            fine = scale * self._fineness
            size = (scene.window.width * fine, scene.window.height * fine)
            layer.render(scene, (max(1, math.ceil(size[0])), max(1, math.ceil(size[1]))))
        self._upload(picture, result.frame.image, scale)
        gloo.set_viewport(0, 0, width, height)
        gloo.clear(color=_BACKGROUND)
        half = (columns * scale / width, rows * scale / height)
        picture.draw(self._place((0, 0, columns, rows), (columns, rows), half))
        if scene is not None:
            window = scene.window
            part = (window.x0, window.y0, window.x1, window.y1)
            layer.draw(self._place(part, (columns, rows), half))

    def _visuals(self) -> tuple[PictureVisual, BodyLayer]:
        if self._picture is None or self._layer is None:
            # only now is there a context
            self._picture = PictureVisual()
            self._layer = BodyLayer(self._stage.surface)
            renderer = str(gl.glGetParameter(_RENDERER)).lower()
            # two samples a pixel along each axis smooth the edges where that costs nothing
            self._fineness = 1.0 if any(name in renderer for name in _SOFTWARE) else 2.0
        return self._picture, self._layer

    def _scene(self, result: FrameResult) -> Scene | None:
        if not result.people or result.camera is None:
            return None
        rows, columns = result.frame.image.shape[:2]
        return self._stage.scene(result.people, result.camera, (columns, rows), self._look)

    def _upload(self, picture: PictureVisual, image: Image, scale: float) -> None:
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
        picture.set_image(image)

    def _place(
        self,
        part: tuple[int, int, int, int],
        size: tuple[int, int],
        half: tuple[float, float],
    ) -> _Place:
        """Clip-space left, top, right, bottom of a part of the picture."""
        left, right = (half[0] * (2 * part[i] / size[0] - 1) for i in (0, 2))
        top, bottom = (half[1] * (1 - 2 * part[i] / size[1]) for i in (1, 3))
        return (-left, top, -right, bottom) if self._mirrored else (left, top, right, bottom)
