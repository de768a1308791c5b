"""Overlay for drawing a box over the image, by mouse or keyboard."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from pymaf_live.types import Array
from ui.system.theme import colours

_MIN_SIDE = 8.0
"""Screen pixels; a smaller box counts as a click."""
_STEP, _LARGE_STEP = 0.01, 0.05
"""Steps of an arrow key without and with Ctrl, as a share of the image's smaller side."""
_ARROWS = {
    Qt.Key.Key_Left: (-1.0, 0.0),
    Qt.Key.Key_Right: (1.0, 0.0),
    Qt.Key.Key_Up: (0.0, -1.0),
    Qt.Key.Key_Down: (0.0, 1.0),
}


class BoxOverlay(QWidget):
    """Covers the canvas while the user draws a box.

    Drag a box with the mouse, or move it with the arrow keys and resize it with Shift and the arrow
    keys (Ctrl: larger steps). Enter confirms, Esc cancels.

    Parameters
    ----------
    canvas : QWidget
        Shows the image letterboxed in its centre.
    on_box : callable
        Called with the confirmed box (4,) x0, y0, x1, y1 in frame pixels.
    on_cancel : callable
        Called when the user cancels.
    """

    def __init__(
        self, canvas: QWidget, on_box: Callable[[Array], None], on_cancel: Callable[[], None]
    ) -> None:
        super().__init__(canvas)
        self._canvas = canvas
        self._on_box = on_box
        self._on_cancel = on_cancel
        self._size = (1, 1)
        self._mirrored = False
        self._box: Array | None = None
        self._drag_start: Array | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setAccessibleName("Box around a person")
        self.setAccessibleDescription(
            "Arrow keys move the box, Shift and arrow keys resize it, Enter confirms, Esc cancels"
        )
        self.hide()

    def begin(self, size: tuple[int, int], mirrored: bool, box: Array | None) -> None:
        """Start drawing.

        Parameters
        ----------
        size : tuple of int
            Width and height of the image in pixels.
        mirrored : bool
            The canvas shows the image mirrored.
        box : (4,) array, optional
            Initial box in frame pixels; None starts with one in the image's centre.
        """
        width, height = size
        self._size, self._mirrored = size, mirrored
        central = np.array([0.35 * width, 0.1 * height, 0.65 * width, 0.9 * height])
        self._box = np.array(central if box is None else box, dtype=np.float64)
        self._drag_start = None
        self.setGeometry(self._canvas.rect())
        self.show()
        self.raise_()
        self.setFocus()

    def end(self) -> None:
        """Stop drawing and hide."""
        self.hide()

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Start a box."""
        self._drag_start = self._frame_from_screen(event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the box from where the drag started."""
        if self._drag_start is not None:
            start, end = self._drag_start, self._frame_from_screen(event.position())
            self._box = np.r_[np.minimum(start, end), np.maximum(start, end)]
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Confirm the box, unless it was only a click."""
        self.mouseMoveEvent(event)
        self._drag_start = None
        if self._box is not None:
            side = (self._box[2:] - self._box[:2]).min() * self._scale()
            if side > _MIN_SIDE:
                self._confirm()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Move, resize, confirm or cancel."""
        key, modifiers = Qt.Key(event.key()), event.modifiers()
        if key == Qt.Key.Key_Escape:
            self._on_cancel()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._confirm()
        elif key in _ARROWS and self._box is not None:
            step = _LARGE_STEP if modifiers & Qt.KeyboardModifier.ControlModifier else _STEP
            shift = step * min(self._size) * np.array(_ARROWS[key])
            if self._mirrored:
                shift[0] = -shift[0]
            if modifiers & Qt.KeyboardModifier.ShiftModifier:
                self._box[2:] = np.maximum(self._box[2:] + shift, self._box[:2] + 1)
            else:
                self._box += np.tile(shift, 2)
            self.update()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the box and the instructions."""
        if self._box is None:
            return
        painter = QPainter(self)
        corners = np.array(
            [self._screen_from_frame(self._box[:2]), self._screen_from_frame(self._box[2:])]
        )
        low, high = corners.min(axis=0), corners.max(axis=0)
        rectangle = QRectF(QPointF(*low), QPointF(*high))
        width = max(1.0, self.fontMetrics().averageCharWidth() / 4)
        # a dark line under a light one is visible on any image
        painter.setPen(QPen(QColor(0, 0, 0, 160), 2 * width))
        painter.drawRect(rectangle)
        painter.setPen(QPen(QColor(colours().accent), width))
        painter.drawRect(rectangle)
        text = "Draw a box around the person. Enter confirms, Esc cancels."
        band = QRectF(0, 0, self.width(), 1.8 * self.fontMetrics().height())
        painter.fillRect(band, QColor(0, 0, 0, 170))
        painter.setPen(QColor("white"))
        painter.drawText(band, Qt.AlignmentFlag.AlignCenter, text)

    def _confirm(self) -> None:
        if self._box is not None:
            limit = np.array([*self._size, *self._size], dtype=np.float64)
            self._on_box(np.clip(self._box, 0, limit))

    def _scale(self) -> float:
        return min(self.width() / self._size[0], self.height() / self._size[1])

    def _frame_from_screen(self, position: QPointF) -> Array:
        """Return a widget position as frame pixels (2,)."""
        centre = np.array([self.width(), self.height()]) / 2
        offset = (np.array([position.x(), position.y()]) - centre) / self._scale()
        if self._mirrored:
            offset[0] = -offset[0]
        return np.clip(np.array(self._size) / 2 + offset, 0, np.array(self._size))

    def _screen_from_frame(self, point: Array) -> Array:
        """Return frame pixels (2,) as a widget position (2,)."""
        offset = (point - np.array(self._size) / 2) * self._scale()
        if self._mirrored:
            offset[0] = -offset[0]
        return np.array([self.width(), self.height()]) / 2 + offset
