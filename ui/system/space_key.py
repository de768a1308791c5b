"""Space plays and pauses, whatever was clicked last."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QFocusEvent, QKeyEvent
from PySide6.QtWidgets import QApplication, QWidget

_BY_KEYBOARD = (
    Qt.FocusReason.TabFocusReason,
    Qt.FocusReason.BacktabFocusReason,
    Qt.FocusReason.ShortcutFocusReason,
)


class SpaceKey(QObject):
    """Leaves Space to the control that was reached by the keyboard.

    Space is the shortcut of play and pause. Without this filter it would also be taken from a
    button or check box that somebody reached by Tab and can only press by Space. Text fields keep
    the key anyway.

    Parameters
    ----------
    window : QWidget
        Becomes the parent.
    """

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._reached_by_keyboard: QObject | None = None
        application = QApplication.instance()
        assert application is not None
        application.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Note how a control got the focus; keep Space from becoming a shortcut there."""
        if event.type() == QEvent.Type.FocusIn and isinstance(event, QFocusEvent):
            if not isinstance(watched, QWidget):  # styles are told as well
                return False
            self._reached_by_keyboard = watched if event.reason() in _BY_KEYBOARD else None
        elif (
            event.type() == QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and event.key() == Qt.Key.Key_Space
            and watched is self._reached_by_keyboard
        ):
            event.accept()
            return True
        return False
