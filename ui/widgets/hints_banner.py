"""Three short hints for somebody who has never seen the window."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QWidget

from ui.state.preferences import PreferencesState

HINTS = (
    ("1  See yourself", "Choose a camera, a file or the demo. Stand so that your feet are seen."),
    ("2  Record", "R records what you see, R again stops. Esc stops as well."),
    ("3  Take it with you", "Ctrl+E writes the take for Blender, Unreal, Unity and others."),
)


class HintsBanner(QFrame):
    """One line of three, gone for good once it is put away or the window was closed."""

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
        self.done = QPushButton("Got it")
        self.done.setAccessibleName("Put the first steps away for good")
        self.done.clicked.connect(lambda: state.hints.set(False))
        row.addWidget(self.done)
        state.hints.watch(self.setVisible)
