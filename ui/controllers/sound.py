"""Sound of the open video, and of the video that the open take was made of."""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path

from pymaf_live.types import FrameResult
from ui.controllers.sound_player import SoundPlayer
from ui.state.window import Drawn, Phase, WindowState, video_of
from ui.system.sound_output import OpenOutput, open_sound_output
from ui.system.task_runner import TaskRunner

_HIDDEN_SECONDS = 0.5
"""Time without drawing after which the images count when they arrive."""
_AWAITED_FRAMES = 16


class SoundController:
    """Opens and closes the sound with the video, and keeps it in step with the images.

    Without sound in the file, or without a device, `SoundState.available` stays False.

    Parameters
    ----------
    state : WindowState
        Its `sound.available` is written here.
    tasks : TaskRunner
    open_output : OpenOutput, optional
    """

    def __init__(
        self, state: WindowState, tasks: TaskRunner, open_output: OpenOutput = open_sound_output
    ) -> None:
        self._window = state
        self._state = state.sound
        self._tasks = tasks
        self.open_output = open_output
        self._path: Path | None = None
        self._player: SoundPlayer | None = None
        self._positions: deque[tuple[int, float]] = deque(maxlen=_AWAITED_FRAMES)
        """Index and time in the file of the newest frames, which may not be drawn yet."""
        self._drawn_at = 0.0
        """`time.monotonic()` at which a frame was last drawn."""
        state.result.watch(self._on_result_change)
        state.drawn.watch(self._on_drawn)
        state.phase.watch(self._on_phase_change)
        state.source.watch(lambda _: self._update_file())
        state.takes.opened.watch(lambda _: self._update_file())
        state.sound.volume.watch(lambda _: self._update_gain())
        state.sound.muted.watch(lambda _: self._update_gain())

    def tick(self) -> None:
        """Notice whether there is sound; never blocks."""
        if self._player is not None:
            self._state.available.set(self._player.available is True)

    def close(self) -> None:
        """End the sound in the background: the window is closing."""
        self._change(None)

    def _update_file(self) -> None:
        self._change(video_of(self._window))

    def _change(self, path: Path | None) -> None:
        if path == self._path:
            return
        old, self._player, self._path = self._player, None, path
        self._state.available.set(False)
        if old is not None:
            old.pause()
            self._tasks.submit("close sound", old.close, lambda _: None, lambda _: None)
        if path is not None:
            self._player = SoundPlayer(path, self.open_output)
            self._update_gain()

    def _update_gain(self) -> None:
        if self._player is not None:
            # hearing is logarithmic: with the square, half the volume sounds half as loud
            gain = 0.0 if self._state.muted.value else self._state.volume.value**2
            self._player.set_gain(gain)

    def _on_phase_change(self, phase: Phase) -> None:
        if phase is not Phase.PLAYING and self._player is not None:
            self._player.pause()

    def _on_result_change(self, result: FrameResult | None) -> None:
        if result is None:
            self._positions.clear()
            return
        frame = result.frame
        position = frame.time if frame.file_time is None else frame.file_time
        self._positions.append((frame.index, position))
        if time.monotonic() - self._drawn_at > _HIDDEN_SECONDS:
            self._follow(position)  # nothing is drawn, for instance while the window is minimized

    def _on_drawn(self, drawn: Drawn | None) -> None:
        if drawn is None:
            return
        self._drawn_at = time.monotonic()
        position = dict(self._positions).get(drawn.index)
        if position is not None:
            self._follow(position)

    def _follow(self, position: float) -> None:
        if self._player is not None and self._window.phase.value is Phase.PLAYING:
            self._player.shown(position, time.monotonic(), self._window.speed.value)
