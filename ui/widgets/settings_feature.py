"""Settings and health pages, first steps, crash reports and the theme."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from ui.state.preferences import CrashReport
from ui.state.window import WindowState
from ui.system.crash_log import delete_log, mark_seen
from ui.system.theme import apply_theme
from ui.widgets.action_factory import make_action
from ui.widgets.crash_report_banner import CrashReportBanner
from ui.widgets.feature import Feature
from ui.widgets.health_page import HealthPage
from ui.widgets.hints_banner import HintsBanner
from ui.widgets.icons import redraw_icons
from ui.widgets.main_window import MainWindow
from ui.widgets.settings_page import SettingsPage


class SettingsFeature(Feature):
    """Adds its pages, banners and menu entries to a window; see `Feature`."""

    def __init__(self, window: MainWindow, state: WindowState) -> None:
        super().__init__(window, state)
        self.health = HealthPage(state)
        self.settings = SettingsPage(state)
        window.side_panel.add_page("health", "Health", self.health)
        window.side_panel.add_page("settings", "Settings", self.settings)
        self.crash_report = CrashReportBanner(state, _delete_log)
        self._reported: CrashReport | None = None
        state.preferences.crash_report.watch(self._on_report_change)
        self.hints = HintsBanner(state.preferences)
        window.add_banner(self.crash_report)
        window.add_banner(self.hints)
        menu = window.menuBar().addMenu("Settin&gs")
        for text, keys, page, tip in (
            ("Settings", "Ctrl+,", "settings", "Theme, smoothing, mirror, field of view"),
            ("Health", "Ctrl+H", "health", "Frame rate, delay and the slowest stage"),
        ):
            show = partial(window.side_panel.show_page, page)
            menu.addAction(make_action(self, text, keys, tip, show))
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        self._application = application
        self._unwatch = state.preferences.theme.watch(lambda _: self._apply_theme())
        application.styleHints().colorSchemeChanged.connect(self._on_scheme_change)

    def _apply_theme(self) -> None:
        apply_theme(self._application, self._state.preferences.theme.value)
        redraw_icons(self._window)

    def _on_report_change(self, report: CrashReport | None) -> None:
        dismissed, self._reported = self._reported, report
        if report is None and dismissed is not None:
            mark_seen(dismissed.path)

    def _on_scheme_change(self, _: Qt.ColorScheme) -> None:
        if self._state.preferences.theme.value == "system":
            self._apply_theme()


def _delete_log(end: CrashReport) -> None:
    delete_log(end.path)
