"""The place of the picture, with a line over it while there is none."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QFocusEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QSizePolicy, QWidget

from pymaf_live.types import FrameResult
from ui.state.window import Phase, TakePhase, TakeStatus, WindowState

_PATIENCE = 20
"""Results without anybody before the stage says so: detection may need a moment."""


class CanvasArea(QWidget):
    """Holds the canvas and says what is being waited for.

    Parameters
    ----------
    state : WindowState
    canvas : QWidget
    """

    def __init__(self, state: WindowState, canvas: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._nobody = 0
        self.canvas = canvas
        canvas.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        canvas.setAccessibleName("Picture with the body over it")
        canvas.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        canvas.setMinimumSize(160, 120)
        self.note = QLabel()
        self.note.setObjectName("stageNote")
        self.note.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.badge = QLabel("●  REC")
        self.badge.setStyleSheet(
            "color: white; background: rgba(200, 50, 45, 220); border-radius: 6px;"
            "padding: 4px 10px; font-weight: 600;"
        )
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(canvas, 0, 0)
        middle = Qt.AlignmentFlag.AlignHCenter
        grid.addWidget(self.note, 0, 0, middle | Qt.AlignmentFlag.AlignVCenter)
        corner = QWidget()
        corner.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        inner = QGridLayout(corner)
        inner.setContentsMargins(14, 14, 14, 14)
        inner.addWidget(self.badge)
        top_left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop
        grid.addWidget(corner, 0, 0, top_left)
        state.phase.watch(lambda _: self._say())
        state.result.watch(self._on_result_change)
        state.take.watch(self._on_take_change)

    def focusInEvent(self, event: QFocusEvent) -> None:  # noqa: N802 - Qt's name
        """The canvas is what has the keyboard here."""
        self.canvas.setFocus()

    def _on_result_change(self, result: FrameResult | None) -> None:
        if result is None or result.people:
            self._nobody = 0
        else:
            self._nobody += 1
        self._say()

    def _on_take_change(self, take: TakeStatus) -> None:
        self.badge.setVisible(take.phase is TakePhase.RECORDING)

    def _say(self) -> None:
        phase, result = self._state.phase.value, self._state.result.value
        text = ""
        if phase is Phase.OPENING or (phase is Phase.PLAYING and result is None):
            source = self._state.source.value
            text = f"Opening {source.title}…" if source else "Opening…"
        elif self._nobody >= (1 if phase is Phase.ENDED else _PATIENCE):
            text = "Nobody is seen here."
            if self._state.live.value:
                text = "Nobody is seen. Step back until the whole body is in the picture."
        if text != self.note.text():
            self.note.setText(text)
        self.note.setVisible(bool(text))
