"""Pause, loop, mirror and inspection of the open source."""

from __future__ import annotations

from collections.abc import Callable

from pymaf_live.types import FrameResult
from ui.controllers.source_session import SourceSession
from ui.state.source import Position
from ui.state.window import Phase, SourceChoice, TakePhase, WindowState


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
        state.loop.watch(lambda _: self._update_loop())
        state.take.watch(lambda _: self._update_loop())
        state.speed.watch(self._on_speed_change)
        state.phase.watch(self._on_phase_change)
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
        self._update_loop()
        self._on_speed_change(self._state.speed.value)
        self._on_inside_change(self._state.view.inside.value)
        self._state.live.set(session.playback is None)
        mirror = session.choice.kind == "camera" and self._state.mirror_cameras.value
        self._state.mirror.set(mirror)

    def seek(self, seconds: float) -> None:
        """Continue a video at a time, in seconds of the file."""
        session = self._session()
        if session is not None and session.playback is not None:
            session.playback.seek(seconds)

    def step(self, frames: int) -> None:
        """Pause and move by a number of frames; negative is backwards."""
        session, position = self._session(), self._state.sources.position.value
        if session is None or session.playback is None:
            return
        self.pause()
        if frames == 1:
            session.playback.step()
        elif position is not None:
            rate = float(session.facts.frame_rate or 1)
            session.playback.seek(position.seconds + frames / rate)

    def shown(self, result: FrameResult) -> None:
        """Update the position in the file."""
        session, seconds = self._session(), result.frame.file_time
        if session is not None and session.playback is not None and seconds is not None:
            duration = session.facts.duration if session.playback.can_seek else None
            position = Position(seconds, duration) if duration else None
            self._state.sources.position.set(position)

    def _on_phase_change(self, phase: Phase) -> None:
        if phase not in (Phase.PLAYING, Phase.PAUSED):
            self._state.sources.position.set(None)

    def _update_loop(self) -> None:
        session = self._session()
        if session is not None and session.playback is not None:
            # a recording of a file ends at its end
            recording = self._state.take.value.phase is TakePhase.RECORDING
            session.playback.loop = self._state.loop.value and not recording

    def _on_speed_change(self, speed: float) -> None:
        session = self._session()
        if session is not None and session.playback is not None:
            session.playback.speed = speed

    def _on_inside_change(self, inside: bool) -> None:
        session = self._session()
        if session is not None:
            session.pipeline.inspect = inside

    def _on_mirror_change(self, mirror: bool) -> None:
        session = self._session()
        if session is not None and session.choice.kind == "camera":
            self._state.mirror_cameras.set(mirror)
