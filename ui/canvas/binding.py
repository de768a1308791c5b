"""Binding between the window's state and the canvas."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from pymaf_live.rendering import OverlayStyle
from pymaf_live.types import FrameResult
from ui.canvas.body_canvas import BodyCanvas
from ui.canvas.display_options import DisplayOptions, InsideOptions, Selection
from ui.state.people import visible_people
from ui.state.window import Drawn, Message, Phase, WindowState

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget


class CanvasBinding:
    """Shows the state's results on a canvas and reports back when they are drawn.

    Parameters
    ----------
    state : WindowState
    """

    def __init__(self, state: WindowState) -> None:
        self._state = state
        self._failure_reported = False
        view = state.view
        people = state.people
        self._canvas = BodyCanvas(
            state.body.value,
            on_drawn=self._on_drawn,
            on_turned=view.viewpoint.set,
            on_picked=people.selected_id.set,
        )
        self._unwatch = (
            state.body.watch(self._canvas.show_body),
            state.result.watch(self._on_result_change),
            *(
                part.watch(lambda _: self._on_result_change(state.result.value))
                for part in (people.hidden_ids, people.selected_id, people.solo, state.phase)
            ),
            *(
                part.watch(self._on_option_change)
                for part in (
                    *(people.selected_id, people.names, people.seen_ids, people.solo),
                    *(state.mirror, state.opacity, state.skeleton),
                    *(view.mesh, view.points, view.box, view.ghost, view.body_style),
                    view.green_background,
                    *(view.layout, view.viewpoint),
                    *(view.inside, view.inside_level, view.inside_points, view.inside_dense),
                    state.takes.drawing_box,
                )
            ),
        )

    @property
    def widget(self) -> QWidget:
        """The canvas as a Qt widget."""
        widget: QWidget = self._canvas.native
        return widget

    def close(self) -> None:
        """Stop drawing and release the OpenGL context."""
        for unwatch in self._unwatch:
            unwatch()
        self._canvas.close()

    def _on_result_change(self, result: FrameResult | None) -> None:
        if result is not None:
            result = self._held(result)
            people = self._state.people
            shown, raw = visible_people(result.people, people), visible_people(result.raw, people)
            if (len(shown), len(raw)) != (len(result.people), len(result.raw)):
                result = replace(result, people=shown, raw=raw)
        self._canvas.show_result(result)
        if self._canvas.failure and not self._failure_reported:
            self._failure_reported = True
            text = (
                f"The view cannot be drawn ({self._canvas.failure}). Recording still works; "
                "restart the program to get the view back."
            )
            self._state.message.set(Message("error", text))

    def _held(self, result: FrameResult) -> FrameResult:
        """Return the result with the people measured in this frame where a source is paused.

        The live filter trails fast motion by some frames. A held image needs no smoothing over
        time, and there the distance would be visible.
        """
        held = self._state.phase.value in (Phase.PAUSED, Phase.ENDED)
        reviewing = self._state.takes.opened.value is not None
        return replace(result, people=result.raw) if held and not reviewing else result

    def _on_option_change(self, _: object) -> None:
        options = self._display_options()
        # the same options again would only cost a repaint
        if options != self._canvas.options:
            self._canvas.options = options

    def _display_options(self) -> DisplayOptions:
        state, view = self._state, self._state.view
        inside = None
        # a box is drawn over the image itself
        if view.inside.value and not state.takes.drawing_box.value:
            inside = InsideOptions(
                view.inside_level.value, view.inside_points.value, view.inside_dense.value
            )
        return DisplayOptions(
            style=OverlayStyle(
                opacity=state.opacity.value,
                body=view.body_style.value,
                mesh=view.mesh.value,
                skeleton=state.skeleton.value,
                points=view.points.value,
                box=view.box.value,
            ),
            mirrored=state.mirror.value,
            green_background=view.green_background.value,
            ghost=view.ghost.value,
            layout=view.layout.value,
            viewpoint=view.viewpoint.value,
            inside=inside,
            selection=self._selection(),
        )

    def _selection(self) -> Selection | None:
        people = self._state.people
        person = people.selected_id.value
        # a single person needs no mark
        marked = len(people.seen_ids.value) > 1 and not people.solo.value
        if person is None or not marked:
            return None
        return Selection(person, people.name_of(person))

    def _on_drawn(self, result: FrameResult) -> None:
        # repainting an image that was drawn before says nothing about the latency
        drawn = self._state.drawn.value
        if drawn is None or drawn.index != result.frame.index:
            latency = 1000 * (time.monotonic() - result.frame.arrived)
            self._state.drawn.set(Drawn(result.frame.index, latency, self._canvas.milliseconds))
