"""Banner above the window's content, with a text and buttons."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QWidget


class Banner(QFrame):
    """Text with buttons, styled like the message bar; visible while there is a text.

    Parameters
    ----------
    severity : str
        'note' or 'error'; determines the style.
    parent : QWidget, optional
    """

    def __init__(self, severity: str = "note", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("message")
        self.setProperty("severity", severity)
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.text.setTextFormat(Qt.TextFormat.PlainText)  # device names are not markup
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(16, 10, 10, 10)
        self._row.setSpacing(12)
        self._row.addWidget(self.text, 1)

    def add_button(self, text: str, name: str) -> QPushButton:
        """Add a button at the end; screen readers read `name`."""
        button = QPushButton(text)
        button.setAccessibleName(name)
        self._row.addWidget(button)
        return button

    def show_text(self, text: str) -> None:
        """Show a text; an empty one hides the banner."""
        self.text.setText(text)
        self.setAccessibleName(text)
        self.setVisible(bool(text))
