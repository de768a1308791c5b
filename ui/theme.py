"""The window's look: a neutral dark palette and a small style sheet over Qt's Fusion style."""

from __future__ import annotations

from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication

GROUND = "#17191c"
PANEL = "#1f2226"
RAISED = "#2a2e33"
EDGE = "#3a3f46"
TEXT = "#e7e9ec"
QUIET = "#9aa1aa"
ACCENT = "#4c9be8"
RECORD = "#e5534b"
DONE = "#57ab5a"

_SHEET = f"""
QMainWindow, QDialog {{ background: {GROUND}; }}
QMenuBar {{ background: {PANEL}; padding: 2px 6px; }}
QMenuBar::item {{ padding: 4px 10px; border-radius: 4px; }}
QMenuBar::item:selected {{ background: {RAISED}; }}
QMenu {{ background: {PANEL}; border: 1px solid {EDGE}; padding: 4px; }}
QMenu::item {{ padding: 5px 28px 5px 24px; border-radius: 4px; }}
QMenu::item:selected {{ background: {ACCENT}; color: #0c0e10; }}
QMenu::item:disabled {{ color: {QUIET}; background: transparent; }}
QMenu::separator {{ height: 1px; background: {EDGE}; margin: 4px 8px; }}
QStatusBar {{ background: {PANEL}; color: {QUIET}; }}
QStatusBar::item {{ border: none; }}
QStatusBar QLabel {{ color: {QUIET}; padding: 3px 10px; }}
QToolTip {{ background: {RAISED}; color: {TEXT}; border: 1px solid {EDGE}; padding: 4px; }}
QLineEdit, QComboBox {{
    background: {RAISED}; border: 1px solid {EDGE}; border-radius: 5px; padding: 6px 8px;
}}
QLineEdit:focus, QComboBox:focus {{ border-color: {ACCENT}; }}

QPushButton, QToolButton {{
    background: {RAISED}; border: 1px solid {EDGE}; border-radius: 6px; padding: 7px 14px;
}}
QPushButton:hover, QToolButton:hover {{ background: #343940; }}
QPushButton:pressed, QToolButton:pressed {{ background: {EDGE}; }}
QPushButton:focus, QToolButton:focus {{ border-color: {ACCENT}; }}
QPushButton:disabled, QToolButton:disabled {{ color: #6a717a; background: #212428; }}
QPushButton[role="main"] {{ background: {ACCENT}; border-color: {ACCENT}; color: #0c0e10; }}
QPushButton[role="main"]:hover {{ background: #6bb0f2; }}
QPushButton[role="main"]:focus {{ border: 2px solid {TEXT}; padding: 6px 13px; }}
QPushButton[role="main"]:disabled {{ background: #2b4a66; color: {QUIET}; }}
QToolButton:checked {{ background: #22384d; border-color: {ACCENT}; }}
QToolButton[role="quiet"] {{ background: transparent; border-color: transparent; padding: 4px; }}
QToolButton[role="quiet"]:focus {{ border-color: {ACCENT}; }}

QPushButton#choice {{ text-align: left; padding: 16px 20px; font-size: 12pt; }}
QPushButton#choice[role="main"] {{ font-weight: 600; }}
QLabel#title {{ font-size: 24pt; font-weight: 600; color: {TEXT}; }}
QLabel#quiet, QLabel[role="quiet"] {{ color: {QUIET}; }}
QLabel#stageNote {{
    background: rgba(23, 25, 28, 210); border-radius: 8px; padding: 12px 18px; font-size: 12pt;
}}
QWidget#transport {{ background: {PANEL}; border-top: 1px solid #101214; }}

QFrame#message {{ background: {RAISED}; border: none; border-left: 4px solid {ACCENT}; }}
QFrame#message[severity="error"] {{ border-left-color: {RECORD}; background: #35262a; }}
QFrame#message[severity="done"] {{ border-left-color: {DONE}; background: #24312a; }}

QSlider::groove:horizontal {{ height: 4px; background: {EDGE}; border-radius: 2px; }}
QSlider::sub-page:horizontal {{ background: {ACCENT}; border-radius: 2px; }}
QSlider::handle:horizontal {{
    width: 14px; height: 14px; margin: -5px 0; border-radius: 7px; background: {TEXT};
}}
QSlider::handle:horizontal:focus {{ background: {ACCENT}; }}
QSlider::sub-page:horizontal:disabled {{ background: {EDGE}; }}
QSlider::handle:horizontal:disabled {{ background: {QUIET}; }}
QCheckBox {{ spacing: 8px; padding: 3px; }}
"""


def dress(application: QApplication) -> None:
    """Give the whole application the look."""
    application.setStyle("Fusion")
    palette = QPalette()
    roles = {
        QPalette.ColorRole.Window: GROUND,
        QPalette.ColorRole.Base: RAISED,
        QPalette.ColorRole.AlternateBase: PANEL,
        QPalette.ColorRole.Button: RAISED,
        QPalette.ColorRole.Text: TEXT,
        QPalette.ColorRole.WindowText: TEXT,
        QPalette.ColorRole.ButtonText: TEXT,
        QPalette.ColorRole.BrightText: RECORD,
        QPalette.ColorRole.Highlight: ACCENT,
        QPalette.ColorRole.HighlightedText: "#0c0e10",
        QPalette.ColorRole.PlaceholderText: QUIET,
        QPalette.ColorRole.Link: ACCENT,
        QPalette.ColorRole.ToolTipBase: RAISED,
        QPalette.ColorRole.ToolTipText: TEXT,
    }
    for role, colour in roles.items():
        palette.setColor(role, QColor(colour))
    for role in (
        QPalette.ColorRole.Text,
        QPalette.ColorRole.WindowText,
        QPalette.ColorRole.ButtonText,
    ):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor("#6a717a"))
    application.setPalette(palette)
    application.setStyleSheet(_SHEET)
