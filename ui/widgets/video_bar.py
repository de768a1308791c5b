"""Bar to move in the open video: position, single frames and speed."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QMouseEvent
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QSlider,
    QStyle,
    QToolButton,
    QWidget,
)

from ui.state.observable import Observable
from ui.state.source import Position
from ui.state.window import WindowState
from ui.widgets.formatting import clock
from ui.widgets.sound_control import SoundControl

_STEPS_PER_SECOND = 1000
SPEEDS = (0.25, 0.5, 1.0, 2.0)


class VideoBar(QWidget):
    """Seek bar of the open video; hidden where there is nothing to move in.

    Parameters
    ----------
    state : WindowState
    previous, following : QAction
        Move by a frame.
    mute : QAction
    seek : callable
        Continues at a time in seconds.
    parent : QWidget, optional
    """

    def __init__(
        self,
        state: WindowState,
        previous: QAction,
        following: QAction,
        mute: QAction,
        seek: Callable[[float], None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("transport")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._seek = seek
        self.slider = _SeekSlider()
        self.slider.setAccessibleName("Position in the video")
        self.slider.valueChanged.connect(self._on_value_change)
        self.position = QLabel()
        self.position.setAccessibleName("Position and duration")
        self.speed = speed_box(state.speed)
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 6, 14, 0)
        row.setSpacing(8)
        for action in (previous, following):
            button = QToolButton()
            button.setDefaultAction(action)
            button.setProperty("role", "tool")
            button.setAccessibleName(action.statusTip())
            row.addWidget(button)
        row.addWidget(self.slider, 1)
        row.addWidget(self.position)
        self.sound = SoundControl(state.sound, mute)
        row.addWidget(self.sound)
        row.addWidget(self.speed)
        state.sources.position.watch(self._on_position_change)

    def _on_position_change(self, position: Position | None) -> None:
        self.setVisible(position is not None)
        if position is None:
            return
        self.position.setText(f"{clock(position.seconds)} / {clock(position.duration)}")
        if self.slider.isSliderDown():
            return
        self.slider.blockSignals(True)
        self.slider.setRange(0, round(_STEPS_PER_SECOND * position.duration))
        self.slider.setPageStep(5 * _STEPS_PER_SECOND)
        self.slider.setSingleStep(_STEPS_PER_SECOND)
        self.slider.setValue(round(_STEPS_PER_SECOND * position.seconds))
        self.slider.blockSignals(False)

    def _on_value_change(self, value: int) -> None:
        self._seek(value / _STEPS_PER_SECOND)


class _SeekSlider(QSlider):
    """Slider that jumps to where it is clicked."""

    def __init__(self) -> None:
        super().__init__(Qt.Orientation.Horizontal)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Move the handle under the mouse, then drag it."""
        if event.button() == Qt.MouseButton.LeftButton:
            handle = self.style().pixelMetric(QStyle.PixelMetric.PM_SliderLength, None, self)
            room = max(1, self.width() - handle)
            self.setValue(
                QStyle.sliderValueFromPosition(
                    self.minimum(), self.maximum(), round(event.position().x()) - handle // 2, room
                )
            )
        super().mousePressEvent(event)


def speed_box(speed: Observable[float]) -> QComboBox:
    """Return a list of playback speeds bound to a value."""
    box = QComboBox()
    box.setAccessibleName("Playback speed")
    box.setToolTip("Playback speed")
    for value in SPEEDS:
        box.addItem(f"{value:g} ×", value)
    speed.watch(lambda value: box.setCurrentIndex(box.findData(value)))
    box.activated.connect(lambda _: speed.set(box.currentData()))
    return box
