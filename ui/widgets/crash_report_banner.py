"""Banner that offers the log of an earlier run that crashed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from PySide6.QtGui import QFontDatabase, QGuiApplication
from PySide6.QtWidgets import (
    QDialogButtonBox,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ui.state.preferences import CrashReport
from ui.state.window import WindowState
from ui.widgets.banner import Banner
from ui.widgets.fitting import FittingDialog


class CrashReportBanner(Banner):
    """Offers to show, copy or delete the log, and mentions recordings that can be recovered.

    Parameters
    ----------
    state : WindowState
    delete_log : callable
        Deletes the log of a report.
    parent : QWidget, optional
    """

    def __init__(
        self,
        state: WindowState,
        delete_log: Callable[[CrashReport], None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("note", parent)
        self._state = state
        self._delete_log = delete_log
        self.show_log = self.add_button("Show log", "Show the crash log")
        self.copy = self.add_button("Copy log", "Copy the crash log")
        self.delete = self.add_button("Delete log", "Delete the crash log")
        self.show_log.clicked.connect(self._show)
        self.copy.clicked.connect(self._copy)
        self.delete.clicked.connect(self._delete)
        self.dismiss = self.add_button("Dismiss", "Dismiss the crash report (Esc)")
        self.dismiss.clicked.connect(lambda: state.preferences.crash_report.set(None))
        state.preferences.crash_report.watch(lambda _: self._update_text())
        state.takes.interrupted.watch(lambda _: self._update_text())

    def _update_text(self) -> None:
        end = self._state.preferences.crash_report.value
        if end is None:
            self.show_text("")
            return
        when = datetime.fromtimestamp(end.when).strftime("%d %B, %H:%M")
        text = f"PyMAF Live crashed on {when}."
        if not end.fatal:
            text = f"An error occurred in the session of {when}."
        if self._state.takes.interrupted.value:
            text += " Its recording can be recovered."
        self.show_text(f"{text} Attach the log when you report the problem.")

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
            self._delete_log(end)
            self._state.preferences.crash_report.set(None)


class LogDialog(FittingDialog):
    """Dialog that shows a log.

    Parameters
    ----------
    text : str
    parent : QWidget, optional
    """

    def __init__(self, text: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Crash log")
        self.text = QPlainTextEdit(text)
        self.text.setReadOnly(True)
        self.text.setAccessibleName("Crash log")
        self.text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        letter = self.text.fontMetrics().averageCharWidth()
        self.resize(90 * letter, 60 * letter)
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
