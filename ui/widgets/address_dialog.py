"""Dialog for the address of a network stream."""

from __future__ import annotations

from PySide6.QtWidgets import (
    QDialogButtonBox,
    QLabel,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from pymaf_live.sources import STREAM_SCHEMES
from ui.widgets.fitting import FittingDialog

_EXAMPLE = "rtsp://192.168.0.20:554/stream"


class AddressDialog(FittingDialog):
    """Dialog with one line for the address and a note on what is wrong with it.

    Parameters
    ----------
    address : str
        Initial text.
    parent : QWidget, optional
    """

    def __init__(self, address: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Open network stream")
        self.line = QLineEdit(address)
        self.line.setPlaceholderText(_EXAMPLE)
        self.line.setAccessibleName("Address of the stream")
        self.line.setMinimumWidth(48 * self.fontMetrics().averageCharWidth())
        label = QLabel("&Address of a network camera, stream or video:")
        label.setBuddy(self.line)
        self.note = QLabel()
        self.note.setProperty("role", "secondary")
        self.note.setWordWrap(True)
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Open | QDialogButtonBox.StandardButton.Cancel
        )
        self.open_button = buttons.button(QDialogButtonBox.StandardButton.Open)
        self.open_button.setAccessibleName("Open the stream")
        self.open_button.setProperty("role", "primary")
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
        """Address as typed, without surrounding spaces."""
        return self.line.text().strip()

    def _check(self) -> None:
        problem = address_problem(self.address)
        self.open_button.setEnabled(bool(self.address) and not problem)
        self.note.setText(problem or "A password in the address is used, but not saved.")


def address_problem(address: str) -> str:
    """Return what is wrong with an address, for display; empty if it is valid or empty."""
    if not address:
        return ""
    scheme, separator, rest = address.partition("://")
    if not separator:
        return f"The protocol is missing. Write the address like {_EXAMPLE}"
    if scheme.lower() not in STREAM_SCHEMES:
        return f"{scheme}:// is not supported. Use one of {', '.join(STREAM_SCHEMES)}."
    host = rest.partition("/")[0].rpartition("@")[2]
    if not host or any(letter.isspace() for letter in address):
        return "The host is missing. Write its name or IP address after ://, without spaces."
    return ""
