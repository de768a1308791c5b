"""Area of the canvas, with a note over it while there is nothing to see."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QFocusEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QProgressBar, QSizePolicy, QVBoxLayout, QWidget

from pymaf_live.types import FrameResult
from ui.state.window import Phase, TakePhase, TakeStatus, WindowState

_EMPTY_RESULTS = 20
"""Results without people before the note appears; detection may need a moment."""

_OPENING = "Opening"


class CanvasArea(QWidget):
    """Holds the canvas, a note that explains an empty view, and the recording badge.

    Parameters
    ----------
    state : WindowState
    canvas : QWidget
    parent : QWidget, optional
    """

    def __init__(self, state: WindowState, canvas: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._empty_results = 0
        self.canvas = canvas
        canvas.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        canvas.setAccessibleName("Image with the body over it")
        canvas.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        canvas.setMinimumSize(160, 120)
        self.note = QLabel()
        self.note.setObjectName("canvasNote")
        self.note.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.progress = QProgressBar()
        self.badge = QLabel("●  REC")
        self.badge.setStyleSheet(
            "color: white; background: rgba(200, 50, 45, 220); border-radius: 6px;"
            "padding: 4px 10px; font-weight: 600;"
        )
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(canvas, 0, 0)
        grid.addWidget(self._note_with_progress(), 0, 0, Qt.AlignmentFlag.AlignCenter)
        corner = QWidget()
        corner.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        inner = QGridLayout(corner)
        inner.setContentsMargins(14, 14, 14, 14)
        inner.addWidget(self.badge)
        grid.addWidget(corner, 0, 0, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        state.phase.watch(lambda _: self._update_note())
        state.sources.opening.watch(lambda _: self._update_note())
        state.result.watch(self._on_result_change)
        state.take.watch(self._on_take_change)

    def _note_with_progress(self) -> QWidget:
        self.progress.setRange(0, 0)  # animated: how long a model takes to load is not known
        self.progress.setTextVisible(False)
        self.progress.setFixedSize(18 * self.fontMetrics().averageCharWidth(), 6)
        self.progress.setAccessibleName("Opening the source")
        whole = QWidget()
        whole.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        column = QVBoxLayout(whole)
        column.addWidget(self.note)
        column.addWidget(self.progress, 0, Qt.AlignmentFlag.AlignHCenter)
        return whole

    def focusInEvent(self, event: QFocusEvent) -> None:  # noqa: N802 - Qt's name
        """Pass the keyboard focus to the canvas."""
        self.canvas.setFocus()

    def _on_result_change(self, result: FrameResult | None) -> None:
        if result is None or result.people:
            self._empty_results = 0
        else:
            self._empty_results += 1
        self._update_note()

    def _on_take_change(self, take: TakeStatus) -> None:
        self.badge.setVisible(take.phase is TakePhase.RECORDING)

    def _update_note(self) -> None:
        phase, result = self._state.phase.value, self._state.result.value
        text = ""
        opening = self._state.sources.opening.value
        if opening or phase is Phase.OPENING or (phase is Phase.PLAYING and result is None):
            source = opening or self._state.source.value
            text = f"{_OPENING} {source.title}…" if source else f"{_OPENING}…"
        elif self._empty_results >= (1 if phase is Phase.ENDED else _EMPTY_RESULTS):
            text = "No people detected."
            if self._state.live.value:
                text = "No people detected. Step back until your whole body is visible."
        if text != self.note.text():
            self.note.setText(text)
        self.note.setVisible(bool(text))
        self.progress.setVisible(text.startswith(_OPENING))
