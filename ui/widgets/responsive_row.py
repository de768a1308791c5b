"""Rows and labels that stay readable where there is little room."""

from __future__ import annotations

import re
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QWidget

_LEAST_LETTERS = 8
"""Of a label that is cut short."""
_ICON = Qt.ToolButtonStyle.ToolButtonIconOnly
_ICON_AND_TEXT = Qt.ToolButtonStyle.ToolButtonTextBesideIcon


def breakable(text: str) -> str:
    """A text whose long names may be broken between lines, where they have no spaces."""
    text = re.sub(r"([_./\\-])(?=\w)", "\\1\u200b", text)
    return re.sub(r"([^\s\u200b]{24})(?=\S)", "\\1\u200b", text)


class ElidedLabel(QLabel):
    """A line that ends in dots where it has no room; its tool tip then has all of it."""

    def __init__(self, mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight) -> None:
        super().__init__()
        self._mode = mode
        self._whole = ""
        self.setTextFormat(Qt.TextFormat.PlainText)

    def text(self) -> str:
        """All of it."""
        return self._whole

    def setText(self, text: str) -> None:  # noqa: N802 - Qt's name
        """Show a line."""
        self._whole = text
        self.setAccessibleDescription(text)
        self._cut()
        self.updateGeometry()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Of all of it."""
        hint = super().sizeHint()
        hint.setWidth(self.fontMetrics().horizontalAdvance(self._whole) + self._around())
        return hint

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """A few letters."""
        hint = self.sizeHint()
        letters = _LEAST_LETTERS * self.fontMetrics().averageCharWidth()
        hint.setWidth(min(hint.width(), letters + self._around()))
        return hint

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """More or less of it fits."""
        super().resizeEvent(event)
        self._cut()

    def _around(self) -> int:
        shown = self.fontMetrics().horizontalAdvance(super().text())
        return max(0, super().sizeHint().width() - shown)

    def _cut(self) -> None:
        room = self.width() - self._around()
        shown = self.fontMetrics().elidedText(self._whole, self._mode, room)
        if shown != super().text():
            super().setText(shown)
        self.setToolTip(self._whole if shown != self._whole else "")


@dataclass(frozen=True)
class _Step:
    """What is given up together."""

    widgets: tuple[QWidget, ...]
    icon_stays: bool
    """Their icons stay."""

    def take(self, given_up: bool) -> None:
        for widget in self.widgets:
            if not self.icon_stays:
                widget.setVisible(not given_up)
            elif isinstance(widget, QToolButton):
                widget.setToolButtonStyle(_ICON if given_up else _ICON_AND_TEXT)


class ResponsiveRow(QWidget):
    """A row of widgets that gives some up, least important first, where there is no room for all.

    Fill `row`, then name what may be given up in the order in which it goes.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._steps: list[_Step] = []
        self.row = QHBoxLayout(self)

    def may_hide(self, *widgets: QWidget) -> None:
        """These may go; what they do can be done elsewhere."""
        self._steps.append(_Step(widgets, icon_stays=False))

    def may_lose_text(self, *buttons: QToolButton) -> None:
        """Of these only the icons may stay."""
        self._steps.append(_Step(buttons, icon_stays=True))

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """With all given up that may be."""
        return QSize(self._needed(len(self._steps)), super().minimumSizeHint().height())

    def event(self, event: QEvent) -> bool:
        """A part wants more or less room."""
        done = super().event(event)
        if event.type() in (QEvent.Type.LayoutRequest, QEvent.Type.StyleChange):
            self._fit()
        return done

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """There is more or less room."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        every = range(len(self._steps))
        level = next((n for n in every if self._needed(n) <= self.width()), len(self._steps))
        for number, step in enumerate(self._steps):
            step.take(number < level)

    def _needed(self, level: int) -> int:
        """Pixels of the row when so many steps have been given up."""
        gone: set[QWidget] = set()
        with_text: set[QWidget] = set()
        bare: set[QWidget] = set()
        may_go: set[QWidget] = set()
        for number, step in enumerate(self._steps):
            given_up = number < level
            if step.icon_stays:
                (bare if given_up else with_text).update(step.widgets)
            else:
                may_go.update(step.widgets)
                gone.update(step.widgets if given_up else ())
        margins = self.row.contentsMargins()
        widths = []
        for number in range(self.row.count()):
            item = self.row.itemAt(number)
            widget = item.widget() if item is not None else None
            if widget is None:
                widths.append(item.sizeHint().width() if item is not None else 0)
            elif widget not in gone and (widget in may_go or not widget.isHidden()):
                short = level == len(self._steps)
                width = _width_of(widget, short=short)
                if isinstance(widget, QToolButton) and widget in bare | with_text:
                    width += _text_of(widget) * (int(widget in with_text) - int(_has_text(widget)))
                widths.append(width)
        gaps = self.row.spacing() * max(0, len(widths) - 1)
        return margins.left() + margins.right() + sum(widths) + gaps


def _width_of(widget: QWidget, *, short: bool) -> int:
    """What a widget wants as it is; `short`: a line that may be cut is cut."""
    if isinstance(widget, ElidedLabel) and short:
        return widget.minimumSizeHint().width()
    return min(max(widget.sizeHint().width(), widget.minimumWidth()), widget.maximumWidth())


def _has_text(button: QToolButton) -> bool:
    return button.toolButtonStyle() == _ICON_AND_TEXT


def _text_of(button: QToolButton) -> int:
    """By how much a button is wider with its text beside the icon, as Qt itself makes room."""
    metrics = button.fontMetrics()
    text = metrics.size(Qt.TextFlag.TextShowMnemonic, button.text()).width()
    return text + 4 + 2 * metrics.horizontalAdvance(" ")
