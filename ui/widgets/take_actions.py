"""Actions for reviewing and editing the open take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu

from ui.state.take import OpenTake
from ui.widgets.action_factory import make_action
from ui.widgets.icons import icon


@dataclass(frozen=True)
class TakeCallbacks:
    """Functions that the actions call."""

    show_page: Callable[[], None]
    open_last: Callable[[], None]
    step: Callable[[int], None]
    """Moves by a number of frames."""
    trim_start: Callable[[], None]
    trim_end: Callable[[], None]
    remove_trim: Callable[[], None]
    toggle_marker: Callable[[], None]
    name_marker: Callable[[], None]
    draw_box: Callable[[], None]
    undo: Callable[[], None]
    redo: Callable[[], None]
    close: Callable[[], None]


class TakeActions:
    """Actions of the Take menu and the timeline.

    Parameters
    ----------
    parent : QObject
    callbacks : TakeCallbacks
    """

    def __init__(self, parent: QObject, callbacks: TakeCallbacks) -> None:
        def action(
            text: str, keys: str, tip: str, triggered: Callable[[], None], icon_name: str = ""
        ) -> QAction:
            return make_action(parent, text, keys, tip, triggered, icon_name=icon_name)

        self.takes = action("Takes", "Ctrl+T", "Show the list of takes", callbacks.show_page)
        self.last = action(
            "Open last take", "Ctrl+Shift+T", "Open the newest take", callbacks.open_last
        )
        self.previous = action(
            "Previous frame",
            ",",
            "Go to the previous frame",
            lambda: callbacks.step(-1),
            "previous",
        )
        self.next = action(
            "Next frame", ".", "Go forward one frame", lambda: callbacks.step(1), "next"
        )
        self.trim_start = action(
            "Trim start", "I", "Start the take at this frame", callbacks.trim_start, "begin"
        )
        self.trim_end = action(
            "Trim end", "O", "End the take at this frame", callbacks.trim_end, "finish"
        )
        self.remove_trim = action(
            "Remove trim", "Shift+I", "Restore the whole take", callbacks.remove_trim
        )
        self.marker = action(
            "Add marker", "K", "Add or remove a marker here", callbacks.toggle_marker, "marker"
        )
        self.named_marker = action(
            "Add named marker…", "Shift+K", "Add a marker with a name", callbacks.name_marker
        )
        self.box = action(
            "Correct with a box…",
            "B",
            "Draw a box around the person and track again from this frame",
            callbacks.draw_box,
            "box",
        )
        self.close_take = action("Close take", "", "Close the take (Ctrl+W)", callbacks.close)
        self.close_take.setIcon(icon("dismiss"))
        self.undo = action(
            "Undo", "Ctrl+Z", "Undo the last edit of the take", callbacks.undo, "undo"
        )
        self.redo = action(
            "Redo", "Ctrl+Shift+Z", "Redo the last edit of the take", callbacks.redo, "redo"
        )

    def add_to(self, menu: QMenu) -> None:
        """Add all actions to a menu."""
        menu.addActions([self.takes, self.last])
        menu.addSeparator()
        menu.addActions([self.undo, self.redo])
        menu.addSeparator()
        menu.addActions([self.previous, self.next])
        menu.addActions([self.trim_start, self.trim_end, self.remove_trim])
        menu.addActions([self.marker, self.named_marker, self.box, self.close_take])

    def enable_for(self, opened: OpenTake | None, *, plays_video: bool) -> None:
        """Enable the actions that the open take, or the video that plays, allows."""
        for action in (self.previous, self.next):
            action.setEnabled(opened is not None or plays_video)
        for action in (
            *(self.trim_start, self.trim_end, self.remove_trim),
            *(self.marker, self.named_marker, self.close_take),
        ):
            action.setEnabled(opened is not None)
        self.box.setEnabled(opened is not None and opened.has_images)

    def show_marked(self, marked: bool) -> None:
        """Name the marker action for a frame with or without a marker."""
        self.marker.setText("Remove marker" if marked else "Add marker")

    def show_undo(self, edit: str) -> None:
        """Name the edit that Undo would undo; empty disables the action."""
        _show_edit(self.undo, "Undo", edit)

    def show_redo(self, edit: str) -> None:
        """Name the edit that Redo would redo; empty disables the action."""
        _show_edit(self.redo, "Redo", edit)


def _show_edit(action: QAction, verb: str, edit: str) -> None:
    action.setText(f"{verb} {edit}".strip())
    action.setEnabled(bool(edit))
