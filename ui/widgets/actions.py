"""The window's actions, shared by menus, buttons and shortcuts."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction, QKeySequence

from ui.state.source import FileQueue
from ui.state.window import Phase, SourceChoice, TakePhase, TakeStatus, WindowState, video_of
from ui.widgets.icons import icon


class Actions(QObject):
    """Actions of the main window, each enabled while it is possible.

    Parameters
    ----------
    state : WindowState
    parent : QObject, optional
    """

    def __init__(self, state: WindowState, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self.open_file = self._action("Open file…", "open", QKeySequence.StandardKey.Open)
        self.open_folder = self._action("Open folder of images…", "open", "Ctrl+Shift+O")
        self.open_address = self._action("Open network stream…", None, "Ctrl+U")
        self.open_address.setStatusTip("Open a network camera or stream by its address")
        self.demo = self._action("Play the demo", "demo", "Ctrl+D")
        self.next_file = self._action("Next file", None, "Ctrl+PgDown")
        self.previous_file = self._action("Previous file", None, "Ctrl+PgUp")
        for action in (self.next_file, self.previous_file):
            action.setStatusTip("Switch between the files that were opened together")
        self.close_source = self._action("Close source", None, "Ctrl+W")
        self.quit = self._action("Quit", None, "Ctrl+Q")
        self.quit.setShortcutContext(Qt.ShortcutContext.ApplicationShortcut)  # also in Batch
        self.pause = self._action("Pause", "pause", "Space", "Pause or resume (Space)")
        self.record = self._action("Record", "record", "R")
        self.capture = self._action("Capture whole video", "capture", "C")
        self.capture.setToolTip(
            "Measure every frame of the video with the best model, in the background (C)"
        )
        self.export = self._action("Export…", "export", "Ctrl+E")
        self.skeleton = self._action("Skeleton", None, "S", checkable=True)
        self.mirror = self._action("Mirror", None, "M", checkable=True)
        self.mirror.setToolTip("Mirror the view (M). Recordings are never mirrored.")
        self.loop = self._action("Loop files", None, "L", checkable=True)
        self.mute = self._action("Mute", "sound", "Shift+M", checkable=True)
        self.panel = self._action("Side panel", None, "P", checkable=True)
        for action, value in (
            (self.panel, state.view.panel),
            (self.skeleton, state.skeleton),
            (self.mirror, state.mirror),
            (self.loop, state.loop),
            (self.mute, state.sound.muted),
        ):
            value.watch(action.setChecked)
            action.toggled.connect(value.set)
        state.phase.watch(self._on_phase_change)
        state.live.watch(lambda _: self._on_phase_change(state.phase.value))
        state.take.watch(self._on_take_change)
        state.takes.count_down_left.watch(lambda _: self._on_take_change(state.take.value))
        state.takes.selected.watch(lambda _: self._on_take_change(state.take.value))
        state.demo.watch(self._on_demo_change)
        state.source.watch(lambda _: self._update_capture())
        state.takes.opened.watch(lambda _: self._update_capture())
        state.capture.progress.watch(lambda _: self._update_capture())
        state.take.watch(lambda _: self._update_capture())
        state.sources.queue.watch(self._on_queue_change)
        state.sound.available.watch(self.mute.setEnabled)
        state.sound.muted.watch(lambda off: self.mute.setIcon(icon("muted" if off else "sound")))

    def _action(
        self,
        text: str,
        icon_name: str | None,
        keys: QKeySequence.StandardKey | str | None,
        tip: str = "",
        *,
        checkable: bool = False,
    ) -> QAction:
        action = QAction(text, self)
        if icon_name is not None:
            action.setIcon(icon(icon_name))
        if keys is not None:
            action.setShortcut(QKeySequence(keys))
        name = text.removesuffix("…")
        action.setToolTip(tip or f"{name} ({action.shortcut().toString()})")
        action.setCheckable(checkable)
        return action

    def _on_phase_change(self, phase: Phase) -> None:
        opened = phase in (Phase.PLAYING, Phase.PAUSED, Phase.ENDED)
        self.close_source.setEnabled(phase is not Phase.EMPTY)
        # a live source cannot be paused: it would continue behind the frozen image
        self.pause.setEnabled(opened and (phase is Phase.ENDED or not self._state.live.value))
        text, icon_name = {
            Phase.PAUSED: ("Resume", "play"),
            Phase.ENDED: ("Play again", "replay"),
        }.get(phase, ("Pause", "pause"))
        self.pause.setText(text)
        self.pause.setIcon(icon(icon_name))
        self.pause.setToolTip(f"{text} (Space)")
        self._on_take_change(self._state.take.value)

    def _on_take_change(self, take: TakeStatus) -> None:
        recording = take.phase is TakePhase.RECORDING
        reviewing = self._state.takes.opened.value is not None
        playing = not reviewing and self._state.phase.value in (Phase.PLAYING, Phase.PAUSED)
        counting = self._state.takes.count_down_left.value > 0
        text = "Stop recording" if recording else "Cancel countdown" if counting else "Record"
        self.record.setText(text)
        self.record.setToolTip(f"{text} (R)")
        self.record.setIcon(icon("stop" if recording or counting else "record"))
        self.record.setEnabled(recording or (playing and take.phase is not TakePhase.EXPORTING))
        selected = bool(self._state.takes.selected.value) and take.phase is TakePhase.NONE
        self.export.setEnabled(take.phase is TakePhase.READY or selected)

    def _update_capture(self) -> None:
        video = video_of(self._state)
        recording = self._state.take.value.phase is TakePhase.RECORDING
        running = self._state.capture.progress.value is not None
        opened = self._state.takes.opened.value
        complete = opened is not None and opened.stored.about.captured
        self.capture.setVisible(video is not None and not complete)
        self.capture.setEnabled(video is not None and not recording and not running)

    def _on_queue_change(self, queue: FileQueue) -> None:
        self.next_file.setEnabled(queue.next is not None)
        self.previous_file.setEnabled(queue.previous is not None)

    def _on_demo_change(self, demo: SourceChoice | None) -> None:
        self.demo.setEnabled(demo is not None)
