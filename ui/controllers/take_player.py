"""Shows the frames of a take: playing, scrubbing and single steps, its pictures under the body."""

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

_STEP_WITHOUT_TIMES = 1.0


class TakeReview:
    """One take that is looked at; never blocks the thread that calls it.

    Parameters
    ----------
    take, raw : Take
        As it is shown, and as it was measured.
    open_pictures : callable
        Gives the take's pictures; called in a thread of its own. None: a plain ground.
    show : callable
        Gets each frame as a result.
    moved : callable
        Is told the frame that is shown and whether it plays.
    """

    def __init__(
        self,
        take: Take,
        raw: Take,
        open_pictures: Callable[[], TakeImages | None],
        show: Callable[[FrameResult], None],
        moved: Callable[[int, bool], None],
    ) -> None:
        self._take = take
        self._raw = raw
        self._show = show
        self._moved = moved
        self._wanted = trim_of(take)[0]
        self._shown: int | None = None
        self._playing_since: tuple[float, float] | None = None
        """time.monotonic() and the take's time at that moment."""
        self._images = _Images(take, open_pictures)
        self._ground: Image | None = None
        self._picture: Image | None = None
        self._moved(self._wanted, False)

    @property
    def playing(self) -> bool:
        """Whether it goes on by itself."""
        return self._playing_since is not None

    @property
    def settled(self) -> bool:
        """Whether it stands still and shows the frame that was asked for."""
        return not self.playing and self._shown == self._wanted

    @property
    def frame(self) -> int:
        """The frame that is shown or about to be."""
        return self._wanted

    def replace(self, take: Take, raw: Take) -> None:
        """Go on with an edited take of the same frames."""
        self._take, self._raw = take, raw
        if self._shown is not None:
            self._show_frame(self._shown, self._picture)

    def play(self) -> None:
        """Go on by itself, from the beginning where it stands at the end."""
        first, last = trim_of(self._take)
        if not first <= self._wanted < last:
            self._wanted = first
        self._playing_since = (time.monotonic(), self._time(self._wanted))
        self._moved(self._wanted, True)

    def pause(self) -> None:
        """Stand still."""
        self._playing_since = None
        self._moved(self._wanted, False)

    def go_to(self, frame: int) -> None:
        """Show a frame, inside or outside the trim."""
        self._wanted = min(max(frame, 0), len(self._take.frame_time) - 1)
        if self._playing_since is not None:
            self._playing_since = (time.monotonic(), self._time(self._wanted))
        self._moved(self._wanted, self.playing)

    def tick(self, repeat: bool) -> bool:
        """Show what is due; whether the end was reached and it stopped there."""
        ended = self._advance(repeat)
        answer = self._images.answer()
        if answer is not None:
            frame, picture = answer
            self._show_frame(frame, picture)
        if self._shown != self._wanted:
            self._images.ask(self._wanted)
        return ended

    def close(self) -> None:
        """End the thread of the pictures; may wait for it."""
        self._images.close()

    def _advance(self, repeat: bool) -> bool:
        if self._playing_since is None:
            return False
        began, start = self._playing_since
        first, last = trim_of(self._take)
        due = start + time.monotonic() - began
        frame = int(np.searchsorted(self._take.frame_time, due + 1e-6, side="right")) - 1
        ended = frame >= last and due >= self._time(last) + self._step()
        if ended and repeat:
            self.go_to(first)
            return False
        frame = min(max(frame, 0), last)
        if frame != self._wanted:
            self._wanted = frame
            self._moved(frame, not ended)
        if ended:
            self.pause()
        return ended

    def _time(self, frame: int) -> float:
        return float(self._take.frame_time[frame])

    def _step(self) -> float:
        return float(1 / self._take.frame_rate) if self._take.frame_rate else _STEP_WITHOUT_TIMES

    def _show_frame(self, number: int, picture: Image | None) -> None:
        take = self._take
        camera = camera_at(take, number)
        self._shown, self._picture = number, picture
        if picture is None:
            if self._ground is None or self._ground.shape[1::-1] != camera.size:
                self._ground = plain_background(camera.size)
            picture = self._ground
        frame = Frame(number, self._time(number), picture, arrived=time.monotonic())
        raw = people_at(self._raw, number)
        self._show(FrameResult(frame, people_at(take, number), raw, camera))


class _Images:
    """Fetches pictures in a thread, one at a time, so that what is scrubbed over is left out."""

    def __init__(self, take: Take, open_pictures: Callable[[], TakeImages | None]) -> None:
        self._take = take
        self._open_pictures = open_pictures
        self._lock = threading.Lock()
        self._answer: tuple[int, Image | None] | None = None
        self._busy = False
        self._stage: BackgroundStage[int] = BackgroundStage("take pictures", self._open)

    def ask(self, frame: int) -> None:
        """Fetch a frame's picture unless another is being fetched."""
        with self._lock:
            if self._busy or self._answer is not None:
                return
            self._busy = True
        with suppress(StageClosedError):
            self._stage.put(frame)

    def answer(self) -> tuple[int, Image | None] | None:
        """What was fetched, once."""
        with self._lock:
            answer, self._answer = self._answer, None
            return answer

    def close(self) -> None:
        self._stage.close()

    @contextmanager
    def _open(self) -> Iterator[Callable[[int], None]]:
        try:
            pictures = self._open_pictures()
        except PymafLiveError:
            pictures = None  # a body over a plain ground is better than nothing

        def fetch(frame: int) -> None:
            image: Image | None = None
            if pictures is not None:
                with suppress(PymafLiveError):
                    image = pictures.image(frame)
            if image is not None:
                image = resized_to_frame(image, camera_at(self._take, frame).size)
            with self._lock:
                self._answer, self._busy = (frame, image), False

        try:
            yield fetch
        finally:
            if pictures is not None:
                pictures.close()
