"""Colours of the dark and the light theme."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Palette:
    """Colours of a theme, as Qt and CSS read them."""

    background: str
    """Background of the window."""
    panel: str
    """Background of panels and bars."""
    surface: str
    """Background of controls."""
    border: str
    text: str
    secondary_text: str
    disabled_text: str
    accent: str
    on_accent: str
    """Text over the accent colour."""
    accent_hover: str
    accent_disabled: str
    checked: str
    """Background of a control that is switched on."""
    hover: str
    disabled_surface: str
    separator: str
    record: str
    done: str
    error_background: str
    done_background: str


DARK = Palette(
    background="#17191c",
    panel="#1f2226",
    surface="#2a2e33",
    border="#3a3f46",
    text="#e7e9ec",
    secondary_text="#9aa1aa",
    disabled_text="#8f969f",
    accent="#4c9be8",
    on_accent="#0c0e10",
    accent_hover="#6bb0f2",
    accent_disabled="#2b4a66",
    checked="#22384d",
    hover="#343940",
    disabled_surface="#212428",
    separator="#101214",
    record="#ea655d",
    done="#57ab5a",
    error_background="#35262a",
    done_background="#24312a",
)
LIGHT = Palette(
    background="#f2f4f6",
    panel="#e6e9ed",
    surface="#ffffff",
    border="#b9c0c9",
    text="#1b1e22",
    secondary_text="#57606b",
    disabled_text="#636b75",
    accent="#1767b8",
    on_accent="#ffffff",
    accent_hover="#0f579f",
    accent_disabled="#a9c6e3",
    checked="#d3e5f7",
    hover="#edf1f5",
    disabled_surface="#e9ecef",
    separator="#cdd2d8",
    record="#bf2e27",
    done="#2c7a33",
    error_background="#fbe3e1",
    done_background="#dff1e0",
)
