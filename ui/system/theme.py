"""Apply the light or dark theme to the application."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication

from ui.state.preferences import ThemeName
from ui.system.palette import DARK, LIGHT, Palette
from ui.system.style_sheet import style_sheet

_current = DARK


def colours() -> Palette:
    """Return the colours of the current theme; call it at every drawing, since it may change."""
    return _current


def apply_theme(application: QApplication, theme: ThemeName = "dark") -> None:
    """Apply a theme to the whole application; may be called again at any time.

    Parameters
    ----------
    application : QApplication
    theme : {"light", "dark", "system"}
        'system' is the desktop's theme at the time of the call.
    """
    global _current
    if theme == "system":
        scheme = application.styleHints().colorScheme()
        theme = "light" if scheme == Qt.ColorScheme.Light else "dark"
    _current = LIGHT if theme == "light" else DARK
    sheet = style_sheet(_current)
    if application.styleSheet() == sheet:  # restyling a whole window is slow
        return
    application.setStyle("Fusion")
    application.setPalette(_qt_palette(_current))
    application.setStyleSheet(sheet)


def _qt_palette(c: Palette) -> QPalette:
    palette = QPalette()
    roles = {
        QPalette.ColorRole.Window: c.background,
        QPalette.ColorRole.Base: c.surface,
        QPalette.ColorRole.AlternateBase: c.panel,
        QPalette.ColorRole.Button: c.surface,
        QPalette.ColorRole.Text: c.text,
        QPalette.ColorRole.WindowText: c.text,
        QPalette.ColorRole.ButtonText: c.text,
        QPalette.ColorRole.BrightText: c.record,
        QPalette.ColorRole.Highlight: c.accent,
        QPalette.ColorRole.HighlightedText: c.on_accent,
        QPalette.ColorRole.PlaceholderText: c.secondary_text,
        QPalette.ColorRole.Link: c.accent,
        QPalette.ColorRole.ToolTipBase: c.surface,
        QPalette.ColorRole.ToolTipText: c.text,
    }
    for role, colour in roles.items():
        palette.setColor(role, QColor(colour))
    for role in (
        QPalette.ColorRole.Text,
        QPalette.ColorRole.WindowText,
        QPalette.ColorRole.ButtonText,
    ):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(c.disabled_text))
    return palette
