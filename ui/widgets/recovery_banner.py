"""Banner that offers to recover recordings left behind by a crash."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtWidgets import QWidget

from pymaf_live.takes.library import UnfinishedRecording
from ui.state.take import TakesState
from ui.widgets.banner import Banner
from ui.widgets.confirmation import confirm
from ui.widgets.formatting import clock


class RecoveryBanner(Banner):
    """Offers the first of the interrupted recordings.

    Parameters
    ----------
    state : TakesState
    recover : callable
        Makes a take of the recording with an id.
    discard : callable
        Deletes the recording with an id.
    resume : callable
        Continues the capture of a video.
    parent : QWidget, optional
    """

    def __init__(
        self,
        state: TakesState,
        recover: Callable[[str], None],
        discard: Callable[[str], None],
        resume: Callable[[Path], None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("note", parent)
        self._state = state
        self._recover, self._discard, self._resume = recover, discard, resume
        self.resume = self.add_button("Continue", "Continue the interrupted capture")
        self.recover = self.add_button("Recover", "Recover the interrupted recording")
        self.discard = self.add_button("Discard…", "Discard the interrupted recording")
        self.resume.clicked.connect(self._on_resume)
        self.recover.clicked.connect(self._on_recover)
        self.discard.clicked.connect(self._on_discard)
        state.interrupted.watch(self._on_found_change)

    def ask_discard(self, found: UnfinishedRecording) -> bool:
        """Ask whether to delete a recording; return True to delete it."""
        return confirm(
            self.window(),
            f"Discard the recording of {clock(found.seconds)}?",
            "It cannot be restored.",
            accept="Discard",
            reject="Cancel",
        )

    def _on_resume(self) -> None:
        video = _video_to_continue(self._state.interrupted.value)
        if video is not None:
            self._resume(video)

    def _on_recover(self) -> None:
        found = self._state.interrupted.value
        if found:
            self._recover(found[0].id)

    def _on_discard(self) -> None:
        found = self._state.interrupted.value
        if found and self.ask_discard(found[0]):
            self._discard(found[0].id)

    def _on_found_change(self, found: tuple[UnfinishedRecording, ...]) -> None:
        if not found:
            self.show_text("")
            return
        first = found[0]
        when = f"{first.about.created.astimezone():%d %b, %H:%M}"
        source = f" from {first.about.source}" if first.about.source else ""
        video = _video_to_continue(found)
        self.resume.setVisible(video is not None)
        kind = "capture" if first.about.captured else "recording"
        text = f"A {kind} of {clock(first.seconds)}{source} was interrupted on {when}."
        more = len(found) - 1
        if more:
            text += f" {more} more can be recovered after it."
        self.show_text(text)


def _video_to_continue(found: tuple[UnfinishedRecording, ...]) -> Path | None:
    """Return the video of the first recording if that is a capture and the video is still there."""
    if not found or not found[0].about.captured:
        return None
    file = found[0].about.file
    return file if file is not None and file.is_file() else None
