"""All of the window that is about takes: page, timeline, menu entries, count-down, found takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QAction, QKeySequence, QUndoStack
from PySide6.QtWidgets import QGridLayout, QInputDialog, QLabel, QMenu, QMessageBox, QVBoxLayout

from pymaf_live.takes.library import UnfinishedRecording
from pymaf_live.types import Array
from ui.state.take import OpenTake, Playhead
from ui.state.view import Layout
from ui.state.window import WindowState
from ui.widgets.banner import Banner
from ui.widgets.box_overlay import BoxOverlay
from ui.widgets.formatting import clock
from ui.widgets.icons import icon
from ui.widgets.main_window import MainWindow
from ui.widgets.takes_page import LibraryDeeds, TakesPage
from ui.widgets.timeline import TaskProgress, Timeline


class UndoHistory(Protocol):
    """What was done."""

    stack: QUndoStack


class TakeDeeds(LibraryDeeds, Protocol):
    """Who does what is asked for here."""

    @property
    def history(self) -> UndoHistory:
        """What was done to the open take."""

    def open_last(self) -> None:
        """Look at the take that was recorded last."""

    def keep_found(self, take: str) -> None:
        """Make a take of a recording that was left behind."""

    def discard_found(self, take: str) -> None:
        """Throw it away."""

    def go_to(self, frame: int) -> None:
        """Show a frame."""

    def step(self, frames: int) -> None:
        """Hold the take and go some frames on or back."""

    def trim(self, first: int, last: int) -> None:
        """Leave out what is before and after."""

    def begin_here(self) -> None:
        """Leave out what comes before."""

    def end_here(self) -> None:
        """Leave out what comes after."""

    def trim_nothing(self) -> None:
        """Have the whole take again."""

    def mark(self, name: str) -> None:
        """Set a marker at the frame that is shown."""

    def unmark(self, frame: int) -> None:
        """Remove the marker of a frame."""

    def move_marker(self, frame: int, to: int) -> None:
        """Put the marker of a frame at another."""

    def correct(self, box: Array) -> None:
        """Measure again from the frame that is shown on, beginning in a box."""

    def cancel_work(self) -> None:
        """End the work that can be ended."""


class TakeFeature(QObject):
    """Adds its parts to a window, and belongs to it.

    Parameters
    ----------
    window : MainWindow
    state : WindowState
    deeds : TakeDeeds
    """

    def __init__(self, window: MainWindow, state: WindowState, deeds: TakeDeeds) -> None:
        super().__init__(window)
        self._window = window
        self._state = state
        self._deeds = deeds
        self._layout_before: Layout | None = None
        self._make_actions()
        self.page = TakesPage(state.takes, deeds)
        window.side_panel.add_page("takes", "Takes", self.page)
        self.timeline = Timeline(
            state.takes,
            (self.previous, self.next),
            (self.begin, self.end, self.marker, self.box),
            (self.undo, self.redo, self.close_take),
        )
        self.timeline.track.wanted.connect(deeds.go_to)
        self.timeline.track.trimmed.connect(deeds.trim)
        self.timeline.track.marker_moved.connect(deeds.move_marker)
        self.found = Banner()
        self.keep = self.found.add_button("Keep it", "Keep the recording that was cut off")
        self.discard = self.found.add_button("Discard…", "Discard the recording that was cut off")
        self.keep.clicked.connect(self._keep_found)
        self.discard.clicked.connect(self._discard_found)
        self.tasks = TaskProgress(state.takes)
        self.tasks.cancel.clicked.connect(deeds.cancel_work)
        self.count = QLabel()
        self.count.setObjectName("canvasNote")
        self.count.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.count.setAccessibleName("Seconds until the recording begins")
        font = self.count.font()
        font.setPointSize(6 * max(font.pointSize(), 8))
        self.count.setFont(font)
        self.count.setStyleSheet(f"font-size: {font.pointSize()}pt; font-weight: 600;")
        self.overlay = BoxOverlay(window.canvas_area.canvas, self._correct, self._end_box)
        window.canvas_area.canvas.installEventFilter(self)
        self._place()
        self._fill_menus()
        state.takes.opened.watch(self._on_opened_change)
        state.takes.playhead.watch(self._on_playhead_change)
        state.takes.boxing.watch(self._on_boxing_change)
        state.takes.found.watch(self._on_found_change)
        state.takes.counting.watch(self._on_counting_change)

    def ask_marker(self, name: str) -> str | None:
        """What a marker is to be called; None: nothing."""
        text, given = QInputDialog.getText(self._window, "Marker", "Name", text=name)
        return text if given else None

    def ask_discard(self, found: UnfinishedRecording) -> bool:
        """Whether a recording may be thrown away."""
        box = QMessageBox(self._window)
        box.setIcon(QMessageBox.Icon.Warning)
        box.setWindowTitle("PyMAF Live")
        box.setText(f"Discard the recording of {clock(found.seconds)}?")
        box.setInformativeText("It cannot come back.")
        discard = box.addButton("Discard", QMessageBox.ButtonRole.DestructiveRole)
        keep = box.addButton("Not now", QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(keep)
        box.setEscapeButton(keep)
        box.exec()
        return box.clickedButton() is discard

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """The overlay is as large as the canvas."""
        if event.type() == QEvent.Type.Resize and self.overlay.isVisible():
            self.overlay.setGeometry(self._window.canvas_area.canvas.rect())
        return super().eventFilter(watched, event)

    # -- making -------------------------------------------------------------------------------

    def _make_actions(self) -> None:
        deeds = self._deeds
        self.takes = self._action("Takes", "Ctrl+T", "Show the list of kept takes", self._show_page)
        self.look = self._action(
            "Look at the last take", "Ctrl+Shift+T", "Open the newest take", deeds.open_last
        )
        self.previous = self._action(
            "Previous frame", ",", "Go a frame back", lambda: deeds.step(-1), "previous"
        )
        self.next = self._action(
            "Next frame", ".", "Go a frame forward", lambda: deeds.step(1), "next"
        )
        self.begin = self._action(
            "Begin here", "I", "Leave out what comes before this frame", deeds.begin_here, "begin"
        )
        self.end = self._action(
            "End here", "O", "Leave out what comes after this frame", deeds.end_here, "finish"
        )
        self.whole = self._action(
            "Trim nothing", "Shift+I", "Have the whole take again", deeds.trim_nothing
        )
        self.marker = self._action(
            "Marker", "K", "Set a marker at this frame, or remove it", self._mark, "marker"
        )
        self.named_marker = self._action(
            "Marker with a name…", "Shift+K", "Set a marker and name it", self._mark_named
        )
        self.box = self._action(
            "Correct with a box",
            "B",
            "Draw a box around the person and measure again from here",
            lambda: self._state.takes.boxing.set(True),
            "box",
        )
        self.close_take = self._action(
            "Close the take", "", "Close the take (Ctrl+W)", self._close, "dismiss"
        )
        stack = deeds.history.stack
        self.undo = self._of_stack(stack.createUndoAction(self, "Undo"), "undo", "Ctrl+Z")
        self.redo = self._of_stack(stack.createRedoAction(self, "Redo"), "redo", "Ctrl+Shift+Z")

    def _action(
        self, text: str, keys: str, tip: str, deed: Callable[[], None], icon_name: str = ""
    ) -> QAction:
        action = QAction(text, self)
        if keys:
            action.setShortcut(QKeySequence(keys))
        if icon_name:
            action.setIcon(icon(icon_name))
        action.setStatusTip(tip)
        action.setToolTip(f"{tip} ({keys})" if keys else tip)
        action.triggered.connect(lambda _=False: deed())
        return action

    def _of_stack(self, action: QAction, name: str, keys: str) -> QAction:
        action.setIcon(icon(name))
        action.setShortcut(QKeySequence(keys))
        action.setStatusTip(f"{name.capitalize()} the last edit of the take")
        return action

    def _place(self) -> None:
        parent = self._window.pages.parentWidget()
        middle = parent.layout() if parent is not None else None
        assert isinstance(middle, QVBoxLayout)
        middle.insertWidget(middle.indexOf(self._window.pages), self.found)
        middle.insertWidget(middle.indexOf(self._window.pages) + 1, self.timeline)
        stage = self._window.canvas_area.layout()
        assert isinstance(stage, QGridLayout)
        stage.addWidget(self.count, 0, 0, Qt.AlignmentFlag.AlignCenter)
        self._window.status_line.addPermanentWidget(self.tasks)

    def _fill_menus(self) -> None:
        menu = next(
            each
            for each in self._window.menuBar().findChildren(QMenu)
            if self._window.actions_.record in each.actions()
        )
        menu.addActions([self.takes, self.look])
        menu.addSeparator()
        menu.addActions([self.undo, self.redo])
        menu.addSeparator()
        menu.addActions([self.previous, self.next])
        menu.addActions([self.begin, self.end, self.whole])
        menu.addActions([self.marker, self.named_marker, self.box, self.close_take])

    # -- what a person does -------------------------------------------------------------------

    def _show_page(self) -> None:
        self._window.side_panel.show_page("takes")
        self.page.list.setFocus()

    def _mark(self) -> None:
        opened, frame = self._state.takes.opened.value, self._state.takes.playhead.value.frame
        if opened is None:
            return
        markers = opened.stored.take.marker_frame
        if frame in markers:
            self._deeds.unmark(frame)
        else:
            self._deeds.mark(f"Marker {len(markers) + 1}")

    def _mark_named(self) -> None:
        opened, frame = self._state.takes.opened.value, self._state.takes.playhead.value.frame
        if opened is None:
            return
        take = opened.stored.take
        names = dict(zip(take.marker_frame, take.marker_name, strict=True))
        name = self.ask_marker(names.get(frame, f"Marker {len(names) + 1}"))
        if name is not None:
            self._deeds.go_to(frame)  # it may have gone on while the name was typed
            self._deeds.mark(name)

    def _correct(self, box: Array) -> None:
        self._end_box()
        self._deeds.correct(box)

    def _end_box(self) -> None:
        self._state.takes.boxing.set(False)

    def _close(self) -> None:
        self._window.actions_.close_source.trigger()

    def _keep_found(self) -> None:
        found = self._state.takes.found.value
        if found:
            self._deeds.keep_found(found[0].id)

    def _discard_found(self) -> None:
        found = self._state.takes.found.value
        if found and self.ask_discard(found[0]):
            self._deeds.discard_found(found[0].id)

    # -- what happens -------------------------------------------------------------------------

    def _on_opened_change(self, opened: OpenTake | None) -> None:
        there = opened is not None
        for action in (
            *(self.previous, self.next, self.begin, self.end, self.whole),
            *(self.marker, self.named_marker, self.close_take),
        ):
            action.setEnabled(there)
        self.box.setEnabled(opened is not None and opened.pictures)
        if opened is not None:
            self._window.setWindowTitle(f"{opened.stored.about.name} – PyMAF Live")
        elif self._state.source.value is None:
            self._window.setWindowTitle("PyMAF Live")

    def _on_playhead_change(self, playhead: Playhead) -> None:
        opened = self._state.takes.opened.value
        marked = opened is not None and playhead.frame in opened.stored.take.marker_frame
        self.marker.setText("Remove the marker" if marked else "Marker")

    def _on_boxing_change(self, boxing: bool) -> None:
        view, opened = self._state.view, self._state.takes.opened.value
        if boxing and opened is not None:
            self._deeds.step(0)
            self._layout_before = view.layout.value
            view.layout.set(Layout.PICTURE)
            view.inside.set(False)
            result = self._state.result.value
            if result is not None:
                # the picture of a frame that was just gone to may still be on its way
                self._deeds.go_to(result.frame.index)
            people = result.people if result is not None else ()
            box = people[0].box if people else None
            size = opened.stored.take.frame_size
            if result is not None and result.camera is not None:
                size = result.camera.size
            self.overlay.begin(size, self._state.mirror.value, box)
        elif not boxing:
            self.overlay.end()
            if self._layout_before is not None:
                view.layout.set(self._layout_before)
                self._layout_before = None
                self._window.canvas_area.setFocus()

    def _on_found_change(self, found: tuple[UnfinishedRecording, ...]) -> None:
        if not found:
            self.found.show_text("")
            return
        first = found[0]
        when = f"{first.about.created.astimezone():%d %b, %H:%M}"
        source = first.about.source or "a source"
        text = f"A recording of {clock(first.seconds)} from {source} was cut off on {when}."
        more = f" {len(found) - 1} more wait." if len(found) > 1 else ""
        self.found.show_text(text + more)

    def _on_counting_change(self, seconds: int) -> None:
        self.count.setText(str(seconds))
        self.count.setVisible(seconds > 0)
