"""Message bar above the window's content."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QToolButton, QWidget

from ui.state.window import Message, WindowState
from ui.widgets.icons import icon
from ui.widgets.labels import DetailsLabel


class MessageBar(QFrame):
    """Shows the state's message until it is dismissed or replaced.

    Parameters
    ----------
    state : WindowState
    open_take : callable
        Opens a take by its id.
    parent : QWidget, optional
    """

    def __init__(
        self,
        state: WindowState,
        open_take: Callable[[str], None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("message")
        self._state = state
        self.text = DetailsLabel()
        self.show_folder = QPushButton("Show in folder")
        self.show_folder.setAccessibleName("Show the exported files in their folder")
        self.show_folder.clicked.connect(self._open_folder)
        self._open_take = open_take
        self.open_take = QPushButton("Open take")
        self.open_take.setAccessibleName("Open the take")
        self.open_take.clicked.connect(self._on_open_take)
        self.dismiss = QToolButton()
        self.dismiss.setIcon(icon("dismiss"))
        self.dismiss.setProperty("role", "secondary")
        self.dismiss.setAccessibleName("Dismiss the message")
        self.dismiss.setToolTip("Dismiss (Esc)")
        self.dismiss.clicked.connect(lambda: self._state.message.set(None))
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 10, 10, 10)
        row.setSpacing(12)
        row.addWidget(self.text, 1)
        row.addWidget(self.open_take)
        row.addWidget(self.show_folder)
        row.addWidget(self.dismiss)
        state.message.watch(self._on_message_change)

    def _on_message_change(self, message: Message | None) -> None:
        self.setVisible(message is not None)
        if message is None:
            return
        self.text.set_text(message.text)
        self.setAccessibleName(message.text)
        self.show_folder.setVisible(bool(message.files))
        self.open_take.setVisible(bool(message.take_id))
        self.setProperty("severity", message.severity)
        self.style().unpolish(self)  # a changed property does not restyle the widget by itself
        self.style().polish(self)

    def _on_open_take(self) -> None:
        message = self._state.message.value
        if message is not None and message.take_id:
            self._state.message.set(None)
            self._open_take(message.take_id)

    def _open_folder(self) -> None:
        message = self._state.message.value
        if message is not None and message.files:
            open_folder(message.files[0].parent)


def open_folder(folder: Path) -> None:
    """Show a folder in the desktop's file manager."""
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))
