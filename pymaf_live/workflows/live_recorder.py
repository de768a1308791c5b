"""What plays, on its way to disk: filled in the inference thread, watched from the window's."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from pymaf_live.body import Body
from pymaf_live.errors import PymafLiveError
from pymaf_live.pipeline.background_stage import BackgroundStage, StageClosedError
from pymaf_live.takes.journal import TakeJournal
from pymaf_live.takes.library import JOURNAL, PICTURES
from pymaf_live.takes.pictures import PictureCopy, small_jpeg
from pymaf_live.types import Camera, FrameResult, SourceFacts

_AHEAD = 8
"""Results that wait for the disk at most; inference then waits with them."""
_FINISH_SECONDS = 10.0
_NO_IMAGE = np.empty((0, 0, 3), np.uint8)


class LiveRecording:
    """One take in the making; a `SourceRecorder` fills it.

    Parameters
    ----------
    begin : callable
        Makes the take's folder and gives it; called when the first result comes to be written.
    body : Body
    facts : SourceFacts
    model : str
        Name of the network's model, for the record.
    """

    def __init__(
        self, begin: Callable[[], Path], body: Body, facts: SourceFacts, model: str
    ) -> None:
        self._begin = begin
        self._body = body
        self._facts = facts
        self._model = model
        self._changed = threading.Condition()
        self._journal: TakeJournal | None = None
        self._copy: PictureCopy | None = None
        self._copy_to = Path()
        self._names: dict[int, str] = {}
        self._handed = self._written = 0
        self._over = False
        self.finished = threading.Event()
        """All of it is on disk."""
        self.failure: PymafLiveError | None = None
        """Why it stopped by itself, such as a picture of another size or a full disk."""

    @property
    def rows(self) -> int:
        """People times frames."""
        return self._journal.rows if self._journal is not None else 0

    @property
    def seconds(self) -> float:
        """Between the first and the last recorded frame, by the source's own stamps."""
        return self._journal.seconds if self._journal is not None else 0.0

    def call(self, names: Mapping[int, str]) -> None:
        """Say what people are called; never waits for the disk, the last word holds."""
        self._names = dict(names)

    def finish(self) -> None:
        """Wait until all that was handed in is on disk, and end the files; never in the GUI.

        Raises
        ------
        PymafLiveError
            If the end cannot be written; what was written stays.
        """
        limit = time.monotonic() + _FINISH_SECONDS
        with self._changed:
            while self._written < self._handed and time.monotonic() < limit:
                self._changed.wait(0.05)
            self._over = True
            try:
                if self._copy is not None:
                    self._copy.close()
                if self._journal is not None:
                    self._journal.call(self._names)
                    self._journal.close()
            finally:
                self.finished.set()

    def hand(self) -> bool:
        """Announce a result; whether it will be taken."""
        with self._changed:
            if self._over or self.failure is not None:
                return False
            self._handed += 1
            return True

    def write(self, results: list[tuple[FrameResult, bytes]], handed: int) -> None:
        """Write results with their pictures; `handed` of them were announced."""
        with self._changed:
            try:
                if not self._over and self.failure is None:
                    self._write(results)
            except PymafLiveError as error:
                self.failure = error
            finally:
                self._written += handed
                self._changed.notify_all()

    def _write(self, results: list[tuple[FrameResult, bytes]]) -> None:
        if self._journal is None:
            folder = self._begin()
            self._copy_to = folder / PICTURES
            self._journal = TakeJournal(
                folder / JOURNAL, self._body, self._facts, model=self._model
            )
        self._journal.call(self._names)
        for result, jpeg in results:
            if not self._journal.add(result) or not jpeg:
                continue
            if self._copy is None:
                self._copy = PictureCopy(self._copy_to)
            self._copy.add(result.frame.time, jpeg)


class SourceRecorder:
    """Keeps the last seconds of a source that plays, and records it when told to.

    Pictures of cameras and streams are kept too, made small; files still have theirs.

    Parameters
    ----------
    facts : SourceFacts
    pre_roll : callable
        Gives the seconds before a recording's beginning that belong to it.
    """

    def __init__(self, facts: SourceFacts, pre_roll: Callable[[], float]) -> None:
        self._facts = facts
        self._pre_roll = pre_roll
        self._with_pictures = facts.path is None and facts.kind in ("camera", "stream")
        self._kept: deque[tuple[FrameResult, bytes]] = deque()
        self._recording: LiveRecording | None = None
        self._stage: BackgroundStage[tuple[LiveRecording | None, FrameResult]] = BackgroundStage(
            "record", self._open, capacity=_AHEAD
        )

    def add(self, result: FrameResult) -> None:
        """Take a result; called in the inference thread."""
        recording = self._recording
        if recording is not None and not recording.hand():
            recording = None
        if recording is None and self._pre_roll() <= 0:
            return
        with suppress(StageClosedError):
            self._stage.put((recording, result))

    def begin(self, recording: LiveRecording) -> None:
        """Record from now on, and what is kept from before."""
        self._recording = recording

    def end(self) -> None:
        """Record nothing more; `LiveRecording.finish` then ends the files."""
        self._recording = None

    def close(self) -> None:
        """End the thread; after the pipeline, and after `LiveRecording.finish`."""
        self._stage.close()

    @contextmanager
    def _open(self) -> Iterator[Callable[[tuple[LiveRecording | None, FrameResult]], None]]:
        yield self._take_in

    def _take_in(self, item: tuple[LiveRecording | None, FrameResult]) -> None:
        recording, result = item
        image = result.frame.image
        jpeg = small_jpeg(image) if self._with_pictures else b""
        camera = result.camera or Camera.for_frame((image.shape[1], image.shape[0]))
        light = replace(
            result, frame=replace(result.frame, image=_NO_IMAGE), camera=camera, milliseconds={}
        )
        # what was kept may be older than wanted: the wish may have changed since
        earliest = light.frame.time - self._pre_roll()
        while self._kept and self._kept[0][0].frame.time < earliest:
            self._kept.popleft()
        self._kept.append((light, jpeg))
        if recording is not None:
            recording.write(list(self._kept), 1)
            self._kept.clear()
