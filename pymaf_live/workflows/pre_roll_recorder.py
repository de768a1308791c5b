"""Recorder of the window: starts some seconds back, writes beside the inference thread."""

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
from pymaf_live.takes.image_copies import ImageCopyWriter, small_jpeg
from pymaf_live.takes.journal import TakeJournal
from pymaf_live.takes.library import IMAGE_COPIES, JOURNAL
from pymaf_live.types import Camera, FrameResult, SourceFacts

_QUEUE_LENGTH = 8
"""Results that may wait for the disk; inference then waits with them."""
_FINISH_SECONDS = 10.0
_NO_IMAGE = np.empty((0, 0, 3), np.uint8)


class LiveRecording:
    """One recording in progress, written by a `PreRollRecorder`.

    Parameters
    ----------
    begin : callable
        Creates the folder of the take and returns it; called with the first result.
    body : Body
    facts : SourceFacts
    model : str
        Name of the network's model.
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
        self._copies: ImageCopyWriter | None = None
        self._copies_path = Path()
        self._names: dict[int, str] = {}
        self._reserved = self._written = 0
        self._ended = False
        self.finished = threading.Event()
        """Set when everything is on disk."""
        self.failure: PymafLiveError | None = None
        """Error that ended the recording, such as a changed frame size or a full disk."""

    @property
    def rows(self) -> int:
        """Rows recorded so far; a row is a person in a frame."""
        return self._journal.rows if self._journal is not None else 0

    @property
    def seconds(self) -> float:
        """Time between the first and the last recorded frame, by the source's time stamps."""
        return self._journal.seconds if self._journal is not None else 0.0

    def set_names(self, names: Mapping[int, str]) -> None:
        """Set the names of people; never waits for the disk. The last names count."""
        self._names = dict(names)

    def finish(self) -> None:
        """Wait until all reserved results are on disk, and close the files.

        Takes up to 10 s; not to be called in the GUI thread.

        Raises
        ------
        PymafLiveError
            If the end cannot be written; what was written stays.
        """
        limit = time.monotonic() + _FINISH_SECONDS
        with self._changed:
            while self._written < self._reserved and time.monotonic() < limit:
                self._changed.wait(0.05)
            self._ended = True
            try:
                if self._copies is not None:
                    self._copies.close()
                if self._journal is not None:
                    self._journal.set_names(self._names)
                    self._journal.close()
            finally:
                self.finished.set()

    def reserve(self) -> bool:
        """Announce a result that will be written; return False if it would not be taken."""
        with self._changed:
            if self._ended or self.failure is not None:
                return False
            self._reserved += 1
            return True

    def write(self, results: list[tuple[FrameResult, bytes]], reserved: int) -> None:
        """Write results with their JPEG images; `reserved` of them were announced."""
        with self._changed:
            try:
                if not self._ended and self.failure is None:
                    self._write(results)
            except PymafLiveError as error:
                self.failure = error
            finally:
                self._written += reserved
                self._changed.notify_all()

    def _write(self, results: list[tuple[FrameResult, bytes]]) -> None:
        if self._journal is None:
            folder = self._begin()
            self._copies_path = folder / IMAGE_COPIES
            self._journal = TakeJournal(
                folder / JOURNAL, self._body, self._facts, model=self._model, smoothing="refine"
            )
        self._journal.set_names(self._names)
        for result, jpeg in results:
            if not self._journal.add(result) or not jpeg:
                continue
            if self._copies is None:
                self._copies = ImageCopyWriter(self._copies_path)
            self._copies.add(result.frame.time, jpeg)


class PreRollRecorder:
    """Keeps the last seconds of a playing source, so that a recording can start before the click.

    The images of cameras and streams are kept as small copies; those of files stay in the files.

    Parameters
    ----------
    facts : SourceFacts
    pre_roll : callable
        Returns the seconds that a recording starts before `begin`; may change at any time.
    """

    def __init__(self, facts: SourceFacts, pre_roll: Callable[[], float]) -> None:
        self._facts = facts
        self._pre_roll = pre_roll
        self._copies_images = facts.path is None and facts.kind in ("camera", "stream")
        self._recent: deque[tuple[FrameResult, bytes]] = deque()
        self._recording: LiveRecording | None = None
        self._stage: BackgroundStage[tuple[LiveRecording | None, FrameResult]] = BackgroundStage(
            "record", self._open, capacity=_QUEUE_LENGTH
        )

    def add(self, result: FrameResult) -> None:
        """Queue a result; called in the inference thread."""
        recording = self._recording
        if recording is not None and not recording.reserve():
            recording = None
        if recording is None and self._pre_roll() <= 0:
            return
        with suppress(StageClosedError):
            self._stage.put((recording, result))

    def begin(self, recording: LiveRecording) -> None:
        """Record from now on, preceded by the pre-roll."""
        self._recording = recording

    def end(self) -> None:
        """Stop recording; `LiveRecording.finish` then closes the files."""
        self._recording = None

    def close(self) -> None:
        """Stop the thread; call it after closing the pipeline and `LiveRecording.finish`."""
        self._stage.close()

    @contextmanager
    def _open(self) -> Iterator[Callable[[tuple[LiveRecording | None, FrameResult]], None]]:
        yield self._take_in

    def _take_in(self, item: tuple[LiveRecording | None, FrameResult]) -> None:
        recording, result = item
        image = result.frame.image
        jpeg = small_jpeg(image) if self._copies_images else b""
        camera = result.camera or Camera.for_frame((image.shape[1], image.shape[0]))
        without_image = replace(
            result, frame=replace(result.frame, image=_NO_IMAGE), camera=camera, milliseconds={}
        )
        # the pre-roll may have become shorter since the oldest result was kept
        earliest = without_image.frame.time - self._pre_roll()
        while self._recent and self._recent[0][0].frame.time < earliest:
            self._recent.popleft()
        self._recent.append((without_image, jpeg))
        if recording is not None:
            recording.write(list(self._recent), 1)
            self._recent.clear()
