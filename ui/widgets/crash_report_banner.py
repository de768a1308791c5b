"""Tells that an earlier run ended badly, and what it left behind."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from PySide6.QtGui import QFontDatabase, QGuiApplication
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ui.state.preferences import CrashReport
from ui.state.window import WindowState
from ui.widgets.banner import Banner


class CrashReportBanner(Banner):
    """Offers the log to be shown, copied or thrown away, and names what was saved.

    Parameters
    ----------
    state : WindowState
    forget : callable
        Throws a log away.
    """

    def __init__(
        self,
        state: WindowState,
        forget: Callable[[CrashReport], None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("note", parent)
        self._state = state
        self._forget = forget
        self.show_log = self.add_button("Show", "Show the log of the run that ended badly")
        self.copy = self.add_button("Copy", "Copy the log of the run that ended badly")
        self.delete = self.add_button("Delete", "Delete the log of the run that ended badly")
        self.show_log.clicked.connect(self._show)
        self.copy.clicked.connect(self._copy)
        self.delete.clicked.connect(self._delete)
        state.preferences.crash_report.watch(lambda _: self._say())
        state.takes.found.watch(lambda _: self._say())

    def _say(self) -> None:
        end = self._state.preferences.crash_report.value
        if end is None:
            self.say("")
            return
        when = datetime.fromtimestamp(end.when).strftime("%d %B, %H:%M")
        text = f"The run of {when} ended by a fault."
        if not end.fatal:
            text = f"Something went wrong in the run of {when}."
        if self._state.takes.found.value:
            text += " What it had recorded was found and can be kept."
        self.say(f"{text} Its log helps whoever mends it.")

    def _show(self) -> None:
        end = self._state.preferences.crash_report.value
        if end is not None:
            LogDialog(end.text, self.window()).exec()

    def _copy(self) -> None:
        end = self._state.preferences.crash_report.value
        if end is not None:
            QGuiApplication.clipboard().setText(end.text)

    def _delete(self) -> None:
        end = self._state.preferences.crash_report.value
        if end is not None:
            self._forget(end)
            self._state.preferences.crash_report.set(None)


class LogDialog(QDialog):
    """A log to be read."""

    def __init__(self, text: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Log of the run")
        self.text = QPlainTextEdit(text)
        self.text.setReadOnly(True)
        self.text.setAccessibleName("Log of the run")
        self.text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        letter = self.text.fontMetrics().averageCharWidth()
        self.text.setMinimumSize(84 * letter, 44 * letter)
        copy = QPushButton("Copy")
        copy.setAccessibleName("Copy the log")
        copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(text))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.button(QDialogButtonBox.StandardButton.Close).setAccessibleName("Close")
        buttons.addButton(copy, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.addWidget(self.text)
        column.addWidget(buttons)
