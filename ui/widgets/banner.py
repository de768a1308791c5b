"""A line over the window's content with what can be done about it."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QWidget


class Banner(QFrame):
    """Text and buttons; looks like the message bar, stays until its cause has gone.

    Parameters
    ----------
    severity : str
        'note' or 'error', for the look.
    """

    def __init__(self, severity: str = "note", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("message")
        self.setProperty("severity", severity)
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.text.setTextFormat(Qt.TextFormat.PlainText)  # names of devices are not markup
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(16, 10, 10, 10)
        self._row.setSpacing(12)
        self._row.addWidget(self.text, 1)

    def add_button(self, text: str, name: str) -> QPushButton:
        """A button at the end, with the name that is read aloud."""
        button = QPushButton(text)
        button.setAccessibleName(name)
        self._row.addWidget(button)
        return button

    def say(self, text: str) -> None:
        """Show a text, or go away where it is empty."""
        self.text.setText(text)
        self.setAccessibleName(text)
        self.setVisible(bool(text))
