"""Style sheet of the window over Qt's Fusion style."""

from __future__ import annotations

from pathlib import Path

from ui.system.palette import DARK, Palette

_FOLDER = Path(__file__).parent


def style_sheet(palette: Palette) -> str:
    """Return the style sheet in the colours of a palette.

    Widgets select variants with the property ``role`` (primary, secondary, tool, heading, error)
    and the stream indicator with ``light`` (off, waiting, on, bad).
    """
    parts = (
        _menus_and_fields,
        _buttons,
        _labels_and_messages,
        _side_panel,
        _sliders_and_checkboxes,
        _indicators,
    )
    return "\n".join(part(palette) for part in parts)


def _menus_and_fields(c: Palette) -> str:
    return f"""
QMainWindow, QDialog {{ background: {c.background}; }}
QMenuBar {{ background: {c.panel}; padding: 2px 6px; }}
QMenuBar::item {{ padding: 4px 10px; border-radius: 4px; }}
QMenuBar::item:selected {{ background: {c.surface}; }}
QMenu {{ background: {c.panel}; border: 1px solid {c.border}; padding: 4px; }}
QMenu::item {{ padding: 5px 28px 5px 24px; border-radius: 4px; }}
QMenu::item:selected {{ background: {c.accent}; color: {c.on_accent}; }}
QMenu::item:disabled {{ color: {c.secondary_text}; background: transparent; }}
QMenu::separator {{ height: 1px; background: {c.border}; margin: 4px 8px; }}
QStatusBar {{ background: {c.panel}; color: {c.secondary_text}; }}
QStatusBar::item {{ border: none; }}
QStatusBar QLabel {{ color: {c.secondary_text}; padding: 3px 10px; }}
QToolTip {{ background: {c.surface}; color: {c.text}; border: 1px solid {c.border}; padding: 4px; }}
QLineEdit, QComboBox, QPlainTextEdit {{
    background: {c.surface}; border: 1px solid {c.border}; border-radius: 5px; padding: 6px 8px;
}}
QLineEdit:disabled, QComboBox:disabled, QPlainTextEdit:disabled {{
    color: {c.disabled_text}; background: {c.disabled_surface};
}}
QAbstractSpinBox QLineEdit {{ border: none; padding: 0 5px; background: transparent; }}
QComboBox {{ combobox-popup: 0; }}
QComboBox::drop-down {{ border: none; width: 24px; }}
QComboBox::down-arrow {{
    width: 0; height: 0; border-left: 4px solid {c.surface}; border-right: 4px solid {c.surface};
    border-top: 5px solid {c.secondary_text};
}}
QLineEdit:focus, QComboBox:focus, QPlainTextEdit:focus {{
    border-color: {c.accent};
}}
QDialogButtonBox {{ dialogbuttonbox-buttons-have-icons: 0; }}
QFileDialog QToolButton {{ padding: 2px; }}
QAbstractItemView {{
    background: {c.surface}; color: {c.text}; alternate-background-color: {c.panel};
    selection-background-color: {c.accent}; selection-color: {c.on_accent};
    outline: none;  /* Fusion paints it over the text */
}}
QAbstractItemView::item:selected {{ background: {c.accent}; color: {c.on_accent}; }}
QAbstractItemView::item:disabled {{ color: {c.disabled_text}; }}
QHeaderView::section {{
    background: {c.panel}; color: {c.text}; border: none; padding: 4px 6px;
    border-right: 1px solid {c.border};
}}
"""


def _buttons(c: Palette) -> str:
    return f"""
QPushButton, QToolButton {{
    background: {c.surface}; border: 1px solid {c.border}; border-radius: 6px; padding: 7px 14px;
}}
QPushButton:hover, QToolButton:hover {{ background: {c.hover}; }}
QPushButton:pressed, QToolButton:pressed {{ background: {c.border}; }}
QPushButton:focus, QToolButton:focus {{ border-color: {c.accent}; }}
QPushButton:disabled, QToolButton:disabled {{
    color: {c.disabled_text}; background: {c.disabled_surface};
}}
QPushButton[role="primary"], QToolButton[role="primary"] {{
    background: {c.accent}; border-color: {c.accent}; color: {c.on_accent};
}}
QPushButton[role="primary"]:hover, QToolButton[role="primary"]:hover {{
    background: {c.accent_hover};
}}
QPushButton[role="primary"]:focus, QToolButton[role="primary"]:focus {{
    border: 2px solid {c.text}; padding: 6px 13px;
}}
QPushButton[role="primary"]:disabled, QToolButton[role="primary"]:disabled {{
    background: {c.checked}; border-color: {c.checked}; color: {c.secondary_text};
}}
QToolButton:checked {{ background: {c.checked}; border-color: {c.accent}; }}
QToolButton[role="secondary"] {{
    background: transparent; border-color: transparent; padding: 4px;
}}
QToolButton[role="tool"] {{ padding: 7px 5px; }}
QToolButton[role="secondary"]:focus {{ border-color: {c.accent}; }}
"""


def _labels_and_messages(c: Palette) -> str:
    return f"""
QPushButton#choice {{ text-align: left; padding: 16px 20px; font-size: 12pt; }}
QPushButton#choice[role="primary"] {{ font-weight: 600; }}
QLabel#title {{ font-size: 24pt; font-weight: 600; color: {c.text}; }}
QLabel[role="secondary"] {{ color: {c.secondary_text}; }}
QLabel[role="heading"] {{ font-weight: 600; }}
QLabel[role="error"] {{ color: {c.record}; }}
QLabel[light="off"] {{ color: {c.secondary_text}; }}
QLabel[light="waiting"] {{ color: {c.accent}; }}
QLabel[light="on"] {{ color: {c.done}; }}
QLabel[light="bad"] {{ color: {c.record}; }}
QLabel#canvasNote {{
    color: #e7e9ec; background: rgba(23, 25, 28, 210);
    border-radius: 8px; padding: 12px 18px; font-size: 12pt;
}}
QWidget#transport {{ background: {c.panel}; border-top: 1px solid {c.separator}; }}

QFrame#message {{ background: {c.surface}; border: none; border-left: 4px solid {c.accent}; }}
QFrame#message[severity="error"] {{
    border-left-color: {c.record}; background: {c.error_background};
}}
QFrame#message[severity="done"] {{ border-left-color: {c.done}; background: {c.done_background}; }}
"""


def _side_panel(c: Palette) -> str:
    return f"""
QWidget#sidePanel {{ background: {c.panel}; }}
QSplitter::handle {{ background: {c.background}; }}
QTabBar {{ background: {c.panel}; }}
QTabBar QToolButton {{ padding: 0; }}
QTabBar::tab {{
    background: {c.panel}; color: {c.secondary_text}; padding: 6px 7px;
    border: none; border-left: 2px solid {c.panel};
}}
QTabBar::tab:hover {{ color: {c.text}; background: {c.surface}; }}
QTabBar::tab:selected {{
    color: {c.text}; background: {c.surface}; border-left: 2px solid {c.accent};
}}
QTabBar:focus::tab:selected {{ color: {c.accent}; }}
QTabBar[folded="true"]::tab:selected {{
    color: {c.secondary_text}; background: {c.panel}; border-left-color: {c.panel};
}}
QTabBar[folded="true"]:focus::tab:selected {{ color: {c.accent}; }}
"""


def _sliders_and_checkboxes(c: Palette) -> str:
    return f"""
QSlider::groove:horizontal {{ height: 4px; background: {c.border}; border-radius: 2px; }}
QSlider::sub-page:horizontal {{ background: {c.accent}; border-radius: 2px; }}
QSlider::handle:horizontal {{
    width: 14px; height: 14px; margin: -5px 0; border-radius: 7px; background: {c.text};
}}
QSlider::handle:horizontal:focus {{ background: {c.accent}; }}
QSlider::sub-page:horizontal:disabled {{ background: {c.border}; }}
QSlider::handle:horizontal:disabled {{ background: {c.secondary_text}; }}
QCheckBox {{ spacing: 8px; padding: 3px; }}
"""


def _indicators(c: Palette) -> str:
    """Check marks and radio buttons: Fusion frames them darker than the window, so invisibly."""
    check = _FOLDER / ("check_dark.svg" if c is DARK else "check_light.svg")
    boxes = "QCheckBox::indicator{0}, QAbstractItemView::indicator{0}".format
    return f"""
{boxes("")} {{
    width: 14px; height: 14px; border: 1px solid {c.secondary_text}; border-radius: 3px;
    background: {c.surface};
}}
{boxes(":checked")} {{
    background: {c.accent}; border-color: {c.accent}; image: url("{check.as_posix()}");
}}
{boxes(":disabled")} {{ background: {c.disabled_surface}; border-color: {c.border}; }}
{boxes(":checked:disabled")} {{ background: {c.secondary_text}; }}
QRadioButton::indicator {{
    width: 12px; height: 12px; border: 1px solid {c.secondary_text}; border-radius: 7px;
    background: {c.surface};
}}
QRadioButton::indicator:checked {{
    width: 6px; height: 6px; border: 4px solid {c.accent}; background: {c.on_accent};
}}
QRadioButton::indicator:disabled {{ background: {c.disabled_surface}; border-color: {c.border}; }}
QRadioButton::indicator:checked:disabled {{ border-color: {c.secondary_text}; }}
QCheckBox::indicator:focus, QRadioButton::indicator:focus {{ border-color: {c.accent}; }}
"""
