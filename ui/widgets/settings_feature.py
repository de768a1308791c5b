"""What the window does for itself: settings, health, hints, theme, the end of the last run."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QApplication

from ui.state.preferences import CrashReport
from ui.state.window import WindowState
from ui.system.crash_log import forget
from ui.system.theme import apply_theme
from ui.widgets.crash_report_banner import CrashReportBanner
from ui.widgets.health_page import HealthPage
from ui.widgets.hints_banner import HintsBanner
from ui.widgets.icons import redraw_icons
from ui.widgets.main_window import MainWindow
from ui.widgets.settings_page import SettingsPage


class SettingsFeature(QObject):
    """Adds its pages, banners and menu entries to a window, and belongs to it.

    Parameters
    ----------
    window : MainWindow
    state : WindowState
    """

    def __init__(self, window: MainWindow, state: WindowState) -> None:
        super().__init__(window)
        self._window = window
        self._state = state
        self.health = HealthPage(state)
        self.settings = SettingsPage(state)
        window.side_panel.add_page("health", "Health", self.health)
        window.side_panel.add_page("settings", "Settings", self.settings)
        self.crash_report = CrashReportBanner(state, _forget)
        self.hints = HintsBanner(state.preferences)
        window.add_banner(self.crash_report)
        window.add_banner(self.hints)
        menu = window.menuBar().addMenu("&Settings")
        for text, keys, page, tip in (
            ("Settings", "Ctrl+,", "settings", "Look, smoothing, mirror, field of view"),
            ("Health", "Ctrl+H", "health", "Frames a second, the slowest stage, delay"),
        ):
            action = QAction(text, self)
            action.setShortcut(QKeySequence(keys))
            action.setStatusTip(tip)
            action.setToolTip(f"{tip} ({keys})")
            action.triggered.connect(lambda _=False, page=page: window.side_panel.show_page(page))
            menu.addAction(action)
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        self._application = application
        self._unwatch = state.preferences.theme.watch(lambda _: self._apply_theme())
        application.styleHints().colorSchemeChanged.connect(self._on_scheme_change)

    def _apply_theme(self) -> None:
        apply_theme(self._application, self._state.preferences.theme.value)
        redraw_icons(self._window)

    def _on_scheme_change(self, _: Qt.ColorScheme) -> None:
        if self._state.preferences.theme.value == "system":
            self._apply_theme()


def _forget(end: CrashReport) -> None:
    forget(end.path)
