"""The picture with the body over it, as a vispy canvas that goes into a Qt layout."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from vispy import app, gloo

from pymaf_live.body import Body
from pymaf_live.rendering import Look
from pymaf_live.rendering.scene import Stage
from pymaf_live.rendering.surface import Surface
from pymaf_live.types import FrameResult
from ui.canvas.free_view import FreeView
from ui.canvas.inside_view import InsideLook, InsideView
from ui.canvas.painter import Painter
from ui.canvas.selection_marker import Chosen, draw_chosen
from ui.canvas.viewport import Area, Pane, halves
from ui.state.people import person_at
from ui.state.view import Layout, Viewpoint

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

_BACKGROUND = (0.09, 0.10, 0.12, 1.0)
_GHOST = Look(opacity=0.55, tint=(0.93, 0.94, 0.96))
_DEGREES = 0.5
"""That the free view turns with each pixel of the mouse."""
_ZOOM = 1.15
_TIMED_EVERY = 4
"""Paints of which one is timed to its end: the card is waited for then."""
_TIMED = 8
"""Timed paints that the mean is over."""
_ARROWS = {"Left": (10.0, 0.0), "Right": (-10.0, 0.0), "Up": (0.0, 10.0), "Down": (0.0, -10.0)}


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
    on_turned : callable, optional
        Called when a person has turned the free view by mouse or keys.
    on_picked : callable, optional
        Called with whom a person has clicked on in the picture; None: on nobody.
    """

    def __init__(
        self,
        body: Body,
        parent: QWidget | None = None,
        on_drawn: Callable[[FrameResult], None] | None = None,
        on_turned: Callable[[Viewpoint], None] | None = None,
        on_picked: Callable[[int | None], None] | None = None,
    ) -> None:
        self._take_body(body)
        self._look = Look()
        self._mirrored = False
        self._ghost = False
        self._layout = Layout.PICTURE
        self._viewpoint = Viewpoint()
        self._inside: InsideLook | None = None
        self._chosen: Chosen | None = None
        self._result: FrameResult | None = None
        self._free_area: Area | None = None
        self._held = False
        self._paints = 0
        self._times: deque[float] = deque(maxlen=_TIMED)
        self._on_drawn = on_drawn
        self._on_turned = on_turned
        self._on_picked = on_picked
        self._picture_pane: Pane | None = None
        self.failure = ""
        """Why nothing more is drawn; empty when all is well."""
        super().__init__(
            title="PyMAF Live", app="pyside6", show=False, parent=parent, vsync=True, keys=None
        )

    def show_result(self, result: FrameResult | None) -> None:
        """Show a frame and its people from the next paint on; None empties the canvas."""
        self._result = result
        self.update()

    def show_body(self, body: Body) -> None:
        """Draw what comes as this body; what is shown is of another one and goes."""
        if body is self._body:
            return
        self._take_body(body)
        self.show_result(None)

    def _take_body(self, body: Body) -> None:
        self._body = body
        surface = Surface(body)
        self._stage = Stage(surface)
        self._ghost_stage = Stage(surface, "ghost")
        self._free = FreeView(body, self._stage)
        self._levels = InsideView(surface)
        self._painter: Painter | None = None

    @property
    def result(self) -> FrameResult | None:
        """What was given to `show_result` last."""
        return self._result

    @property
    def milliseconds(self) -> float | None:
        """What a paint takes, mean over some of the last ones; None before the first timed one."""
        return sum(self._times) / len(self._times) if self._times else None

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

    @property
    def ghost(self) -> bool:
        """Whether the people before smoothing are drawn, pale, behind the smoothed ones."""
        return self._ghost

    @ghost.setter
    def ghost(self, shown: bool) -> None:
        self._ghost = shown
        self.update()

    @property
    def layout(self) -> Layout:
        """Picture, free view or both."""
        return self._layout

    @layout.setter
    def layout(self, layout: Layout) -> None:
        self._layout = layout
        self.update()

    @property
    def viewpoint(self) -> Viewpoint:
        """From where the free view looks."""
        return self._viewpoint

    @viewpoint.setter
    def viewpoint(self, viewpoint: Viewpoint) -> None:
        self._viewpoint = viewpoint
        self.update()

    @property
    def inside(self) -> InsideLook | None:
        """What is shown of the network's levels in place of the picture; None: nothing."""
        return self._inside

    @inside.setter
    def inside(self, look: InsideLook | None) -> None:
        self._inside = look
        self.update()

    @property
    def chosen(self) -> Chosen | None:
        """Who is marked; None: nobody."""
        return self._chosen

    @chosen.setter
    def chosen(self, chosen: Chosen | None) -> None:
        self._chosen = chosen
        self.update()

    def on_draw(self, event: Any) -> None:
        """Paint; called by vispy with the context current."""
        if self.failure:
            return
        try:
            self._paint_timed()
        except Exception as error:
            # a driver's fault must not end a run that records
            self.failure = " ".join(str(error).split()) or type(error).__name__
            return
        if self._result is not None and self._on_drawn is not None:
            self._on_drawn(self._result)

    # -- mouse and keys -----------------------------------------------------------------------

    def on_mouse_press(self, event: Any) -> None:
        """Take hold of the free view, or choose somebody in the picture."""
        self._held = self._in_free_view(event) and event.button == 1
        pane, scale = self._picture_pane, self.pixel_scale
        if self._held or event.button != 1 or pane is None or self._on_picked is None:
            return
        x, y = (float(n) * scale for n in event.pos[:2])
        if pane.area.holds(x, y):
            # pixel centres lie at whole numbers there, edges here
            across, down = pane.in_picture(x, y)
            people = self._result.people if self._result is not None else ()
            self._on_picked(person_at(people, across - 0.5, down - 0.5))

    def on_mouse_release(self, event: Any) -> None:
        """Let go of the free view."""
        self._held = False

    def on_mouse_move(self, event: Any) -> None:
        """Turn the free view as a turntable, while it is held."""
        if not self._held or event.last_event is None:
            return
        across, down = (float(n) for n in event.pos[:2] - event.last_event.pos[:2])
        across = -across if self._mirrored else across
        self._turn(self._viewpoint.turned(-_DEGREES * across, _DEGREES * down))

    def on_mouse_wheel(self, event: Any) -> None:
        """Nearer and farther."""
        if self._in_free_view(event):
            self._turn(self._viewpoint.nearer(_ZOOM ** float(event.delta[1])))

    def on_key_press(self, event: Any) -> None:
        """Arrows turn the free view, plus and minus zoom; everything else is the window's."""
        key = event.key.name if event.key is not None else ""
        step = _ARROWS.get(key)
        if self._layout is Layout.PICTURE or (step is None and event.text not in ("+", "-")):
            event.native.ignore()
            return
        if step is not None:
            across = -step[0] if self._mirrored else step[0]
            self._turn(self._viewpoint.turned(across, step[1]))
        else:
            self._turn(self._viewpoint.nearer(_ZOOM if event.text == "+" else 1 / _ZOOM))

    def _in_free_view(self, event: Any) -> bool:
        scale = self.pixel_scale
        return self._free_area is not None and self._free_area.holds(
            event.pos[0] * scale, event.pos[1] * scale
        )

    def _turn(self, viewpoint: Viewpoint) -> None:
        self.viewpoint = viewpoint
        if self._on_turned is not None:
            self._on_turned(viewpoint)

    # -- drawing ------------------------------------------------------------------------------

    def _paint_timed(self) -> None:
        self._paints += 1
        if self._result is None or self._paints % _TIMED_EVERY:
            self._paint()
            return
        start = time.perf_counter()
        self._paint()
        gloo.finish()  # drawing goes on after the calls for it have returned
        self._times.append(1000 * (time.perf_counter() - start))

    def _paint(self) -> None:
        width, height = self.physical_size
        if self._painter is None:
            # only now is there a context
            self._painter = Painter(self._stage.surface)
        self._painter.begin(width, height, _BACKGROUND)
        self._paint_areas(self._painter, Area(0, 0, width, height))
        self._painter.end(_BACKGROUND)

    def _paint_areas(self, painter: Painter, whole: Area) -> None:
        result = self._result
        picture, free = {
            Layout.PICTURE: (whole, None),
            Layout.FREE: (None, whole),
            Layout.BOTH: halves(whole),
        }[self._layout]
        self._free_area, self._picture_pane = free, None
        if result is None:
            return
        if free is not None:
            self._free.follow(result)
            pane, people = self._free.draw(
                painter, free, result, self._viewpoint, replace(self._look, box=False),
                self._mirrored, (self._ghost_stage, _GHOST) if self._ghost else None,
            )  # fmt: skip
            draw_chosen(painter, pane, people, self._chosen, self.pixel_scale)
        if picture is None:
            return
        if self._inside is not None and result.inside:
            self._levels.draw(
                painter, picture, result, self._inside, self._look.opacity, self._mirrored,
                self.pixel_scale,
            )  # fmt: skip
        else:
            self._paint_picture(painter, picture, result)

    def _paint_picture(self, painter: Painter, area: Area, result: FrameResult) -> None:
        rows, columns = result.frame.image.shape[:2]
        pane = Pane.about(area, (0, 0, columns, rows), self._mirrored)
        self._picture_pane = pane
        painter.picture(pane, result.frame.image)
        if result.camera is None:
            return
        size = (columns, rows)
        if self._ghost:
            painter.bodies(pane, self._ghost_stage.scene(result.raw, result.camera, size, _GHOST))
        painter.bodies(pane, self._stage.scene(result.people, result.camera, size, self._look))
        draw_chosen(painter, pane, result.people, self._chosen, self.pixel_scale)
