"""Mute button and volume."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QSlider, QToolButton, QWidget

from ui.state.sound import SoundState


class SoundControl(QWidget):
    """Mute button and volume slider; hidden where nothing can be heard.

    Parameters
    ----------
    state : SoundState
    mute : QAction
    parent : QWidget, optional
    """

    def __init__(self, state: SoundState, mute: QAction, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self.mute = QToolButton()
        self.mute.setDefaultAction(mute)
        self.mute.setIconSize(QSize(18, 18))
        self.mute.setProperty("role", "tool")
        self.mute.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.mute.setAccessibleName("Mute")
        self.volume = QSlider(Qt.Orientation.Horizontal)
        self.volume.setRange(0, 100)
        self.volume.setFixedWidth(70)
        self.volume.setAccessibleName("Volume")
        self.volume.setToolTip("Volume")
        # of its own, so that a row that is short of room can hide and show the whole
        content = QWidget()
        row = QHBoxLayout(content)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        row.addWidget(self.mute)
        row.addWidget(self.volume)
        outer = QHBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(content)
        state.available.watch(content.setVisible)
        state.volume.watch(lambda volume: self.volume.setValue(round(100 * volume)))
        self.volume.valueChanged.connect(self._on_value_change)

    def _on_value_change(self, percent: int) -> None:
        if percent == round(100 * self._state.volume.value):
            return
        self._state.volume.set(percent / 100)
        self._state.muted.set(False)
