"""Joins the state and the canvas: results and the view's settings in, what was drawn out."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pymaf_live.body import Body
from pymaf_live.types import FrameResult
from ui.canvas.body_canvas import BodyCanvas
from ui.state import Drawn, Message, WindowState

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget


class CanvasBinding:
    """Shows the state's result on a canvas of its own.

    Parameters
    ----------
    state : WindowState
    body : Body
    """

    def __init__(self, state: WindowState, body: Body) -> None:
        self._state = state
        self._told = False
        self._canvas = BodyCanvas(body, on_drawn=self._on_drawn)
        self._unwatch = (
            state.result.watch(self._on_result_change),
            state.opacity.watch(self._on_opacity_change),
            state.skeleton.watch(self._on_skeleton_change),
            state.mirror.watch(self._on_mirror_change),
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
        self._canvas.show_result(result)
        if self._canvas.failure and not self._told:
            self._told = True
            text = f"The picture cannot be drawn ({self._canvas.failure}); recording still works."
            self._state.message.set(Message("error", text))

    def _on_opacity_change(self, opacity: float) -> None:
        self._canvas.opacity = opacity

    def _on_skeleton_change(self, skeleton: bool) -> None:
        self._canvas.skeleton = skeleton

    def _on_mirror_change(self, mirror: bool) -> None:
        self._canvas.mirrored = mirror

    def _on_drawn(self, result: FrameResult) -> None:
        # a repaint of a picture that was drawn before says nothing about the delay
        drawn = self._state.drawn.value
        if drawn is None or drawn.index != result.frame.index:
            delay = 1000 * (time.monotonic() - result.frame.arrived)
            self._state.drawn.set(Drawn(result.frame.index, delay))
