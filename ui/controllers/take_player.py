"""Play the frames of a take with its images below the body."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import numpy as np

from pymaf_live.errors import PymafLiveError
from pymaf_live.pipeline.background_stage import BackgroundStage, StageClosedError
from pymaf_live.takes.editing import trim_of
from pymaf_live.takes.playback import camera_at, people_at
from pymaf_live.takes.take import Take
from pymaf_live.types import Frame, FrameResult, Image
from pymaf_live.workflows.take_images import TakeImages, plain_background, resized_to_frame

_FRAME_SECONDS = 1.0
"""Duration of a frame of separate images."""


class TakePlayer:
    """Playback, scrubbing and stepping of one take; never blocks the calling thread.

    Parameters
    ----------
    take, raw : Take
        Smoothed take to show, and its measurement.
    open_images : callable
        Opens the take's images, in a thread; may return None for a plain background.
    show : callable
        Called with each frame as a result.
    moved : callable
        Called with the current frame and whether the take is playing.
    """

    def __init__(
        self,
        take: Take,
        raw: Take,
        open_images: Callable[[], TakeImages | None],
        show: Callable[[FrameResult], None],
        moved: Callable[[int, bool], None],
    ) -> None:
        self._take = take
        self._raw = raw
        self._show = show
        self._moved = moved
        self._frame = trim_of(take)[0]
        self._shown: int | None = None
        self._playing_since: tuple[float, float] | None = None
        """`time.monotonic()` at the start of the playback, and the take's time then."""
        self._images = _ImageLoader(take, open_images)
        self._background: Image | None = None
        self._image: Image | None = None
        self._speed = 1.0
        self._moved(self._frame, False)

    @property
    def playing(self) -> bool:
        """True while the take plays."""
        return self._playing_since is not None

    @property
    def settled(self) -> bool:
        """True while the take is paused and the current frame is shown."""
        return not self.playing and self._shown == self._frame

    @property
    def frame(self) -> int:
        """Frame that is shown or about to be shown."""
        return self._frame

    def replace(self, take: Take, raw: Take) -> None:
        """Continue with an edited take of the same frames."""
        self._take, self._raw = take, raw
        if self._shown is not None:
            self._show_frame(self._shown, self._image)

    def play(self) -> None:
        """Play; from the start if the current frame is at or after the end."""
        first, last = trim_of(self._take)
        if not first <= self._frame < last:
            self._frame = first
        self._playing_since = (time.monotonic(), self._time(self._frame))
        self._moved(self._frame, True)

    def set_speed(self, speed: float) -> None:
        """Play at a speed from now on; 1 is that of the recording."""
        if self._playing_since is not None:
            self._playing_since = (time.monotonic(), self._time(self._frame))
        self._speed = speed

    def pause(self) -> None:
        """Hold the current frame."""
        self._playing_since = None
        self._moved(self._frame, False)

    def seek(self, frame: int) -> None:
        """Move to a frame, inside or outside the trim."""
        self._frame = min(max(frame, 0), len(self._take.frame_time) - 1)
        if self._playing_since is not None:
            self._playing_since = (time.monotonic(), self._time(self._frame))
        self._moved(self._frame, self.playing)

    def tick(self, loop: bool) -> bool:
        """Show the frame that is due; return True if playback has just stopped at the end."""
        ended = self._advance(loop)
        loaded = self._images.take_loaded()
        if loaded is not None:
            self._show_frame(*loaded)
        if self._shown != self._frame:
            self._images.request(self._frame)
        return ended

    def close(self) -> None:
        """End the thread that reads the images; may wait for it."""
        self._images.close()

    def _advance(self, loop: bool) -> bool:
        if self._playing_since is None:
            return False
        began, start = self._playing_since
        first, last = trim_of(self._take)
        due = start + (time.monotonic() - began) * self._speed
        frame = int(np.searchsorted(self._take.frame_time, due + 1e-6, side="right")) - 1
        ended = frame >= last and due >= self._time(last) + self._step()
        if ended and loop:
            self.seek(first)
            return False
        frame = min(max(frame, 0), last)
        if frame != self._frame:
            self._frame = frame
            self._moved(frame, not ended)
        if ended:
            self.pause()
        return ended

    def _time(self, frame: int) -> float:
        return float(self._take.frame_time[frame])

    def _step(self) -> float:
        return float(1 / self._take.frame_rate) if self._take.frame_rate else _FRAME_SECONDS

    def _show_frame(self, number: int, image: Image | None) -> None:
        take = self._take
        camera = camera_at(take, number)
        self._shown, self._image = number, image
        if image is None:
            if self._background is None or self._background.shape[1::-1] != camera.size:
                self._background = plain_background(camera.size)
            image = self._background
        file_time = take.file_time
        frame = Frame(
            number,
            self._time(number),
            image,
            arrived=time.monotonic(),
            file_time=None if file_time is None else float(file_time[number]),
        )
        raw = people_at(self._raw, number)
        self._show(FrameResult(frame, people_at(take, number), raw, camera))


class _ImageLoader:
    """Loads images in a thread, one at a time; frames that are scrubbed over are skipped."""

    def __init__(self, take: Take, open_images: Callable[[], TakeImages | None]) -> None:
        self._take = take
        self._open_images = open_images
        self._lock = threading.Lock()
        self._loaded: tuple[int, Image | None] | None = None
        self._busy = False
        self._stage: BackgroundStage[int] = BackgroundStage("take images", self._open)

    def request(self, frame: int) -> None:
        """Load the image of a frame, unless another is being loaded."""
        with self._lock:
            if self._busy or self._loaded is not None:
                return
            self._busy = True
        with suppress(StageClosedError):
            self._stage.put(frame)

    def take_loaded(self) -> tuple[int, Image | None] | None:
        """Return frame and image once they are loaded, and forget them."""
        with self._lock:
            loaded, self._loaded = self._loaded, None
            return loaded

    def close(self) -> None:
        self._stage.close()

    @contextmanager
    def _open(self) -> Iterator[Callable[[int], None]]:
        try:
            images = self._open_images()
        except PymafLiveError:
            images = None  # the body is shown over a plain background

        def load(frame: int) -> None:
            image: Image | None = None
            if images is not None:
                with suppress(PymafLiveError):
                    image = images.image(frame)
            if image is not None:
                image = resized_to_frame(image, camera_at(self._take, frame).size)
            with self._lock:
                self._loaded, self._busy = (frame, image), False

        try:
            yield load
        finally:
            if images is not None:
                images.close()
