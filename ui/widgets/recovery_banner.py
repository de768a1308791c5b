"""Banner that offers to recover recordings left behind by a crash."""

from __future__ import annotations

from collections.abc import Callable

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
    parent : QWidget, optional
    """

    def __init__(
        self,
        state: TakesState,
        recover: Callable[[str], None],
        discard: Callable[[str], None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__("note", parent)
        self._state = state
        self._recover, self._discard = recover, discard
        self.recover = self.add_button("Recover", "Recover the interrupted recording")
        self.discard = self.add_button("Discard…", "Discard the interrupted recording")
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
        text = f"A recording of {clock(first.seconds)}{source} was interrupted on {when}."
        more = len(found) - 1
        if more:
            text += f" {more} more can be recovered after it."
        self.show_text(text)
