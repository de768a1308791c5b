"""Asks for the address of a stream."""

from __future__ import annotations

from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QLabel,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from pymaf_live.sources import STREAM_SCHEMES

_EXAMPLE = "rtsp://192.168.0.20:554/stream"


class AddressDialog(QDialog):
    """One line for the address, and why it will not do.

    Parameters
    ----------
    address : str
        What stands there at first.
    """

    def __init__(self, address: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Open an address")
        self.line = QLineEdit(address)
        self.line.setPlaceholderText(_EXAMPLE)
        self.line.setAccessibleName("Address of the stream")
        self.line.setMinimumWidth(48 * self.fontMetrics().averageCharWidth())
        label = QLabel("&Address of a network camera, a stream or a film:")
        label.setBuddy(self.line)
        self.note = QLabel()
        self.note.setProperty("role", "quiet")
        self.note.setWordWrap(True)
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Open | QDialogButtonBox.StandardButton.Cancel
        )
        self.open_button = buttons.button(QDialogButtonBox.StandardButton.Open)
        self.open_button.setAccessibleName("Open the address")
        self.open_button.setProperty("role", "main")
        buttons.button(QDialogButtonBox.StandardButton.Cancel).setAccessibleName("Cancel")
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        for part in (label, self.line, self.note, buttons):
            column.addWidget(part)
        self.line.textChanged.connect(self._check)
        self._check()

    @property
    def address(self) -> str:
        """What was typed, without spaces around it."""
        return self.line.text().strip()

    def _check(self) -> None:
        why = complaint(self.address)
        self.open_button.setEnabled(bool(self.address) and not why)
        self.note.setText(why or "A password in it is used, but not kept.")


def complaint(address: str) -> str:
    """Why an address will not do, for a person; empty when it may, or nothing stands there."""
    if not address:
        return ""
    scheme, separator, rest = address.partition("://")
    if not separator:
        return f"It begins with its kind, such as {_EXAMPLE}"
    if scheme.lower() not in STREAM_SCHEMES:
        return f"{scheme}:// cannot be read; {', '.join(STREAM_SCHEMES)} can."
    host = rest.partition("/")[0].rpartition("@")[2]
    if not host or any(letter.isspace() for letter in address):
        return "A machine's name or number follows behind ://, without spaces."
    return ""
