"""Timeline of the open take with its editing buttons."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QMenu,
    QProgressBar,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ui.state.observable import Observable
from ui.state.provenance import provenance_of
from ui.state.take import OpenTake, Playhead, TakesState, TaskStatus
from ui.widgets.formatting import clock
from ui.widgets.icons import icon
from ui.widgets.responsive_row import ElidedLabel, ResponsiveRow
from ui.widgets.sound_control import SoundControl
from ui.widgets.timeline_track import TimelineTrack
from ui.widgets.video_bar import speed_box


class Timeline(QWidget):
    """Track and buttons, visible while a take is open.

    Parameters
    ----------
    state : TakesState
    speed : Observable of float
        Playback speed.
    left, middle, right : sequences of QAction
        Actions in the three groups of the button row.
    motion : QMenu
        Menu of the motion button.
    capture : QAction
        Captures the whole video that the take was recorded from.
    sound : SoundControl
    parent : QWidget, optional
    """

    def __init__(
        self,
        state: TakesState,
        speed: Observable[float],
        left: Sequence[QAction],
        middle: Sequence[QAction],
        right: Sequence[QAction],
        motion: QMenu,
        capture: QAction,
        sound: SoundControl,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._state = state
        self.setObjectName("transport")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName("Timeline")
        self.track = TimelineTrack()
        self.position = QLabel()
        self.position.setAccessibleName("Position in the take")
        self.note = ElidedLabel()
        self.note.setProperty("role", "secondary")
        self.buttons: list[QToolButton] = []
        line = ResponsiveRow()
        row = line.row
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        self._add(row, left)
        row.addWidget(self.position)
        row.addSpacing(10)
        self._add(row, middle)
        self.motion = QToolButton()
        self.motion.setIcon(icon("doubt"))
        self.motion.setIconSize(QSize(18, 18))
        self.motion.setToolTip("Doubtful places, spans, smoothing and foot lock")
        self.motion.setProperty("role", "tool")
        self.motion.setAccessibleName("Motion: doubtful places, spans, smoothing, foot lock")
        self.motion.setMenu(motion)
        self.motion.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.motion.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        row.addWidget(self.motion)
        row.addWidget(self.note, 1)
        row.addWidget(sound)
        self.speed = speed_box(speed)
        row.addWidget(self.speed)
        self._add(row, right)
        line.may_hide(self.motion)  # the Take menu has its entries too
        line.may_hide(sound)  # the View menu has Mute
        line.may_hide(self.speed)
        line.may_hide(self.position)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 6, 14, 2)
        column.setSpacing(4)
        column.addWidget(self.track)
        column.addWidget(line)
        self.origin = ElidedLabel()
        self.origin.setProperty("role", "secondary")
        self.origin.setAccessibleName("Origin of the take")
        self.capture = QPushButton("Capture the whole video")
        self.capture.setAccessibleName("Capture the whole video of this take")
        self.capture.clicked.connect(capture.trigger)
        capture.changed.connect(lambda: self.capture.setEnabled(capture.isEnabled()))
        self._capture_action = capture
        origin = QHBoxLayout()
        origin.addWidget(self.origin, 1)
        origin.addWidget(self.capture)
        column.addLayout(origin)
        state.opened.watch(self._on_opened_change)
        state.doubt.watch(lambda _: self._show_doubt())
        state.span.watch(self.track.show_span)
        state.playhead.watch(self._on_playhead_change)

    def _add(self, row: QHBoxLayout, actions: Sequence[QAction]) -> None:
        for action in actions:
            button = QToolButton()
            button.setDefaultAction(action)
            button.setIconSize(QSize(18, 18))
            button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            button.setProperty("role", "tool")
            button.setAccessibleName(action.statusTip() or action.text())
            row.addWidget(button)
            self.buttons.append(button)

    def _on_opened_change(self, opened: OpenTake | None) -> None:
        self.setVisible(opened is not None)
        self.track.show_take(opened.stored.take if opened is not None else None)
        self._show_doubt()
        note = ""
        if opened is not None and not opened.has_images:
            note = "The video of this take was moved or deleted."
        elif opened is not None and not opened.full_size:
            note = "Shown with a reduced copy of the camera's video."
        self.note.setText(note)
        origin = provenance_of(opened.stored) if opened is not None else None
        self.origin.setText(origin.text if origin is not None else "")
        self.capture.setVisible(
            origin is not None and origin.sparse and self._capture_action.isVisible()
        )
        self._on_playhead_change(self._state.playhead.value)

    def _show_doubt(self) -> None:
        opened, doubt = self._state.opened.value, self._state.doubt.value
        # the two change one after the other
        if opened is None or doubt is None:
            self.track.show_doubt(None)
        elif len(doubt.score) == len(opened.stored.take.frame_time):
            self.track.show_doubt(doubt)

    def _on_playhead_change(self, playhead: Playhead) -> None:
        opened = self._state.opened.value
        if opened is None:
            return
        times = opened.stored.take.frame_time
        if not len(times):
            return
        frame = min(playhead.frame, len(times) - 1)
        self.track.show_frame(frame)
        position, duration = times[frame] - times[0], times[-1] - times[0]
        self.position.setText(f"{clock(position)} / {clock(duration)}   frame {frame + 1}")


class TaskProgress(QWidget):
    """Progress of a background task on a take, with a Cancel button if it can be cancelled.

    Parameters
    ----------
    state : TakesState
    parent : QWidget, optional
    """

    def __init__(self, state: TakesState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.text = QLabel()
        self.bar = QProgressBar()
        self.bar.setRange(0, 100)
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName("Progress of the task")
        self.bar.setFixedWidth(14 * self.fontMetrics().averageCharWidth())
        self.bar.setFixedHeight(self.fontMetrics().height() // 2)
        self.cancel = QPushButton("Cancel")
        self.cancel.setAccessibleName("Cancel the task")
        row = QHBoxLayout(self)
        row.setContentsMargins(6, 0, 6, 0)
        for widget in (self.text, self.bar, self.cancel):
            row.addWidget(widget)
        state.task.watch(self._on_task_change)

    def _on_task_change(self, task: TaskStatus | None) -> None:
        self.setVisible(task is not None)
        if task is not None:
            self.text.setText(task.text)
            # a bar without a maximum is animated
            self.bar.setRange(0, 0 if task.fraction is None else 100)
            self.bar.setValue(round(100 * (task.fraction or 0.0)))
            self.cancel.setVisible(task.can_cancel)
