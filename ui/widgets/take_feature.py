"""Takes in the window: page, timeline, menu entries, countdown and recovery."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtWidgets import QGridLayout, QInputDialog, QLabel

from pymaf_live.types import Array
from ui.state.commands import Commands
from ui.state.take import OpenTake, Playhead
from ui.state.view import Layout
from ui.state.window import WindowState
from ui.widgets.box_overlay import BoxOverlay
from ui.widgets.feature import Feature
from ui.widgets.main_window import MainWindow
from ui.widgets.motion_menu import MotionMenu
from ui.widgets.recovery_banner import RecoveryBanner
from ui.widgets.sound_control import SoundControl
from ui.widgets.take_actions import TakeActions, TakeCallbacks
from ui.widgets.takes_page import TakesPage
from ui.widgets.timeline import TaskProgress, Timeline
from ui.widgets.video_bar import VideoBar


class TakeFeature(Feature):
    """Adds the takes page, timeline, menu entries, countdown and recovery banner to a window.

    Parameters
    ----------
    window : MainWindow
        Becomes the parent.
    state : WindowState
    commands : Commands
    """

    def __init__(self, window: MainWindow, state: WindowState, commands: Commands) -> None:
        super().__init__(window, state)
        self._commands = commands
        self._previous_layout: Layout | None = None
        callbacks = TakeCallbacks(
            show_page=self._show_page,
            open_last=commands.takes.open_latest,
            step=commands.playback.step,
            trim_start=commands.editing.set_start,
            trim_end=commands.editing.set_end,
            remove_trim=commands.editing.reset_trim,
            toggle_marker=self._toggle_marker,
            name_marker=self._name_marker,
            draw_box=lambda: state.takes.drawing_box.set(True),
            undo=commands.editing.undo,
            redo=commands.editing.redo,
            close=window.actions_.close_source.trigger,
        )
        self.actions_ = actions = TakeActions(self, callbacks)
        self.page = TakesPage(state.takes, commands.takes)
        self.page.export.clicked.connect(
            lambda: window.exports.start_for(state.takes.selected.value)
        )
        window.side_panel.add_page("takes", "Takes", self.page)
        self.motion = motion = MotionMenu(self, state.takes, commands)
        self.timeline = Timeline(
            state.takes,
            state.speed,
            (actions.previous, actions.next),
            (actions.trim_start, actions.trim_end, actions.marker, actions.box),
            (actions.undo, actions.redo, actions.close_take),
            motion.menu,
            window.actions_.capture,
            SoundControl(state.sound, window.actions_.mute),
        )
        self.video_bar = VideoBar(
            state,
            actions.previous,
            actions.next,
            window.actions_.mute,
            commands.playback.seek,
        )
        self.timeline.track.frame_requested.connect(commands.review.seek)
        self.timeline.track.trimmed.connect(commands.editing.trim)
        self.timeline.track.span_selected.connect(commands.editing.select_span)
        self.timeline.track.marker_moved.connect(commands.editing.move_marker)
        self.recovery = RecoveryBanner(
            state.takes,
            commands.recording.recover,
            commands.recording.discard,
            commands.capture.resume,
        )
        self.task_progress = TaskProgress(state.takes)
        self.task_progress.cancel.clicked.connect(commands.correction.cancel)
        self.countdown = self._countdown_label()
        self.overlay = BoxOverlay(window.canvas_area.canvas, self._correct, self._stop_box)
        window.canvas_area.canvas.installEventFilter(self)
        self._place_widgets()
        actions.add_to(window.menus.take)
        window.menus.take.addMenu(motion.menu)
        state.takes.opened.watch(self._on_opened_change)
        state.sources.position.watch(lambda _: self._enable_actions())
        state.takes.playhead.watch(self._on_playhead_change)
        state.takes.undo_text.watch(actions.show_undo)
        state.takes.redo_text.watch(actions.show_redo)
        state.takes.task.watch(lambda _: motion.show_choice())
        state.takes.drawing_box.watch(self._on_boxing_change)
        state.takes.count_down_left.watch(self._on_counting_change)

    def ask_marker(self, name: str) -> str | None:
        """Ask for the name of a marker; return None if cancelled."""
        text, accepted = QInputDialog.getText(self._window, "Add marker", "Name", text=name)
        return text if accepted else None

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Keep the box overlay as large as the canvas."""
        if event.type() == QEvent.Type.Resize and self.overlay.isVisible():
            self.overlay.setGeometry(self._window.canvas_area.canvas.rect())
        return super().eventFilter(watched, event)

    # -- construction -------------------------------------------------------------------------

    def _countdown_label(self) -> QLabel:
        label = QLabel()
        label.setObjectName("canvasNote")
        label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        label.setAccessibleName("Seconds until the recording starts")
        font = label.font()
        font.setPointSize(6 * max(font.pointSize(), 8))
        label.setFont(font)
        label.setStyleSheet(f"font-size: {font.pointSize()}pt; font-weight: 600;")
        return label

    def _place_widgets(self) -> None:
        column = self._window.central_column
        column.insertWidget(column.indexOf(self._window.pages), self.recovery)
        column.insertWidget(column.indexOf(self._window.pages) + 1, self.timeline)
        column.insertWidget(column.indexOf(self._window.pages) + 1, self.video_bar)
        canvas_layout = self._window.canvas_area.layout()
        assert isinstance(canvas_layout, QGridLayout)
        canvas_layout.addWidget(self.countdown, 0, 0, Qt.AlignmentFlag.AlignCenter)
        self._window.status_line.addPermanentWidget(self.task_progress)

    # -- actions ------------------------------------------------------------------------------

    def _show_page(self) -> None:
        self._window.side_panel.show_page("takes")
        self.page.list.setFocus()

    def _toggle_marker(self) -> None:
        opened, frame = self._state.takes.opened.value, self._state.takes.playhead.value.frame
        if opened is None:
            return
        markers = opened.stored.take.marker_frame
        if frame in markers:
            self._commands.editing.remove_marker(frame)
        else:
            self._commands.editing.add_marker(f"Marker {len(markers) + 1}")

    def _name_marker(self) -> None:
        opened, frame = self._state.takes.opened.value, self._state.takes.playhead.value.frame
        if opened is None:
            return
        take = opened.stored.take
        names = dict(zip(take.marker_frame, take.marker_name, strict=True))
        name = self.ask_marker(names.get(frame, f"Marker {len(names) + 1}"))
        if name is not None:
            self._commands.review.seek(frame)  # the take may have played on meanwhile
            self._commands.editing.add_marker(name)

    def _correct(self, box: Array) -> None:
        self._stop_box()
        self._commands.correction.reestimate(box)

    def _stop_box(self) -> None:
        self._state.takes.drawing_box.set(False)

    # -- state --------------------------------------------------------------------------------

    def _on_opened_change(self, opened: OpenTake | None) -> None:
        self._enable_actions()
        if opened is not None:
            self._window.setWindowTitle(f"{opened.stored.about.name} – PyMAF Live")
        elif self._state.source.value is None:
            self._window.setWindowTitle("PyMAF Live")

    def _enable_actions(self) -> None:
        plays_video = self._state.sources.position.value is not None
        self.actions_.enable_for(self._state.takes.opened.value, plays_video=plays_video)

    def _on_playhead_change(self, playhead: Playhead) -> None:
        opened = self._state.takes.opened.value
        marked = opened is not None and playhead.frame in opened.stored.take.marker_frame
        self.actions_.show_marked(marked)

    def _on_boxing_change(self, boxing: bool) -> None:
        opened = self._state.takes.opened.value
        if boxing and opened is not None:
            self._start_box(opened)
        elif not boxing:
            self.overlay.end()
            if self._previous_layout is not None:
                self._state.view.layout.set(self._previous_layout)
                self._previous_layout = None
                self._window.canvas_area.setFocus()

    def _start_box(self, opened: OpenTake) -> None:
        view = self._state.view
        self._commands.review.step(0)
        self._previous_layout = view.layout.value
        view.layout.set(Layout.PICTURE)
        view.inside.set(False)
        result = self._state.result.value
        if result is not None:
            # the image of a frame requested just before may still be on its way
            self._commands.review.seek(result.frame.index)
        people = result.people if result is not None else ()
        box = people[0].box if people else None
        size = opened.stored.take.frame_size
        if result is not None and result.camera is not None:
            size = result.camera.size
        self.overlay.begin(size, self._state.mirror.value, box)

    def _on_counting_change(self, seconds: int) -> None:
        self.countdown.setText(str(seconds))
        self.countdown.setVisible(seconds > 0)
