"""The window's look: a neutral dark or light palette and a small style sheet over Qt's Fusion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication

Theme = Literal["light", "dark", "system"]


@dataclass(frozen=True)
class Colours:
    """What a theme is made of."""

    ground: str
    panel: str
    raised: str
    edge: str
    text: str
    quiet: str
    """Text that matters less."""
    faded: str
    """Text of what cannot be used now."""
    accent: str
    on_accent: str
    """Text over the accent."""
    accent_hover: str
    accent_faded: str
    chosen: str
    """Ground of a control that is switched on."""
    hover: str
    sunken: str
    line: str
    record: str
    done: str
    error_ground: str
    done_ground: str


DARK = Colours(
    ground="#17191c",
    panel="#1f2226",
    raised="#2a2e33",
    edge="#3a3f46",
    text="#e7e9ec",
    quiet="#9aa1aa",
    faded="#6a717a",
    accent="#4c9be8",
    on_accent="#0c0e10",
    accent_hover="#6bb0f2",
    accent_faded="#2b4a66",
    chosen="#22384d",
    hover="#343940",
    sunken="#212428",
    line="#101214",
    record="#e5534b",
    done="#57ab5a",
    error_ground="#35262a",
    done_ground="#24312a",
)
LIGHT = Colours(
    ground="#f2f4f6",
    panel="#e6e9ed",
    raised="#ffffff",
    edge="#b9c0c9",
    text="#1b1e22",
    quiet="#57606b",
    faded="#8d959f",
    accent="#1767b8",
    on_accent="#ffffff",
    accent_hover="#0f579f",
    accent_faded="#a9c6e3",
    chosen="#d3e5f7",
    hover="#edf1f5",
    sunken="#e9ecef",
    line="#cdd2d8",
    record="#c8322b",
    done="#2c7a33",
    error_ground="#fbe3e1",
    done_ground="#dff1e0",
)

_shown = DARK


def colours() -> Colours:
    """Those of the theme that is shown now; ask anew when drawing, for a person may change it."""
    return _shown


def apply_theme(application: QApplication, theme: Theme = "dark") -> None:
    """Give the whole application a look; may be called again at any time.

    Parameters
    ----------
    application : QApplication
    theme : {"light", "dark", "system"}
        'system' follows the desktop at the time of the call.
    """
    global _shown
    _shown = _of_system(application) if theme == "system" else LIGHT if theme == "light" else DARK
    sheet = _sheet(_shown)
    if application.styleSheet() == sheet:  # dressing a whole window anew takes its time
        return
    application.setStyle("Fusion")
    application.setPalette(_palette(_shown))
    application.setStyleSheet(sheet)


def _of_system(application: QApplication) -> Colours:
    scheme = application.styleHints().colorScheme()
    return LIGHT if scheme == Qt.ColorScheme.Light else DARK


def _palette(c: Colours) -> QPalette:
    palette = QPalette()
    roles = {
        QPalette.ColorRole.Window: c.ground,
        QPalette.ColorRole.Base: c.raised,
        QPalette.ColorRole.AlternateBase: c.panel,
        QPalette.ColorRole.Button: c.raised,
        QPalette.ColorRole.Text: c.text,
        QPalette.ColorRole.WindowText: c.text,
        QPalette.ColorRole.ButtonText: c.text,
        QPalette.ColorRole.BrightText: c.record,
        QPalette.ColorRole.Highlight: c.accent,
        QPalette.ColorRole.HighlightedText: c.on_accent,
        QPalette.ColorRole.PlaceholderText: c.quiet,
        QPalette.ColorRole.Link: c.accent,
        QPalette.ColorRole.ToolTipBase: c.raised,
        QPalette.ColorRole.ToolTipText: c.text,
    }
    for role, colour in roles.items():
        palette.setColor(role, QColor(colour))
    for role in (
        QPalette.ColorRole.Text,
        QPalette.ColorRole.WindowText,
        QPalette.ColorRole.ButtonText,
    ):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(c.faded))
    return palette


def _sheet(c: Colours) -> str:
    return f"""
QMainWindow, QDialog {{ background: {c.ground}; }}
QMenuBar {{ background: {c.panel}; padding: 2px 6px; }}
QMenuBar::item {{ padding: 4px 10px; border-radius: 4px; }}
QMenuBar::item:selected {{ background: {c.raised}; }}
QMenu {{ background: {c.panel}; border: 1px solid {c.edge}; padding: 4px; }}
QMenu::item {{ padding: 5px 28px 5px 24px; border-radius: 4px; }}
QMenu::item:selected {{ background: {c.accent}; color: {c.on_accent}; }}
QMenu::item:disabled {{ color: {c.quiet}; background: transparent; }}
QMenu::separator {{ height: 1px; background: {c.edge}; margin: 4px 8px; }}
QStatusBar {{ background: {c.panel}; color: {c.quiet}; }}
QStatusBar::item {{ border: none; }}
QStatusBar QLabel {{ color: {c.quiet}; padding: 3px 10px; }}
QToolTip {{ background: {c.raised}; color: {c.text}; border: 1px solid {c.edge}; padding: 4px; }}
QLineEdit, QComboBox, QPlainTextEdit {{
    background: {c.raised}; border: 1px solid {c.edge}; border-radius: 5px; padding: 6px 8px;
}}
QAbstractSpinBox QLineEdit {{ border: none; padding: 0 5px; background: transparent; }}
QComboBox::drop-down {{ border: none; width: 24px; }}
QComboBox::down-arrow {{
    width: 0; height: 0; border-left: 4px solid {c.raised}; border-right: 4px solid {c.raised};
    border-top: 5px solid {c.quiet};
}}
QLineEdit:focus, QComboBox:focus, QPlainTextEdit:focus {{
    border-color: {c.accent};
}}

QPushButton, QToolButton {{
    background: {c.raised}; border: 1px solid {c.edge}; border-radius: 6px; padding: 7px 14px;
}}
QPushButton:hover, QToolButton:hover {{ background: {c.hover}; }}
QPushButton:pressed, QToolButton:pressed {{ background: {c.edge}; }}
QPushButton:focus, QToolButton:focus {{ border-color: {c.accent}; }}
QPushButton:disabled, QToolButton:disabled {{ color: {c.faded}; background: {c.sunken}; }}
QPushButton[role="main"] {{
    background: {c.accent}; border-color: {c.accent}; color: {c.on_accent};
}}
QPushButton[role="main"]:hover {{ background: {c.accent_hover}; }}
QPushButton[role="main"]:focus {{ border: 2px solid {c.text}; padding: 6px 13px; }}
QPushButton[role="main"]:disabled {{ background: {c.accent_faded}; color: {c.quiet}; }}
QToolButton:checked {{ background: {c.chosen}; border-color: {c.accent}; }}
QToolButton[role="quiet"] {{ background: transparent; border-color: transparent; padding: 4px; }}
QToolButton[role="tool"] {{ padding: 7px 5px; }}
QToolButton[role="quiet"]:focus {{ border-color: {c.accent}; }}

QPushButton#choice {{ text-align: left; padding: 16px 20px; font-size: 12pt; }}
QPushButton#choice[role="main"] {{ font-weight: 600; }}
QLabel#title {{ font-size: 24pt; font-weight: 600; color: {c.text}; }}
QLabel#quiet, QLabel[role="quiet"] {{ color: {c.quiet}; }}
QLabel[role="heading"] {{ font-weight: 600; }}
QLabel[role="complaint"] {{ color: {c.record}; }}
QLabel[light="off"] {{ color: {c.quiet}; }}
QLabel[light="waiting"] {{ color: {c.accent}; }}
QLabel[light="on"] {{ color: {c.done}; }}
QLabel[light="bad"] {{ color: {c.record}; }}
QLabel#canvasNote {{
    color: #e7e9ec; background: rgba(23, 25, 28, 210);
    border-radius: 8px; padding: 12px 18px; font-size: 12pt;
}}
QWidget#transport {{ background: {c.panel}; border-top: 1px solid {c.line}; }}

QFrame#message {{ background: {c.raised}; border: none; border-left: 4px solid {c.accent}; }}
QFrame#message[severity="error"] {{ border-left-color: {c.record}; background: {c.error_ground}; }}
QFrame#message[severity="done"] {{ border-left-color: {c.done}; background: {c.done_ground}; }}

QWidget#sidePanel {{ background: {c.panel}; }}
QSplitter::handle {{ background: {c.ground}; }}
QTabBar {{ background: {c.panel}; }}
QTabBar QToolButton {{ padding: 0; }}
QTabBar::tab {{
    background: {c.panel}; color: {c.quiet}; padding: 6px 7px;
    border: none; border-left: 2px solid {c.panel};
}}
QTabBar::tab:hover {{ color: {c.text}; background: {c.raised}; }}
QTabBar::tab:selected {{
    color: {c.text}; background: {c.raised}; border-left: 2px solid {c.accent};
}}
QTabBar:focus::tab:selected {{ color: {c.accent}; }}
QTabBar[folded="true"]::tab:selected {{
    color: {c.quiet}; background: {c.panel}; border-left-color: {c.panel};
}}
QTabBar[folded="true"]:focus::tab:selected {{ color: {c.accent}; }}

QSlider::groove:horizontal {{ height: 4px; background: {c.edge}; border-radius: 2px; }}
QSlider::sub-page:horizontal {{ background: {c.accent}; border-radius: 2px; }}
QSlider::handle:horizontal {{
    width: 14px; height: 14px; margin: -5px 0; border-radius: 7px; background: {c.text};
}}
QSlider::handle:horizontal:focus {{ background: {c.accent}; }}
QSlider::sub-page:horizontal:disabled {{ background: {c.edge}; }}
QSlider::handle:horizontal:disabled {{ background: {c.quiet}; }}
QCheckBox {{ spacing: 8px; padding: 3px; }}
"""


# of the dark theme, for what is drawn over pictures whatever the theme
GROUND, TEXT, QUIET, ACCENT, RECORD = DARK.ground, DARK.text, DARK.quiet, DARK.accent, DARK.record
