"""First steps, shown to new users."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QWidget

from ui.state.preferences import PreferencesState

HINTS = (
    ("1  Track", "Choose a camera, a file or the demo. Stand so that your feet are visible."),
    ("2  Record", "Press R to start recording. Press R again or Esc to stop."),
    ("3  Export", "Press Ctrl+E to export the take for Blender, Unreal, Unity and others."),
)


class HintsBanner(QFrame):
    """Row of three hints; dismissed for good by its button or by closing the window.

    Parameters
    ----------
    state : PreferencesState
    parent : QWidget, optional
    """

    def __init__(self, state: PreferencesState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("message")
        self.setProperty("severity", "note")
        self.setAccessibleName("First steps")
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 10, 10, 10)
        row.setSpacing(18)
        for title, text in HINTS:
            label = QLabel(f"<b>{title}</b><br>{text}")
            label.setTextFormat(Qt.TextFormat.RichText)
            label.setWordWrap(True)
            label.setAccessibleName(f"{title}: {text}")
            row.addWidget(label, 1)
        self.dismiss = QPushButton("Got it")
        self.dismiss.setAccessibleName("Do not show the first steps again")
        self.dismiss.clicked.connect(lambda: state.hints.set(False))
        row.addWidget(self.dismiss)
        state.hints.watch(self.setVisible)
