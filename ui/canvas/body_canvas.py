"""Canvas that shows a frame with its bodies: a vispy canvas for use in a Qt layout."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from vispy import app, gloo

from pymaf_live.body import Body
from pymaf_live.rendering import OverlayStyle
from pymaf_live.rendering.scene import SceneBuilder
from pymaf_live.rendering.surface import Surfaces
from pymaf_live.types import FrameResult
from ui.canvas.display_options import DisplayOptions
from ui.canvas.free_view import FreeView
from ui.canvas.inside_view import InsideView
from ui.canvas.painter import CanvasPainter
from ui.canvas.selection_marker import draw_selection
from ui.canvas.turntable import dragged, key_pressed, zoomed
from ui.canvas.viewport import Area, Viewport, halves
from ui.state.people import person_at
from ui.state.view import Layout, Viewpoint

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

_BACKGROUND = (0.09, 0.10, 0.12, 1.0)
_GREEN = (0.0, 0.694, 0.251, 1.0)
"""The usual green of chroma keying."""
_GHOST_STYLE = OverlayStyle(opacity=0.55, tint=(0.93, 0.94, 0.96))
_TIMING_INTERVAL = 4
"""One paint out of this many is timed, which waits for the graphics card."""
_TIMING_SAMPLES = 8
"""Timed paints that the mean is taken over."""


class BodyCanvas(app.Canvas):  # type: ignore[misc]
    """Shows one `FrameResult` at a time, letterboxed.

    Use it in the GUI thread only. Drawing is deferred to the next paint, so results that arrive
    faster than the screen refreshes cost nothing.

    Parameters
    ----------
    body : Body
    parent : QWidget, optional
    on_drawn : callable, optional
        Called after each paint with the result now on the screen.
    on_turned : callable, optional
        Called with the new viewpoint when the user turns the free view by mouse or keyboard.
    on_picked : callable, optional
        Called with the id of the person clicked in the image, or None if there is none.
    """

    def __init__(
        self,
        body: Body,
        parent: QWidget | None = None,
        on_drawn: Callable[[FrameResult], None] | None = None,
        on_turned: Callable[[Viewpoint], None] | None = None,
        on_picked: Callable[[int | None], None] | None = None,
    ) -> None:
        self._set_body(body)
        self._options = DisplayOptions()
        self._result: FrameResult | None = None
        self._free_area: Area | None = None
        self._image_viewport: Viewport | None = None
        self._dragging = False
        self._paints = 0
        self._paint_times: deque[float] = deque(maxlen=_TIMING_SAMPLES)
        self._on_drawn = on_drawn
        self._on_turned = on_turned
        self._on_picked = on_picked
        self.failure = ""
        """Reason why drawing has stopped; empty while it works."""
        super().__init__(
            title="PyMAF Live", app="pyside6", show=False, parent=parent, vsync=True, keys=None
        )

    def show_result(self, result: FrameResult | None) -> None:
        """Show a frame and its people from the next paint on; None empties the canvas."""
        self._result = result
        self.update()

    def show_body(self, body: Body) -> None:
        """Draw results with this body from now on; the result of another body is removed."""
        if body is self._body:
            return
        self._set_body(body)
        self.show_result(None)

    def _set_body(self, body: Body) -> None:
        self._body = body
        surfaces = Surfaces(body)
        self._scenes = SceneBuilder(surfaces)
        self._ghost_scenes = SceneBuilder(surfaces, "ghost")
        self._free_view = FreeView(body, self._scenes)
        self._inside_view = InsideView(surfaces)
        self._painter: CanvasPainter | None = None

    @property
    def result(self) -> FrameResult | None:
        """Result that was passed to `show_result` last."""
        return self._result

    @property
    def milliseconds(self) -> float | None:
        """Mean time of a paint over the last timed ones; None before the first."""
        times = self._paint_times
        return sum(times) / len(times) if times else None

    @property
    def options(self) -> DisplayOptions:
        """Display options; assigning them repaints."""
        return self._options

    @options.setter
    def options(self, options: DisplayOptions) -> None:
        self._options = options
        self.update()

    def on_draw(self, event: Any) -> None:
        """Paint. Called by vispy with the context current."""
        if self.failure:
            return
        try:
            self._paint_timed()
        except Exception as error:
            # a driver error must not end a running recording
            self.failure = " ".join(str(error).split()) or type(error).__name__
            return
        if self._result is not None and self._on_drawn is not None:
            self._on_drawn(self._result)

    # -- mouse and keyboard -------------------------------------------------------------------

    def on_mouse_press(self, event: Any) -> None:
        """Start turning the free view, or select a person in the image."""
        self._dragging = self._in_free_view(event) and event.button == 1
        viewport, scale = self._image_viewport, self.pixel_scale
        if self._dragging or event.button != 1 or viewport is None or self._on_picked is None:
            return
        x, y = (float(n) * scale for n in event.pos[:2])
        if viewport.area.contains(x, y):
            # the viewport has pixel edges at integers, people have pixel centres there
            column, row = viewport.image_from_canvas(x, y)
            people = self._result.people if self._result is not None else ()
            self._on_picked(person_at(people, column - 0.5, row - 0.5))

    def on_mouse_release(self, event: Any) -> None:
        """Stop turning the free view."""
        self._dragging = False

    def on_mouse_move(self, event: Any) -> None:
        """Turn the free view while the mouse button is held."""
        if not self._dragging or event.last_event is None:
            return
        dx, dy = (float(n) for n in event.pos[:2] - event.last_event.pos[:2])
        options = self._options
        self._set_viewpoint(dragged(options.viewpoint, dx, dy, mirrored=options.mirrored))

    def on_mouse_wheel(self, event: Any) -> None:
        """Zoom the free view."""
        if self._in_free_view(event):
            self._set_viewpoint(zoomed(self._options.viewpoint, float(event.delta[1])))

    def on_key_press(self, event: Any) -> None:
        """Turn the free view by arrow keys, zoom by plus and minus; pass on all other keys."""
        options = self._options
        viewpoint = None
        if options.layout is not Layout.PICTURE:
            key = event.key.name if event.key is not None else ""
            viewpoint = key_pressed(options.viewpoint, key, event.text, mirrored=options.mirrored)
        if viewpoint is None:
            event.native.ignore()
        else:
            self._set_viewpoint(viewpoint)

    def _in_free_view(self, event: Any) -> bool:
        scale = self.pixel_scale
        return self._free_area is not None and self._free_area.contains(
            event.pos[0] * scale, event.pos[1] * scale
        )

    def _set_viewpoint(self, viewpoint: Viewpoint) -> None:
        self.options = replace(self._options, viewpoint=viewpoint)
        if self._on_turned is not None:
            self._on_turned(viewpoint)

    # -- drawing ------------------------------------------------------------------------------

    def _paint_timed(self) -> None:
        self._paints += 1
        if self._result is None or self._paints % _TIMING_INTERVAL:
            self._paint()
            return
        start = time.perf_counter()
        self._paint()
        gloo.finish()  # GL calls return before the card has finished drawing
        self._paint_times.append(1000 * (time.perf_counter() - start))

    def _paint(self) -> None:
        width, height = self.physical_size
        if self._painter is None:
            # there is no context before the first paint
            self._painter = CanvasPainter(self._body)
        background = _GREEN if self._options.green_background else _BACKGROUND
        self._painter.begin_frame(width, height, background)
        self._paint_areas(self._painter, Area(0, 0, width, height))
        self._painter.end_frame(background)

    def _paint_areas(self, painter: CanvasPainter, canvas: Area) -> None:
        image_area, free_area = {
            Layout.PICTURE: (canvas, None),
            Layout.FREE: (None, canvas),
            Layout.BOTH: halves(canvas),
        }[self._options.layout]
        self._free_area, self._image_viewport = free_area, None
        if self._result is None:
            return
        if free_area is not None:
            self._paint_free_view(painter, free_area, self._result)
        if image_area is None:
            return
        if self._options.inside is not None and self._result.level_traces:
            self._inside_view.draw(
                painter, image_area, self._result, self._options, self.pixel_scale
            )
        else:
            self._paint_image(painter, image_area, self._result)

    def _paint_free_view(self, painter: CanvasPainter, area: Area, result: FrameResult) -> None:
        options = self._options
        self._free_view.follow(result)
        ghost = (self._ghost_scenes, _GHOST_STYLE) if options.ghost else None
        viewport, people = self._free_view.draw(painter, area, result, options, ghost)
        draw_selection(painter, viewport, people, options.selection, self.pixel_scale)

    def _paint_image(self, painter: CanvasPainter, area: Area, result: FrameResult) -> None:
        options = self._options
        height, width = result.frame.image.shape[:2]
        viewport = Viewport.fit(area, (0, 0, width, height), options.mirrored)
        self._image_viewport = viewport
        if not options.green_background:
            painter.draw_image(viewport, result.frame.image)
        camera = result.camera
        if camera is None:
            return
        size = (width, height)
        if options.ghost:
            ghost = self._ghost_scenes.build(result.raw, camera, size, _GHOST_STYLE)
            painter.draw_scene(viewport, ghost)
        scene = self._scenes.build(result.people, camera, size, options.style)
        painter.draw_scene(viewport, scene)
        draw_selection(painter, viewport, result.people, options.selection, self.pixel_scale)
