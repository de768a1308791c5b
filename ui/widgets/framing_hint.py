"""Line over the image with advice before a recording, or about people who are not tracked."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from ui.state.framing import framing_advice
from ui.state.window import Phase, TakePhase, WindowState
from ui.widgets.formatting import sentence

_INTERVAL = 500
"""Milliseconds between two checks."""
_MORE_PEOPLE = "more people"
"""Start of the pipeline's notice that not everyone is tracked."""
_STEADY = 2
"""Checks in a row that must agree, so that advice does not flicker."""


class FramingHint(QLabel):
    """Advice at the lower edge of the canvas; hidden where there is none.

    Parameters
    ----------
    state : WindowState
    canvas_area : QWidget
        Has a grid layout; becomes the parent.
    """

    def __init__(self, state: WindowState, canvas_area: QWidget) -> None:
        super().__init__(canvas_area)
        self._state = state
        self._pending = ("", 0)
        self.setObjectName("canvasNote")
        self.setAccessibleName("Advice")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setWordWrap(False)
        grid = canvas_area.layout()
        assert isinstance(grid, QGridLayout)
        grid.addWidget(self, 0, 0, Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignBottom)
        self.hide()
        self._timer = QTimer(self)
        self._timer.setInterval(_INTERVAL)
        self._timer.timeout.connect(self.check)
        state.phase.watch(self._on_phase_change)

    def check(self) -> None:
        """Show the advice for the newest result, once it is steady."""
        advice = self._advice()
        text, times = self._pending
        times = times + 1 if advice == text else 1
        self._pending = (advice, times)
        if times >= _STEADY and advice != self.text():
            self.setText(advice)
            self.setVisible(bool(advice))

    def _on_phase_change(self, phase: Phase) -> None:
        if phase is Phase.PLAYING:
            self._timer.start()
            return
        self._timer.stop()
        self._pending = ("", 0)
        self.setText("")
        self.hide()

    def _advice(self) -> str:
        state = self._state
        result, figures = state.result.value, state.figures.value
        if result is None or state.takes.opened.value is not None:
            return ""
        if state.view.green_background.value:  # the view is being recorded by another program
            return ""
        recording = state.take.value.phase is TakePhase.RECORDING
        if state.live.value and not recording and state.view.framing.value:
            advice = framing_advice(result, state.body.value.joint_names, figures.frames_per_second)
            if advice:
                return advice
        more = [each for each in figures.notices if each.startswith(_MORE_PEOPLE)]
        return sentence(more[0]) + " The page People sets how many." if more else ""
