"""The pipeline: source -> estimator -> results, in threads joined by bounded queues.

Decoding, inference and the consumer's own stages (`BackgroundStage`) overlap, each in a thread of
its own. A file waits for the slowest stage; a live source keeps the newest frame and counts the
frames it drops. An error travels through the queues behind the results that came before it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from pymaf_live.pipeline.estimator import EstimatorFactory, FrameEstimator
from pymaf_live.pipeline.estimator_factory import open_estimator as open_real_estimator
from pymaf_live.pipeline.frame_reader import (
    READ_AHEAD_FRAMES,
    DecodedFrame,
    FrameReader,
    queue_capacity,
)
from pymaf_live.pipeline.health import Health, HealthMeter
from pymaf_live.pipeline.options import PipelineOptions
from pymaf_live.pipeline.threads import CLOSE_TIMEOUT_S, named_thread, wait_to_start
from pymaf_live.system.bounded_queue import BoundedQueue
from pymaf_live.system.exit_hooks import close_at_exit
from pymaf_live.types import Frame, FrameResult

if TYPE_CHECKING:
    from pymaf_live.sources import Source

_LIVE_RESULTS = 8
"""Results of a live source that are kept until they are read."""


class Pipeline:
    """Runs a source through an estimator in background threads.

    Parameters
    ----------
    source : Source
        Closed with the pipeline.
    options : PipelineOptions
    open_estimator : EstimatorFactory
        Called in the inference thread.
    """

    def __init__(
        self,
        source: Source,
        options: PipelineOptions | None = None,
        *,
        open_estimator: EstimatorFactory = open_real_estimator,
    ) -> None:
        self.source = source
        self.options = options or PipelineOptions()
        self._open_estimator = open_estimator
        self._live = source.facts.live
        self._frames: BoundedQueue[DecodedFrame] = (
            BoundedQueue(1, drop_oldest=True)
            if self._live
            else BoundedQueue(queue_capacity(source.facts, READ_AHEAD_FRAMES))
        )
        self._results: BoundedQueue[FrameResult] = (
            BoundedQueue(_LIVE_RESULTS, drop_oldest=True)
            if self._live
            else BoundedQueue(queue_capacity(source.facts))
        )
        self._recorder: Callable[[FrameResult], None] | None = None
        self._subscribers: tuple[Callable[[FrameResult], None], ...] = ()
        self._new_options: PipelineOptions | None = None
        self._new_parameters: PipelineOptions | None = None
        self._reconfigured: Callable[[Exception | None], None] | None = None
        self._options_lock = threading.Lock()
        self._stop = threading.Event()
        self._closed = threading.Event()
        self._ready = threading.Event()
        self._threads: list[threading.Thread] = []
        self._meter = HealthMeter()
        self.transform: Callable[[FrameResult], FrameResult] | None = None
        """Applied to every result before all others receive it, in the inference thread."""
        self.inspect = False
        """Fill `FrameResult.level_traces` with the network's levels; may be set at any time."""

    def start(self) -> None:
        """Start the threads; returns at once, before models are loaded."""
        if self._threads or self._closed.is_set():
            return
        self._threads = [
            named_thread("decode", self._decode),
            named_thread("inference", self._infer),
        ]
        close_at_exit(self)
        for thread in self._threads:
            thread.start()

    def results(self) -> Iterator[FrameResult]:
        """Yield results in order until the source ends.

        A file yields every frame, a live source the frames that inference had time for.

        Raises
        ------
        PymafLiveError
            The first error that ended the run early, after the results that came before it.
        """
        return iter(self._results)

    def next_result(self, timeout: float) -> FrameResult | None:
        """Return the next result; None after `timeout` seconds or at the end (`ended`).

        Raises the same errors as `results`.
        """
        return self._results.get(timeout)

    def latest_result(self) -> FrameResult | None:
        """Return the newest unread result, or None; never blocks.

        Older unread results are dropped; use `set_recorder` or `subscribe` to receive all of them.
        Raises the same errors as `results`.
        """
        return self._results.take_newest()

    def set_recorder(self, recorder: Callable[[FrameResult], None] | None) -> None:
        """Set the one function that receives every result, in order, in the inference thread.

        Recording loses no result, however slow the display is. The function must be quick; an
        error in it ends the run. None removes it.
        """
        self._recorder = recorder

    def subscribe(self, subscriber: Callable[[FrameResult], None]) -> Callable[[], None]:
        """Add a function that receives every result like the recorder; for streaming.

        Returns
        -------
        callable
            Removes the subscriber.
        """
        with self._options_lock:
            self._subscribers = (*self._subscribers, subscriber)

        def unsubscribe() -> None:
            with self._options_lock:
                self._subscribers = tuple(
                    each for each in self._subscribers if each is not subscriber
                )

        return unsubscribe

    def reconfigure(
        self, options: PipelineOptions, done: Callable[[Exception | None], None] | None = None
    ) -> None:
        """Replace the estimator by one with other options; source and recorder stay.

        The new estimator is opened in the inference thread; meanwhile a live source drops frames
        and a file waits. If it cannot be opened, the old estimator continues. If several changes
        are pending, the last one wins.

        Parameters
        ----------
        options : PipelineOptions
        done : callable, optional
            Called in the inference thread with None, or with the error if the old estimator
            continues.
        """
        with self._options_lock:
            self._new_options, self._reconfigured = options, done

    def update_parameters(self, options: PipelineOptions) -> None:
        """Apply the smoothing, the legs and the field of view of `options` from the next frame on.

        All other options stay; `reconfigure` changes those. Callable from any thread, never
        blocks.
        """
        with self._options_lock:
            self._new_parameters = options

    @property
    def ready(self) -> bool:
        """Return True once the models are loaded."""
        return self._ready.is_set()

    @property
    def ended(self) -> bool:
        """Return True once no further result will come."""
        return self._results.ended

    @property
    def model(self) -> str:
        """Name and version of the network; empty until `ready`."""
        return self._meter.model

    @property
    def health(self) -> Health:
        """Figures of the most recent frames; callable from any thread."""
        health = self._meter.health(self._frames.dropped)
        return replace(
            health,
            notices=(*health.notices, *self.source.notices),
            trouble=getattr(self.source, "trouble", ""),
        )

    def stop(self) -> None:
        """Stop reading; frames already read are still processed, then `results` ends."""
        self._stop.set()
        self._close_source()

    def close(self) -> None:
        """End all threads within 2 s and close the source; callable from any thread, repeatedly."""
        self._stop.set()
        self._closed.set()
        deadline = time.monotonic() + CLOSE_TIMEOUT_S
        self._frames.close()
        self._results.close()
        for thread in [self._close_source(), *self._threads]:
            if thread is not threading.current_thread() and thread.ident is not None:
                thread.join(max(0.0, deadline - time.monotonic()))

    def __enter__(self) -> Pipeline:
        """Start the pipeline."""
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        """Close the pipeline."""
        self.close()

    def _close_source(self) -> threading.Thread:
        # in a thread of its own: a source whose close() hangs must not block the caller
        closing = named_thread("close source", self.source.close)
        closing.start()
        return closing

    def _decode(self) -> None:
        error: BaseException | None = None
        try:
            wait_to_start(self.source.facts, self._ready, self._stop)
            before = time.perf_counter()
            for frame in self.source.frames():
                elapsed = time.perf_counter() - before
                # for a camera or a paced video, the elapsed time includes waiting for the frame
                milliseconds = 1000 * float(getattr(self.source, "read_seconds", elapsed))
                if self._stop.is_set() or not self._frames.put((frame, milliseconds)):
                    break
                before = time.perf_counter()
        except BaseException as caught:
            error = caught
        # an error caused by closing the source while it is being read is not the user's concern
        self._frames.finish(None if self._stop.is_set() else error)

    def _infer(self) -> None:
        error: BaseException | None = None
        estimator: FrameEstimator | None = None
        reader = FrameReader(self._frames, self.source.facts)
        try:
            estimator = self._open_estimator(self.source.facts, self.options)
            self._meter.set_estimator(estimator)
            self._ready.set()
            while True:
                estimator = self._replace_estimator(estimator)
                # poll: a reconfiguration must not wait for the next frame of a paused video
                item = reader.poll()
                if item is None and not reader.ended:
                    continue
                item = item or reader.poll()  # the error that ended it may have just arrived
                if item is None:
                    break
                frame, decode_ms = item
                result = self._estimate(estimator, frame, reader)
                result.milliseconds["decode"] = decode_ms
                self._meter.set_estimator(estimator)  # its back-end may have been replaced
                self._meter.add(result)
                if not self._deliver(result):
                    break
        except BaseException as caught:
            error = caught
        # wake waiting threads first: closing models may take time
        self._stop.set()
        self._frames.close()
        self._results.finish(None if self._closed.is_set() else error)
        if estimator is not None:
            estimator.close()

    def _estimate(
        self, estimator: FrameEstimator, frame: Frame, reader: FrameReader
    ) -> FrameResult:
        self._apply_parameters(estimator)
        estimator.inspect = self.inspect
        lookahead = estimator.lookahead_frames
        # the next frame of a live source does not exist yet, and this one must not wait for it
        if self._live or lookahead == 0:
            return estimator.estimate(frame)
        estimator.prefetch(reader.decoded())
        upcoming = reader.read_ahead(lookahead, lambda: self._new_options is not None)
        return estimator.estimate(frame, upcoming)

    def _deliver(self, result: FrameResult) -> bool:
        """Pass a result to recorder, subscribers and queue; return False once it is closed."""
        if self.transform is not None:
            result = self.transform(result)
        if self._recorder is not None:
            self._recorder(result)
        for subscriber in self._subscribers:
            subscriber(result)
        return self._results.put(result)

    def _apply_parameters(self, estimator: FrameEstimator) -> None:
        with self._options_lock:
            options, self._new_parameters = self._new_parameters, None
        if options is None:
            return
        estimator.adjust(options)
        applied = ("smoothing", "smoothing_strength", "legs", "fov")
        self.options = replace(self.options, **{name: getattr(options, name) for name in applied})

    def _replace_estimator(self, estimator: FrameEstimator) -> FrameEstimator:
        """Open the estimator of a pending `reconfigure`; return the estimator to continue with."""
        with self._options_lock:
            options, done = self._new_options, self._reconfigured
            self._new_options = self._reconfigured = None
        if options is None:
            return estimator
        try:
            opened = self._open_estimator(self.source.facts, options)
        except Exception as error:
            if done is not None:
                done(error)
            return estimator
        self.options = options
        self._meter.set_estimator(opened)
        estimator.close()
        if done is not None:
            done(None)
        return opened
