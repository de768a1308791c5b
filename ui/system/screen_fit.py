"""Keep windows and dialogs within the screen, whatever its size and scaling."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QRect, QSize
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget

_FRAME = QSize(8, 36)
"""Room for a window's frame and title where the system has not reported it yet, logical pixels."""


def fit_to_screen(window: QWidget) -> None:
    """Shrink and move a window so that all of it is on its screen.

    Parameters
    ----------
    window : QWidget
        Top-level window, shown or about to be shown.
    """
    screen = window.screen() or QGuiApplication.primaryScreen()
    room = screen.availableGeometry()
    frame = window.frameGeometry().size() - window.size()
    frame = frame if frame.height() > 0 else _FRAME
    largest = room.size() - frame
    window.setMinimumSize(window.minimumSize().boundedTo(largest))
    size = window.size().boundedTo(largest)
    if size != window.size():
        window.resize(size)
    window.move(_inside(QRect(window.pos(), size + frame), room))


def clamped(geometry: QRect) -> QRect:
    """Return a stored geometry within the screen that shows most of it.

    Parameters
    ----------
    geometry : QRect
        Of the content, without frame; logical pixels.
    """
    screen = QGuiApplication.screenAt(geometry.center()) or QGuiApplication.primaryScreen()
    room = screen.availableGeometry()
    size = geometry.size().boundedTo(room.size() - _FRAME)
    return QRect(_inside(QRect(geometry.topLeft(), size), room), size)


def _inside(rectangle: QRect, room: QRect) -> QPoint:
    """Return the position nearest to that of a rectangle at which it lies inside the room."""
    x = max(room.left(), min(rectangle.left(), room.right() + 1 - rectangle.width()))
    y = max(room.top(), min(rectangle.top(), room.bottom() + 1 - rectangle.height()))
    return QPoint(x, y)
