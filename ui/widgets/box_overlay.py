"""A box drawn over the picture, by mouse or keyboard."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from pymaf_live.types import Array
from ui.system.theme import colours

_LEAST = 8.0
"""Pixels of the screen: a smaller box is a click."""
_STEP, _FAR = 0.01, 0.05
"""Of the picture's smaller side, for a key and a key with Ctrl."""


class BoxOverlay(QWidget):
    """Lies over the canvas while a box is drawn.

    Drag a box with the mouse, or move it by the arrow keys, size it with Shift and the arrow keys
    (Ctrl: larger steps); Enter takes it, Esc gives up.

    Parameters
    ----------
    canvas : QWidget
        Shows the picture letterboxed in its middle.
    on_box : callable
        Gets the box (4,), frame pixels.
    on_end : callable
        Called when nothing is to be drawn any more.
    """

    def __init__(
        self, canvas: QWidget, on_box: Callable[[Array], None], on_end: Callable[[], None]
    ) -> None:
        super().__init__(canvas)
        self._canvas = canvas
        self._on_box = on_box
        self._on_end = on_end
        self._size = (1, 1)
        self._mirrored = False
        self._box: Array | None = None
        self._from: Array | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setAccessibleName("Box around a person")
        self.setAccessibleDescription(
            "Arrow keys move the box, Shift and arrow keys size it, Enter takes it, Esc gives up"
        )
        self.hide()

    def begin(self, size: tuple[int, int], mirrored: bool, box: Array | None) -> None:
        """Have a box drawn in a picture of a size (width, height); `box` is there at first."""
        width, height = size
        self._size, self._mirrored = size, mirrored
        middle = np.array([0.35 * width, 0.1 * height, 0.65 * width, 0.9 * height])
        self._box = np.array(middle if box is None else box, dtype=np.float64)
        self._from = None
        self.setGeometry(self._canvas.rect())
        self.show()
        self.raise_()
        self.setFocus()

    def end(self) -> None:
        """Go away."""
        self.hide()

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Begin a box."""
        self._from = self._in_frame(event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Draw it."""
        if self._from is not None:
            to = self._in_frame(event.position())
            self._box = np.r_[np.minimum(self._from, to), np.maximum(self._from, to)]
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Take it, unless it was a mere click."""
        self.mouseMoveEvent(event)
        self._from = None
        if self._box is not None and (self._box[2:] - self._box[:2]).min() * self._scale() > _LEAST:
            self._take()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Move, size, take or give up."""
        key, keys = Qt.Key(event.key()), event.modifiers()
        ways = {
            Qt.Key.Key_Left: (-1.0, 0.0),
            Qt.Key.Key_Right: (1.0, 0.0),
            Qt.Key.Key_Up: (0.0, -1.0),
            Qt.Key.Key_Down: (0.0, 1.0),
        }
        if key == Qt.Key.Key_Escape:
            self._on_end()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._take()
        elif key in ways and self._box is not None:
            step = _FAR if keys & Qt.KeyboardModifier.ControlModifier else _STEP
            by = step * min(self._size) * np.array(ways[key])
            if self._mirrored:
                by[0] = -by[0]
            if keys & Qt.KeyboardModifier.ShiftModifier:
                self._box[2:] = np.maximum(self._box[2:] + by, self._box[:2] + 1)
            else:
                self._box += np.tile(by, 2)
            self.update()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """The box, and what can be done."""
        if self._box is None:
            return
        painter = QPainter(self)
        corners = np.array([self._on_screen(self._box[:2]), self._on_screen(self._box[2:])])
        low, high = corners.min(axis=0), corners.max(axis=0)
        place = QRectF(QPointF(*low), QPointF(*high))
        thick = max(1.0, self.fontMetrics().averageCharWidth() / 4)
        # dark under light: seen on any picture
        painter.setPen(QPen(QColor(0, 0, 0, 160), 2 * thick))
        painter.drawRect(place)
        painter.setPen(QPen(QColor(colours().accent), thick))
        painter.drawRect(place)
        text = "Draw a box around the person (Enter: this one, Esc: none)"
        line = self.fontMetrics().height()
        band = QRectF(0, 0, self.width(), 1.8 * line)
        painter.fillRect(band, QColor(0, 0, 0, 170))
        painter.setPen(QColor("white"))
        painter.drawText(band, Qt.AlignmentFlag.AlignCenter, text)

    def _take(self) -> None:
        if self._box is not None:
            limit = np.array([*self._size, *self._size], dtype=np.float64)
            self._on_box(np.clip(self._box, 0, limit))

    def _scale(self) -> float:
        return min(self.width() / self._size[0], self.height() / self._size[1])

    def _in_frame(self, place: QPointF) -> Array:
        """(2,) frame pixels of a place on the widget."""
        middle = np.array([self.width(), self.height()]) / 2
        away = (np.array([place.x(), place.y()]) - middle) / self._scale()
        if self._mirrored:
            away[0] = -away[0]
        return np.clip(np.array(self._size) / 2 + away, 0, np.array(self._size))

    def _on_screen(self, point: Array) -> Array:
        away = (point - np.array(self._size) / 2) * self._scale()
        if self._mirrored:
            away[0] = -away[0]
        return np.array([self.width(), self.height()]) / 2 + away
