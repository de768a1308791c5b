"""Controls bound to a value of the state: they show it and change it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QCheckBox, QComboBox, QSizePolicy, QSlider, QToolButton

from ui.state.observable import Observable

_Value = TypeVar("_Value")


def check_box(text: str, value: Observable[bool], tip: str) -> QCheckBox:
    """Return a check box bound to a value."""
    box = QCheckBox(text)
    box.setToolTip(tip)
    box.setAccessibleName(text)
    box.setAccessibleDescription(tip)
    value.watch(box.setChecked)
    box.toggled.connect(value.set)
    return box


def combo_box(
    name: str, entries: Sequence[tuple[_Value, str]], value: Observable[_Value], tip: str
) -> QComboBox:
    """Return a combo box bound to a value; `entries` are values and their texts."""
    box = QComboBox()
    box.setAccessibleName(name)
    box.setToolTip(tip)
    for entry, text in entries:
        box.addItem(text, entry)
    value.watch(lambda entry: box.setCurrentIndex(box.findData(entry)))
    box.activated.connect(lambda _: value.set(box.currentData()))
    return box


def percent_slider(name: str, value: Observable[float], tip: str) -> QSlider:
    """Return a slider bound to a value between 0 and 1."""
    slider = QSlider(Qt.Orientation.Horizontal)
    slider.setRange(0, 100)
    slider.setAccessibleName(name)
    slider.setToolTip(tip)
    value.watch(lambda fraction: slider.setValue(round(100 * fraction)))
    slider.valueChanged.connect(lambda percent: value.set(percent / 100))
    return slider


def action_button(action: QAction) -> QToolButton:
    """Return a text button for an action, as wide as its neighbours in a row."""
    button = QToolButton()
    button.setDefaultAction(action)
    button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    button.setAccessibleName(action.statusTip() or action.text())
    button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return button
