"""Joins the state and the canvas: results and the view's settings in, what was drawn out."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from pymaf_live.rendering import Look
from pymaf_live.types import FrameResult
from ui.canvas.body_canvas import BodyCanvas
from ui.canvas.inside_view import InsideLook
from ui.canvas.selection_marker import Chosen
from ui.state.people import drawn
from ui.state.view import Layout, Viewpoint
from ui.state.window import Drawn, Message, WindowState

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget


class CanvasBinding:
    """Shows the state's result on a canvas of its own.

    Parameters
    ----------
    state : WindowState
    """

    def __init__(self, state: WindowState) -> None:
        self._state = state
        self._told = False
        view = state.view
        people = state.people
        self._canvas = BodyCanvas(
            state.body.value,
            on_drawn=self._on_drawn,
            on_turned=view.viewpoint.set,
            on_picked=people.chosen.set,
        )
        self._unwatch = (
            state.body.watch(self._canvas.show_body),
            state.result.watch(self._on_result_change),
            *(
                part.watch(lambda _: self._on_result_change(state.result.value))
                for part in (people.muted, people.chosen, people.alone)
            ),
            *(
                part.watch(self._on_chosen_change)
                for part in (people.chosen, people.names, people.there, people.alone)
            ),
            state.mirror.watch(self._on_mirror_change),
            *(
                part.watch(self._on_look_change)
                for part in (state.opacity, state.skeleton, view.mesh, view.points, view.box)
            ),
            view.ghost.watch(self._on_ghost_change),
            view.layout.watch(self._on_layout_change),
            view.viewpoint.watch(self._on_viewpoint_change),
            *(
                part.watch(self._on_inside_change)
                for part in (view.inside, view.inside_level, view.inside_points, view.inside_dense)
            ),
            state.takes.boxing.watch(self._on_inside_change),
        )

    @property
    def widget(self) -> QWidget:
        """The canvas, to be put into a layout."""
        widget: QWidget = self._canvas.native
        return widget

    def close(self) -> None:
        """Draw nothing more and give the context back."""
        for unwatch in self._unwatch:
            unwatch()
        self._canvas.close()

    def _on_result_change(self, result: FrameResult | None) -> None:
        if result is not None:
            people = self._state.people
            shown, raw = drawn(result.people, people), drawn(result.raw, people)
            if (len(shown), len(raw)) != (len(result.people), len(result.raw)):
                result = replace(result, people=shown, raw=raw)
        self._canvas.show_result(result)
        if self._canvas.failure and not self._told:
            self._told = True
            text = f"The picture cannot be drawn ({self._canvas.failure}); recording still works."
            self._state.message.set(Message("error", text))

    def _on_chosen_change(self, _: object) -> None:
        people = self._state.people
        person = people.chosen.value
        # who is the only one needs no mark
        told = person is not None and len(people.there.value) > 1 and not people.alone.value
        mark = Chosen(person, people.name_of(person)) if told and person is not None else None
        self._canvas.chosen = mark

    def _on_look_change(self, _: object) -> None:
        state, view = self._state, self._state.view
        self._canvas.look = Look(
            opacity=state.opacity.value,
            body=view.mesh.value,
            skeleton=state.skeleton.value,
            points=view.points.value,
            box=view.box.value,
        )

    def _on_ghost_change(self, ghost: bool) -> None:
        self._canvas.ghost = ghost

    def _on_layout_change(self, layout: Layout) -> None:
        self._canvas.layout = layout

    def _on_viewpoint_change(self, viewpoint: Viewpoint) -> None:
        self._canvas.viewpoint = viewpoint

    def _on_inside_change(self, _: object) -> None:
        view = self._state.view
        look = InsideLook(
            view.inside_level.value, view.inside_points.value, view.inside_dense.value
        )
        # a box is drawn over the picture itself
        shown = view.inside.value and not self._state.takes.boxing.value
        self._canvas.inside = look if shown else None

    def _on_mirror_change(self, mirror: bool) -> None:
        self._canvas.mirrored = mirror

    def _on_drawn(self, result: FrameResult) -> None:
        # a repaint of a picture that was drawn before says nothing about the delay
        drawn = self._state.drawn.value
        if drawn is None or drawn.index != result.frame.index:
            delay = 1000 * (time.monotonic() - result.frame.arrived)
            self._state.drawn.set(Drawn(result.frame.index, delay, self._canvas.milliseconds))
