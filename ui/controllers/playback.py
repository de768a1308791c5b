"""Pause and resume whatever is shown."""

from __future__ import annotations

from ui.controllers.sources import SourceController
from ui.controllers.take_review import TakeReviewController
from ui.state.commands import PlaybackCommands
from ui.state.take import TakesState


class PlaybackController(PlaybackCommands):
    """Pauses and resumes the open take or, if none is open, the source.

    Parameters
    ----------
    state : TakesState
    sources : SourceController
    review : TakeReviewController
    """

    def __init__(
        self, state: TakesState, sources: SourceController, review: TakeReviewController
    ) -> None:
        self._state = state
        self._sources = sources
        self._review = review

    def pause(self) -> None:
        """See `PlaybackCommands.pause`."""
        self._review.pause()
        self._sources.playback.pause()

    def resume(self) -> None:
        """See `PlaybackCommands.resume`."""
        if self._state.opened.value is not None:
            self._review.play()
        else:
            self._sources.playback.resume()

    def seek(self, seconds: float) -> None:
        """See `PlaybackCommands.seek`."""
        self._sources.playback.seek(seconds)

    def step(self, frames: int) -> None:
        """See `PlaybackCommands.step`."""
        if self._state.opened.value is not None:
            self._review.step(frames)
        else:
            self._sources.playback.step(frames)
