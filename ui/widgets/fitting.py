"""Dialogs and scroll areas that fit small screens."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QSize, Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QDialog, QFrame, QScrollArea, QWidget

from ui.system.screen_fit import fit_to_screen

_MIN_LINES = 4
"""Minimum height of a scroll area in lines of text."""


class FittingDialog(QDialog):
    """Dialog that is never larger than the screen."""

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        """Fit the dialog to the screen."""
        super().showEvent(event)
        fit_to_screen(self)


class ContentScroll(QScrollArea):
    """Scroll area as large as its content where there is room for it.

    Parameters
    ----------
    content : QWidget
    """

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        self.setWidget(content)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.viewport().setAutoFillBackground(False)
        content.setAutoFillBackground(False)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Pass on that the content needs another size."""
        if event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return super().eventFilter(watched, event)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return the size of the content."""
        content = self.widget()
        return content.sizeHint() if content is not None else super().sizeHint()

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return the width of the content with its scroll bar, and a few lines."""
        width = self.sizeHint().width() + self.verticalScrollBar().sizeHint().width()
        lines = _MIN_LINES * self.fontMetrics().height()
        return QSize(width, min(lines, self.sizeHint().height()))
