"""Pause, loop, mirror and inspection of the open source."""

from __future__ import annotations

from collections.abc import Callable

from ui.controllers.source_session import SourceSession
from ui.state.window import Phase, SourceChoice, WindowState


class SourcePlayback:
    """Applies what the user sets while a source plays.

    Parameters
    ----------
    state : WindowState
        Written here: `phase`, `mirror` and `mirror_cameras`.
    session : callable
        Returns the open session; None while no source is open.
    reopen : callable
        Opens a source that has ended again.
    """

    def __init__(
        self,
        state: WindowState,
        session: Callable[[], SourceSession | None],
        reopen: Callable[[SourceChoice], None],
    ) -> None:
        self._state = state
        self._session = session
        self._reopen = reopen
        state.loop.watch(self._on_loop_change)
        state.mirror.watch(self._on_mirror_change)
        state.view.inside.watch(self._on_inside_change)

    def pause(self) -> None:
        """Hold the frame of a file; cameras and streams cannot be paused."""
        session = self._session()
        if session is not None and session.playback is not None:
            session.playback.pause()
            self._state.phase.set(Phase.PAUSED)

    def resume(self) -> None:
        """Continue a paused file, or replay one that has ended."""
        phase, source, session = self._state.phase.value, self._state.source.value, self._session()
        if phase is Phase.ENDED and source is not None:
            self._reopen(source)
        elif phase is Phase.PAUSED and session is not None:
            if session.playback is not None:
                session.playback.resume()
            self._state.phase.set(Phase.PLAYING)

    def apply(self, session: SourceSession) -> None:
        """Apply the settings to a session that has just been opened."""
        self._on_loop_change(self._state.loop.value)
        self._on_inside_change(self._state.view.inside.value)
        self._state.live.set(session.playback is None)
        mirror = session.choice.kind == "camera" and self._state.mirror_cameras.value
        self._state.mirror.set(mirror)

    def _on_loop_change(self, loop: bool) -> None:
        session = self._session()
        if session is not None and session.playback is not None:
            session.playback.loop = loop

    def _on_inside_change(self, inside: bool) -> None:
        session = self._session()
        if session is not None:
            session.pipeline.inspect = inside

    def _on_mirror_change(self, mirror: bool) -> None:
        session = self._session()
        if session is not None and session.choice.kind == "camera":
            self._state.mirror_cameras.set(mirror)
