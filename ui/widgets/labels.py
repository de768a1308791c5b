"""Small building blocks of pages: headings, secondary text, rows, expandable text."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QToolButton,
    QVBoxLayout,
    QWidget,
)


def heading(text: str) -> QLabel:
    """Return the heading of a group of controls."""
    label = QLabel(text)
    label.setProperty("role", "heading")
    font = label.font()
    font.setBold(True)
    label.setFont(font)
    return label


def quiet_label(text: str = "", *, wrap: bool = True) -> QLabel:
    """Return a label for secondary text."""
    label = QLabel(text)
    label.setProperty("role", "secondary")
    label.setWordWrap(wrap)
    return label


def row_of(*widgets: QWidget, spacing: int = 6) -> QHBoxLayout:
    """Return a row of widgets."""
    row = QHBoxLayout()
    row.setSpacing(spacing)
    for widget in widgets:
        row.addWidget(widget)
    return row


def add_form_row(form: QFormLayout, text: str, control: QWidget) -> None:
    """Add a control to a form, with its label centred vertically beside it."""
    if not text:
        form.addRow("", control)
        return
    label = QLabel(text)
    label.setBuddy(control)
    control.ensurePolished()
    label.setMinimumHeight(control.sizeHint().height())
    form.addRow(label, control)


class DetailsLabel(QWidget):
    """Text whose first line is always visible; a button shows the other lines.

    Parameters
    ----------
    parent : QWidget, optional
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.summary = QLabel()
        self.details = quiet_label()
        for label in (self.summary, self.details):
            label.setWordWrap(True)
            label.setTextFormat(Qt.TextFormat.PlainText)  # file and device names are not markup
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.expand = QToolButton()
        self.expand.setText("Details")
        self.expand.setAccessibleName("Show details")
        self.expand.setCheckable(True)
        self.expand.toggled.connect(self.details.setVisible)
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        row.addWidget(self.summary, 1)
        row.addWidget(self.expand, 0, Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(row)
        column.addWidget(self.details)
        self.set_text("")

    def text(self) -> str:
        """Return all lines."""
        return "\n".join(part for part in (self.summary.text(), self.details.text()) if part)

    def set_text(self, text: str) -> None:
        """Show a text with its details folded; the same text again leaves them as they are."""
        if text == self.text() and text:
            return
        summary, _, details = text.partition("\n")
        self.summary.setText(summary)
        self.details.setText(details)
        self.expand.setChecked(False)
        self.expand.setVisible(bool(details))
        self.details.setVisible(False)
