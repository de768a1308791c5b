"""Rows and labels that adapt to little space."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QWidget

_MIN_LETTERS = 8
"""Minimum width of an elided label in average letters."""
_ICON = Qt.ToolButtonStyle.ToolButtonIconOnly
_ICON_AND_TEXT = Qt.ToolButtonStyle.ToolButtonTextBesideIcon


class ElidedLabel(QLabel):
    """Line of text that is elided where there is no room; its tool tip then shows all of it.

    Parameters
    ----------
    mode : Qt.TextElideMode
    """

    def __init__(self, mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight) -> None:
        super().__init__()
        self._mode = mode
        self._full_text = ""
        self.setTextFormat(Qt.TextFormat.PlainText)

    def text(self) -> str:
        """Return the full text."""
        return self._full_text

    def setText(self, text: str) -> None:  # noqa: N802 - Qt's name
        """Set the text."""
        self._full_text = text
        self.setAccessibleDescription(text)
        self._elide()
        self.updateGeometry()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return the size of the full text."""
        hint = super().sizeHint()
        hint.setWidth(self.fontMetrics().horizontalAdvance(self._full_text) + self._margins())
        return hint

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return the size of a few letters."""
        hint = self.sizeHint()
        letters = _MIN_LETTERS * self.fontMetrics().averageCharWidth()
        hint.setWidth(min(hint.width(), letters + self._margins()))
        return hint

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """Elide again at the new width."""
        super().resizeEvent(event)
        self._elide()

    def _margins(self) -> int:
        """Return the width around the text."""
        shown = self.fontMetrics().horizontalAdvance(super().text())
        return max(0, super().sizeHint().width() - shown)

    def _elide(self) -> None:
        room = self.width() - self._margins()
        shown = self.fontMetrics().elidedText(self._full_text, self._mode, room)
        if shown != super().text():
            super().setText(shown)
        self.setToolTip(self._full_text if shown != self._full_text else "")


@dataclass(frozen=True)
class _Step:
    """Widgets that are reduced together."""

    widgets: tuple[QWidget, ...]
    keeps_icon: bool
    """Reduce buttons to their icons instead of hiding them."""

    def apply(self, reduced: bool) -> None:
        for widget in self.widgets:
            if not self.keeps_icon:
                widget.setVisible(not reduced)
            elif isinstance(widget, QToolButton):
                widget.setToolButtonStyle(_ICON if reduced else _ICON_AND_TEXT)


class ResponsiveRow(QWidget):
    """Row of widgets that reduces some of them, least important first, where space is short.

    Fill `row`, then declare what may be reduced, in that order. Reduced widgets must have an
    equivalent elsewhere.

    Parameters
    ----------
    parent : QWidget, optional
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._steps: list[_Step] = []
        self.row = QHBoxLayout(self)

    def may_hide(self, *widgets: QWidget) -> None:
        """Declare widgets that may be hidden together as the next step."""
        self._steps.append(_Step(widgets, keeps_icon=False))

    def may_lose_text(self, *buttons: QToolButton) -> None:
        """Declare buttons that may lose their texts together as the next step."""
        self._steps.append(_Step(buttons, keeps_icon=True))

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return the size with every step applied."""
        return QSize(self._required_width(len(self._steps)), super().minimumSizeHint().height())

    def event(self, event: QEvent) -> bool:
        """Fit again when a widget changes its size."""
        done = super().event(event)
        if event.type() in (QEvent.Type.LayoutRequest, QEvent.Type.StyleChange):
            self._fit()
        return done

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """Fit again at the new width."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """Apply as few steps as the width requires."""
        count = len(self._steps)
        fitting = (n for n in range(count) if self._required_width(n) <= self.width())
        level = next(fitting, count)
        for number, step in enumerate(self._steps):
            step.apply(number < level)

    def _required_width(self, level: int) -> int:
        """Return the row's width in pixels with the first `level` steps applied."""
        hidden: set[QWidget] = set()
        hideable: set[QWidget] = set()
        with_text: set[QWidget] = set()
        without_text: set[QWidget] = set()
        for number, step in enumerate(self._steps):
            reduced = number < level
            if step.keeps_icon:
                (without_text if reduced else with_text).update(step.widgets)
            else:
                hideable.update(step.widgets)
                hidden.update(step.widgets if reduced else ())
        margins = self.row.contentsMargins()
        widths = []
        for number in range(self.row.count()):
            item = self.row.itemAt(number)
            widget = item.widget() if item is not None else None
            if widget is None:
                widths.append(item.sizeHint().width() if item is not None else 0)
            elif widget not in hidden and (widget in hideable or not widget.isHidden()):
                width = _preferred_width(widget, elide=level == len(self._steps))
                if isinstance(widget, QToolButton) and widget in without_text | with_text:
                    change = int(widget in with_text) - int(_has_text(widget))
                    width += change * _text_width(widget)
                widths.append(width)
        gaps = self.row.spacing() * max(0, len(widths) - 1)
        return margins.left() + margins.right() + sum(widths) + gaps


def _preferred_width(widget: QWidget, *, elide: bool) -> int:
    """Return the width of a widget in its current form, with labels elided if `elide`."""
    if isinstance(widget, ElidedLabel) and elide:
        return widget.minimumSizeHint().width()
    return min(max(widget.sizeHint().width(), widget.minimumWidth()), widget.maximumWidth())


def _has_text(button: QToolButton) -> bool:
    return button.toolButtonStyle() == _ICON_AND_TEXT


def _text_width(button: QToolButton) -> int:
    """Return the width that a text beside the icon adds to a button, computed as Qt does."""
    metrics = button.fontMetrics()
    text = metrics.size(Qt.TextFlag.TextShowMnemonic, button.text()).width()
    return text + 4 + 2 * metrics.horizontalAdvance(" ")
