"""Contrast of text in every state of the window's controls, measured in rendered pixels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QFocusEvent, QImage
from PySide6.QtWidgets import (
    QApplication,
    QCheckBox,
    QComboBox,
    QFrame,
    QLabel,
    QLineEdit,
    QListWidget,
    QMenu,
    QMenuBar,
    QPlainTextEdit,
    QPushButton,
    QRadioButton,
    QSpinBox,
    QStatusBar,
    QTabBar,
    QToolButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from tests.ui.helpers import rgb_of
from ui.system.theme import apply_theme, colours

pytestmark = pytest.mark.window

MIN_CONTRAST = 4.5
"""WCAG 2.1, success criterion 1.4.3."""
BLOCKS = "\u2588" * 6
"""Full blocks: their pixels have the colour of the text, without smoothed edges."""
BLANK = "\u2007" * 6
"""Spaces as wide as figures, so that the control keeps its size."""
Make = Callable[[str], QWidget]


@pytest.fixture(params=["dark", "light"])
def theme(request: pytest.FixtureRequest, qapp: QApplication) -> Iterator[str]:
    apply_theme(qapp, request.param)
    yield request.param
    apply_theme(qapp)


def luminance(colour: npt.NDArray[np.float64]) -> float:
    """Return the relative luminance of an sRGB colour, 0..255 (WCAG 2.1)."""
    linear = colour / 255
    linear = np.where(linear <= 0.04045, linear / 12.92, ((linear + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(with_text: QImage, without: QImage) -> float:
    """Return the contrast of the text that one image has and the other lacks."""
    text, background = rgb_of(with_text), rgb_of(without)
    assert text.shape == background.shape
    differs = np.abs(text - background).max(axis=2) > 0
    assert differs.any(), "the text has the colour of its background"
    colours = Counter(
        (tuple(a), tuple(b)) for a, b in zip(text[differs], background[differs], strict=True)
    )
    lights = sorted(luminance(np.array(colour)) for colour in colours.most_common(1)[0][0])
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def drawn(make: Make, text: str) -> QImage:
    holder = QWidget()
    holder.setObjectName("holder")
    QVBoxLayout(holder).addWidget(make(text))
    holder.resize(300, 120)
    holder.ensurePolished()
    shown = holder.findChild(QComboBox, "popup")
    if shown is not None:
        shown.view().window().resize(200, 80)
        shown.view().resize(200, 80)
    image = (holder if shown is None else shown.view()).grab().toImage()
    holder.deleteLater()
    return image


def button(kind: type[QPushButton | QToolButton], role: str = "", state: str = "") -> Make:
    def make(text: str) -> QWidget:
        widget = kind()
        widget.setText(text)
        widget.setProperty("role", role or None)
        widget.setCheckable(True)
        return in_state(widget, state)

    return make


def in_state(widget: QWidget, state: str) -> QWidget:
    if state == "disabled":
        widget.setEnabled(False)
    elif state == "hovered":
        widget.setAttribute(Qt.WidgetAttribute.WA_UnderMouse)
    elif state == "checked":
        widget.setChecked(True)
    elif state == "pressed":
        widget.setDown(True)
    elif state == "focused":
        QApplication.sendEvent(widget, QFocusEvent(QFocusEvent.Type.FocusIn))
    return widget


def field(kind: str, state: str = "") -> Make:
    def make(text: str) -> QWidget:
        widget: QWidget
        if kind == "line":
            widget = QLineEdit(text)
        elif kind == "placeholder":
            widget = QLineEdit()
            widget.setPlaceholderText(text)
        elif kind == "selection":
            widget = QLineEdit(text)
            widget.selectAll()
        elif kind == "text":
            widget = QPlainTextEdit(text)
        elif kind == "number":
            widget = QSpinBox()
            widget.setSpecialValueText(text)
        elif kind == "check":
            widget = QCheckBox(text)
        else:
            widget = QComboBox()
            widget.setEditable(kind == "editable")
            widget.addItem(text)
        return in_state(widget, state)

    return make


def view(kind: str, state: str) -> Make:
    def make(text: str) -> QWidget:
        widget: QListWidget | QTreeWidget
        if kind == "tree":
            widget = QTreeWidget()
            widget.setHeaderLabels([BLANK])
            widget.addTopLevelItem(QTreeWidgetItem([text]))
            widget.topLevelItem(0).setSelected("selected" in state)
        else:
            widget = QListWidget()
            widget.addItem(text)
            widget.setCurrentRow(0 if "selected" in state else -1)
        return in_state(widget, state)

    return make


def popup(selected: bool) -> Make:
    """Return the list of a combo box: Fusion gives it a delegate of its own."""

    def make(text: str) -> QWidget:
        box = QComboBox()
        box.setObjectName("popup")
        box.addItems([text, BLANK])
        box.setCurrentIndex(0 if selected else 1)
        box.view().setCurrentIndex(box.model().index(0 if selected else 1, 0))
        return box

    return make


def header(text: str) -> QWidget:
    widget = QTreeWidget()
    widget.setHeaderLabels([text])
    return widget


def tab(state: str) -> Make:
    def make(text: str) -> QWidget:
        bar = QTabBar()
        bar.addTab(text if state == "selected" else BLANK)
        bar.addTab(BLANK if state == "selected" else text)
        return bar

    return make


def label(role: str, inside: str = "", severity: str = "") -> Make:
    def make(text: str) -> QWidget:
        written = QLabel(text)
        if role in ("title", "canvasNote"):
            written.setObjectName(role)
        else:
            if role.startswith("light"):
                written.setProperty("light", role.removeprefix("light "))
            else:
                written.setProperty("role", role or None)
        if not inside:
            return written
        frame: QWidget = QStatusBar() if inside == "status" else QFrame()
        frame.setObjectName(inside)
        frame.setProperty("severity", severity or None)
        frame.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        if isinstance(frame, QStatusBar):
            frame.addWidget(written)
        else:
            QVBoxLayout(frame).addWidget(written)
        return frame

    return make


def menu(state: str) -> Make:
    def make(text: str) -> QWidget:
        widget = QMenu()
        widget.setWindowFlags(Qt.WindowType.Widget)
        action = widget.addAction(text)
        action.setEnabled(state != "disabled")
        if state == "selected":
            widget.setActiveAction(action)
        widget.setFixedSize(widget.sizeHint())
        return widget

    return make


def menu_bar(text: str) -> QWidget:
    bar = QMenuBar()
    bar.addMenu(text)
    return bar


CASES: dict[str, Make] = {
    **{
        f"{role or 'plain'} {kind.__name__} {state}": button(kind, role, state)
        for kind, roles in (
            (QPushButton, ("", "primary")),
            (QToolButton, ("", "secondary", "tool")),
        )
        for role in roles
        for state in ("", "disabled", "hovered", "focused", "pressed", "checked")
    },
    **{
        f"{kind} {state}": field(kind, state)
        for kind in ("line", "text", "number", "check", "combo", "editable")
        for state in ("", "disabled", "focused", "hovered")
    },
    "placeholder": field("placeholder"),
    "selected text": field("selection", "focused"),
    **{
        f"{kind} {state}": view(kind, state)
        for kind in ("list", "tree")
        for state in ("", "selected", "disabled")
    },
    "combo list": popup(False),
    "combo list, chosen": popup(True),
    "header": header,
    "tab": tab(""),
    "tab, selected": tab("selected"),
    **{f"label {role}": label(role) for role in ("", "secondary", "heading", "error", "title")},
    "note over the image": label("canvasNote"),
    **{f"light {name}": label(f"light {name}") for name in ("off", "waiting", "on", "bad")},
    **{
        f"{severity} message, {role}": label(role, "message", severity)
        for severity in ("note", "error", "done")
        for role in ("", "secondary")
    },
    **{
        f"{role or 'text'} in {inside}": label(role, inside)
        for inside in ("transport", "sidePanel", "status")
        for role in ("", "secondary", "error")
    },
    **{f"menu {state}": menu(state) for state in ("", "selected", "disabled")},
    "menu bar": menu_bar,
}


def test_every_state_of_every_control_is_readable(theme: str) -> None:
    measured = {}
    for name, make in CASES.items():
        try:
            measured[name] = contrast(drawn(make, BLOCKS), drawn(make, BLANK))
        except AssertionError:
            measured[name] = 1.0
    low = {name: round(value, 2) for name, value in measured.items() if value < MIN_CONTRAST}
    assert not low, f"{theme}: {low}"


@pytest.mark.parametrize("kind", [QCheckBox, QRadioButton])
def test_the_frame_of_a_box_can_be_seen(theme: str, kind: type[QCheckBox | QRadioButton]) -> None:
    holder = QWidget()
    holder.setObjectName("holder")
    holder.setStyleSheet(f"QWidget#holder {{ background: {colours().panel}; }}")
    QVBoxLayout(holder).addWidget(kind())
    pixels = rgb_of(holder.grab().toImage())
    ground = luminance(pixels[0, 0])
    lights = [luminance(colour) for colour in pixels.reshape(-1, 3)]
    ratios = [(max(each, ground) + 0.05) / (min(each, ground) + 0.05) for each in lights]
    assert max(ratios) >= 3.0  # WCAG 2.1, success criterion 1.4.11
