"""Help menu: manual, shortcuts, log, report, licences, about."""

from __future__ import annotations

import platform

from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QMessageBox

import pymaf_live
from ui.state.commands import Commands
from ui.state.window import Message, WindowState
from ui.system.crash_log import newest_log
from ui.system.documents import licences, manual_pages
from ui.widgets.action_factory import make_action
from ui.widgets.help_dialogs import ManualDialog, TextDialog, shortcut_table
from ui.widgets.main_window import MainWindow

_NO_LOG = "There is no log: no run of PyMAF Live has crashed."


class HelpFeature:
    """Adds the Help menu to a window.

    Parameters
    ----------
    window : MainWindow
    state : WindowState
    commands : Commands
    """

    def __init__(self, window: MainWindow, state: WindowState, commands: Commands) -> None:
        self._window = window
        self._state = state
        self._commands = commands
        self.dialog: ManualDialog | TextDialog | None = None
        """The dialog shown last; the window stays usable beside it."""
        self.shortcuts = make_action(
            window, "Keyboard shortcuts", "F1", "Show all keyboard shortcuts", self.show_shortcuts
        )
        self.shortcuts.setShortcuts([QKeySequence("F1"), QKeySequence("?")])
        entries = (
            make_action(window, "Manual", "Shift+F1", "Read the manual", self.show_manual),
            self.shortcuts,
            make_action(window, "Open log", "", "Show the log of the last crash", self.open_log),
            make_action(
                window, "Report a problem…", "", "Collect what a report needs", self.report
            ),
            make_action(window, "Licences", "", "Show the licences", self.show_licences),
            make_action(window, "About PyMAF Live", "", "Show the version", self.about),
        )
        menu = window.menuBar().addMenu("&Help")
        menu.addActions(entries[:2])
        menu.addSeparator()
        menu.addActions(entries[2:4])
        menu.addSeparator()
        menu.addActions(entries[4:])
        state.report.watch(self._on_report_change)

    def show_manual(self) -> None:
        """Show the manual."""
        self._show(ManualDialog(manual_pages(), self._window))

    def show_shortcuts(self) -> None:
        """Show all shortcuts, as the menus have them."""
        self._show(
            TextDialog("Keyboard shortcuts", shortcut_table(self._window), self._window, rich=True)
        )

    def open_log(self) -> None:
        """Show the log of the last run that crashed."""
        log = newest_log()
        if log is None:
            self._state.message.set(Message("note", _NO_LOG))
            return
        text = log.read_text(encoding="utf-8", errors="replace")
        self._show(TextDialog("Log", text, self._window))

    def report(self) -> None:
        """Collect the facts about this computer that a report needs, and show them."""
        self._commands.report.collect()

    def show_licences(self) -> None:
        """Show the licences of the program and of what comes with it."""
        self._show(TextDialog("Licences", licences(), self._window))

    def about(self) -> None:
        """Show the version."""
        QMessageBox.about(
            self._window,
            "About PyMAF Live",
            f"<b>PyMAF Live {pymaf_live.__version__}</b><p>3D body motion capture from a webcam "
            f"or video, with export to animation programs.<p>Python "
            f"{platform.python_version()}, {platform.system()}. Licence: Apache 2.0.",
        )

    def _on_report_change(self, text: str) -> None:
        if text:
            self._state.report.set("")
            self._show(TextDialog("Report a problem", text, self._window))

    def _show(self, dialog: ManualDialog | TextDialog) -> None:
        if self.dialog is not None:
            self.dialog.close()
        self.dialog = dialog
        dialog.show()
