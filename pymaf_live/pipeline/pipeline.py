"""Joins the rooms: the threads, the hand-overs between them, the clock and the health figures.

Decoding, inference and whatever a consumer adds (`BackgroundStage`) overlap, each in a thread of
its own. Files wait for whoever is slower; live sources keep the newest frame and count the rest.
An error travels along the hand-overs behind the results that came before it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, TypeGuard, TypeVar

from pymaf_live.pipeline.estimator import (
    AdjustableEstimator,
    Estimator,
    ForesightedEstimator,
    FrameEstimator,
    OpenEstimator,
    PipelineOptions,
    people_wanted,
)
from pymaf_live.system.bounded_queue import THREAD_PREFIX, BoundedQueue
from pymaf_live.system.cpu import available_cores
from pymaf_live.types import Detection, Frame, FrameResult, Image, SourceFacts

if TYPE_CHECKING:
    from pymaf_live.body import Body
    from pymaf_live.inference.openvino_engine import Pairs
    from pymaf_live.motion import Smoother
    from pymaf_live.sources import Source
    from pymaf_live.tracking import Detector

__all__ = [
    "BackgroundStage",
    "Health",
    "Pipeline",
    "PipelineOptions",
    "StageClosedError",
    "frames_ahead",
    "open_estimator",
]

A = TypeVar("A")

_CLOSE_SECONDS = 2.0
_FRAMES_AHEAD = 6
"""Frames of a file that wait between two threads at most, to even out what each takes."""
_FRAMES_READ = 11
"""Frames of a file that are read before their turn at most: while as many go by, the finder has
looked for several people in one of them."""
_BYTES_AHEAD = 32 << 20
"""What those frames may take up; large pictures wait one by one."""
_FORESIGHT_SECONDS, _MOST_FORESIGHT = 0.105, 3
"""How old the result may be that says where a frame's crop lies, and frames that are known ahead
for that. At 30 frames a second two of them cost no more than one (demo: 62.7 mm; one 62.9, none
61.9); with three or more, and with two at 15 a second, a jump begins to be lost."""
_RESULTS_KEPT_LIVE = 8
_RECENT = 60
"""Frames that the health figures look back on."""
_OPENED_SECONDS = 60.0
_CHANGE_SECONDS = 0.1
"""After which a thread without frames looks for changed options."""


class StageClosedError(Exception):
    """The stage was closed before all items were through."""


@dataclass(frozen=True)
class Health:
    """Figures of a running pipeline, over its last frames."""

    frames: int = 0
    """Results so far."""
    fps: float = 0.0
    milliseconds: Mapping[str, float] = field(default_factory=dict)
    """Mean a frame of each stage: 'decode', 'detect', 'crop', 'network', 'body', 'smooth'."""
    dropped: int = 0
    """Frames of a live source that the inference had no time for."""
    delay: float | None = None
    """Seconds from a frame's leaving the source to its result; None before the first."""
    backend: str = ""
    detector: str = ""
    model: str = ""
    notices: tuple[str, ...] = ()
    """What the pipeline does without, and why."""
    precision: str = ""
    """What the network counts in, such as 'f32'; empty where the back-end does not tell."""
    trouble: str = ""
    """Why a live source gives no frame now, in one line; empty while frames come."""


class Pipeline:
    """Runs a source through the estimator in threads of its own.

    Parameters
    ----------
    source : Source
        Closed with the pipeline.
    options : PipelineOptions
    open_estimator : callable, optional
        Makes the estimator; called in the inference thread. The real one by default.
    """

    def __init__(
        self,
        source: Source,
        options: PipelineOptions | None = None,
        *,
        open_estimator: Callable[[SourceFacts, PipelineOptions], FrameEstimator] | None = None,
    ) -> None:
        self.source = source
        self.options = options or PipelineOptions()
        self._open_estimator = open_estimator or _default_estimator
        self._live = source.facts.live
        ahead = frames_ahead(source.facts)
        self._frames: BoundedQueue[tuple[Frame, float]] = (
            BoundedQueue(1, drop_oldest=True)
            if self._live
            else BoundedQueue(frames_ahead(source.facts, _FRAMES_READ))
        )
        self._results: BoundedQueue[FrameResult] = (
            BoundedQueue(_RESULTS_KEPT_LIVE, drop_oldest=True)
            if self._live
            else BoundedQueue(ahead)
        )
        self._listener: Callable[[FrameResult], None] | None = None
        self._followers: tuple[Callable[[FrameResult], None], ...] = ()
        self._change: PipelineOptions | None = None
        self._adjustment: PipelineOptions | None = None
        self._changed: Callable[[Exception | None], None] | None = None
        self._change_lock = threading.Lock()
        self._stop = threading.Event()
        self._closed = threading.Event()
        self._ready = threading.Event()
        self._threads: list[threading.Thread] = []
        self._figures = _Figures()
        self.look_inside = False
        """Whether results bring what the network went through; may be set at any time."""

    def start(self) -> None:
        """Start the threads; returns at once, before models are loaded."""
        if self._threads or self._closed.is_set():
            return
        self._threads = [
            _thread("decode", self._decode),
            _thread("inference", self._infer),
        ]
        for thread in self._threads:
            thread.start()

    def results(self) -> Iterator[FrameResult]:
        """Results in order until the source ends: all of a file, those in time of a live source.

        Raises
        ------
        PymafLiveError
            The first cause that ended the run early, after the results that came before it.
        """
        return iter(self._results)

    def next_result(self, timeout: float) -> FrameResult | None:
        """The next result, or None when `timeout` seconds have passed or all is over (`ended`).

        Raises
        ------
        PymafLiveError
            As `results`.
        """
        return self._results.get(timeout)

    def newest(self) -> FrameResult | None:
        """The newest result that was not taken yet; None if there is none. Never blocks.

        Older ones that wait are let go; whoever needs all of them listens (`listen`).

        Raises
        ------
        PymafLiveError
            The first cause that ended the run early.
        """
        return self._results.take_newest()

    def listen(self, listener: Callable[[FrameResult], None] | None) -> None:
        """Have every result handed to `listener`, in order, in the inference thread.

        For recording: nothing is lost, whatever the display keeps up with. It must be quick; an
        error in it ends the run.
        """
        self._listener = listener

    def follow(self, follower: Callable[[FrameResult], None]) -> Callable[[], None]:
        """As `listen`, beside it and beside others; gives what ends it.

        For streaming: any number may follow.
        """
        with self._change_lock:
            self._followers = (*self._followers, follower)

        def leave() -> None:
            with self._change_lock:
                self._followers = tuple(each for each in self._followers if each is not follower)

        return leave

    def change(
        self, options: PipelineOptions, changed: Callable[[Exception | None], None] | None = None
    ) -> None:
        """Estimate with other options from here on; source and listeners stay as they are.

        The new estimator is opened in the inference thread, while a live source drops frames and a
        file waits. Where it cannot be opened the old one goes on. Of several changes that wait the
        last counts.

        Parameters
        ----------
        options : PipelineOptions
        changed : callable, optional
            Called in the inference thread with None, or with why the old one goes on.
        """
        with self._change_lock:
            self._change, self._changed = options, changed

    def adjust(self, options: PipelineOptions) -> None:
        """Take over strength of the smoothing and field of view from the next frame on.

        Everything else stays as it is; `change` does the rest. From any thread, never blocks.
        """
        with self._change_lock:
            self._adjustment = options

    @property
    def ready(self) -> bool:
        """Whether the models are loaded."""
        return self._ready.is_set()

    @property
    def ended(self) -> bool:
        """Whether no result will come any more."""
        return self._results.ended

    @property
    def model(self) -> str:
        """Name and version of the network; empty until `ready`."""
        return self._figures.model

    @property
    def health(self) -> Health:
        """Figures of the last frames; from any thread."""
        health = self._figures.health(self._frames.dropped)
        return replace(
            health,
            notices=(*health.notices, *self.source.notices),
            trouble=getattr(self.source, "trouble", ""),
        )

    def stop(self) -> None:
        """Read no further frame; those already read go through, then `results` ends."""
        self._stop.set()
        self._close_source()

    def close(self) -> None:
        """End all threads within 2 s and let go of the source; from any thread, any time."""
        self._stop.set()
        self._closed.set()
        limit = time.monotonic() + _CLOSE_SECONDS
        self._frames.close()
        self._results.close()
        for thread in [self._close_source(), *self._threads]:
            if thread is not threading.current_thread() and thread.ident is not None:
                thread.join(max(0.0, limit - time.monotonic()))

    def __enter__(self) -> Pipeline:
        """Start."""
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        """Close."""
        self.close()

    def _close_source(self) -> threading.Thread:
        # a source that does not come back from close() must not hold up whoever closes
        closing = _thread("close source", self.source.close)
        closing.start()
        return closing

    def _decode(self) -> None:
        error: BaseException | None = None
        try:
            before = time.perf_counter()
            for frame in self.source.frames():
                elapsed = time.perf_counter() - before
                # a camera's frames, and those of a film at its own rate, are waited for as well
                milliseconds = 1000 * float(getattr(self.source, "read_seconds", elapsed))
                if self._stop.is_set() or not self._frames.put((frame, milliseconds)):
                    break
                before = time.perf_counter()
        except BaseException as caught:
            error = caught
        # what a source says when it is closed under its reader's hands is no cause of anything
        self._frames.finish(None if self._stop.is_set() else error)

    def _infer(self) -> None:
        error: BaseException | None = None
        estimator: FrameEstimator | None = None
        coming: deque[tuple[Frame, float]] = deque()
        try:
            estimator = self._open_estimator(self.source.facts, self.options)
            self._figures.opened(estimator)
            self._ready.set()
            while True:
                estimator = self._after_change(estimator)
                # in pieces: a change must not wait for the next frame of a film that is held
                item = coming.popleft() if coming else self._frames.get(_CHANGE_SECONDS)
                if item is None and not self._frames.ended:
                    continue
                item = item or self._frames.get()  # what ended it may have come just now
                if item is None:
                    break
                frame, decode = item
                self._adjust(estimator)
                if isinstance(estimator, OpenEstimator):
                    estimator.look_inside = self.look_inside
                if self._wants_next(estimator):
                    later = (*coming, *self._frames.snapshot())
                    estimator.foresee([waiting for waiting, _ in later])
                    self._read_on(coming, self._frames_to_read(estimator.looks_ahead))
                    result = estimator.estimate(frame, [known for known, _ in coming])
                else:
                    result = estimator.estimate(frame)
                result.milliseconds["decode"] = decode
                self._figures.opened(estimator)  # its back-end may have failed and been replaced
                self._figures.add(result)
                if self._listener is not None:
                    self._listener(result)
                for follower in self._followers:
                    follower(result)
                if not self._results.put(result):
                    break
        except BaseException as caught:
            error = caught
        # wake whoever waits first: closing models may take its time
        self._stop.set()
        self._frames.close()
        self._results.finish(None if self._closed.is_set() else error)
        if estimator is not None:
            estimator.close()

    def _wants_next(self, estimator: FrameEstimator) -> TypeGuard[ForesightedEstimator]:
        # a live source's next frame is not there yet, and this one must not wait for it
        return (
            not self._live
            and isinstance(estimator, ForesightedEstimator)
            and estimator.looks_ahead > 0
        )

    def _frames_to_read(self, wanted: int) -> int:
        # of large pictures no more than it takes to have two under way
        return min(wanted, max(2, frames_ahead(self.source.facts, wanted)))

    def _read_on(self, coming: deque[tuple[Frame, float]], frames: int) -> None:
        """Wait until so many frames after the one at hand are there, or the end or a change."""
        while len(coming) < frames and not self._frames.ended and self._change is None:
            try:
                item = self._frames.get(_CHANGE_SECONDS)
            except BaseException:
                break  # told again when it is its turn
            if item is not None:
                coming.append(item)

    def _adjust(self, estimator: FrameEstimator) -> None:
        with self._change_lock:
            options, self._adjustment = self._adjustment, None
        if options is not None and isinstance(estimator, AdjustableEstimator):
            estimator.adjust(options)
            kept = replace(self.options, smoothing=options.smoothing, strength=options.strength)
            self.options = replace(kept, fov=options.fov)

    def _after_change(self, estimator: FrameEstimator) -> FrameEstimator:
        """The estimator to go on with."""
        with self._change_lock:
            options, changed = self._change, self._changed
            self._change = self._changed = None
        if options is None:
            return estimator
        try:
            opened = self._open_estimator(self.source.facts, options)
        except Exception as error:
            if changed is not None:
                changed(error)
            return estimator
        self.options = options
        self._figures.opened(opened)
        estimator.close()
        if changed is not None:
            changed(None)
        return opened


class DetectorAside:
    """A detector that can look at a picture in a thread of its own before it is asked.

    What it finds hangs on the picture alone, so that is the same; but a film's other frames need
    not wait for it.

    Parameters
    ----------
    detector : Detector
        Belongs to this one.
    """

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._begun: tuple[Image, Future[list[Detection]]] | None = None
        self.name = detector.name

    @property
    def notice(self) -> str:
        """See `Detector.notice`."""
        return self._detector.notice

    def begin(self, image: Image) -> None:
        """Begin with a picture that will be asked for, unless another was begun."""
        if self._begun is None:
            found = _in_background("detect", lambda: self._detector.detect(image))
            self._begun = image, found

    def detect(self, image: Image) -> list[Detection]:
        """People in a picture; see `Detector.detect`."""
        begun, self._begun = self._begun, None
        if begun is not None:
            # the detector does one thing at a time, wanted or not
            wait([begun[1]])
            if begun[0] is image:
                return begun[1].result()
        return self._detector.detect(image)

    def close(self) -> None:
        """Give back what the detector holds, once it is done."""
        if self._begun is not None:
            wait([self._begun[1]], _CLOSE_SECONDS)
        self._detector.close()


class BackgroundStage(Generic[A]):
    """A consumer's own step, such as drawing or writing, in a thread of its own.

    Parameters
    ----------
    name : str
    open_work : callable
        Called in the thread; gives a context whose value is applied to each item, in order. What
        belongs to one thread (a GL context) is made and let go there. After `finish` the context
        ends well, after `close` by an error, so that a half file goes away.
    ahead : int
        Items that may wait.
    """

    def __init__(
        self,
        name: str,
        open_work: Callable[[], AbstractContextManager[Callable[[A], object]]],
        *,
        ahead: int = 1,
    ) -> None:
        self._open_work = open_work
        self._inputs: BoundedQueue[A] = BoundedQueue(ahead)
        self._error: BaseException | None = None
        self._milliseconds = 0.0
        self._count = 0
        self._thread = _thread(name, self._run)
        self._thread.start()

    def put(self, item: A) -> None:
        """Hand an item in, waiting for room.

        Raises
        ------
        BaseException
            What ended the stage early.
        """
        if not self._inputs.put(item):
            if self._error is not None:
                raise self._error
            raise StageClosedError

    def finish(self) -> None:
        """Wait until every item is through and the context has ended.

        Raises
        ------
        BaseException
            What ended the stage early.
        """
        self._inputs.finish()
        while self._thread.is_alive():
            # in pieces, so that Ctrl-C is heard
            self._thread.join(0.2)
        if self._error is not None:
            raise self._error

    @property
    def milliseconds(self) -> float:
        """Mean time of the work an item."""
        return self._milliseconds / max(self._count, 1)

    def close(self) -> None:
        """End within 2 s, whatever waits; does nothing after `finish`."""
        self._inputs.close()
        if self._thread is not threading.current_thread():
            self._thread.join(_CLOSE_SECONDS)

    def __enter__(self) -> BackgroundStage[A]:
        """Itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close."""
        self.close()

    def _run(self) -> None:
        try:
            with self._open_work() as work:
                for item in self._inputs:
                    start = time.perf_counter()
                    work(item)
                    self._milliseconds += 1000 * (time.perf_counter() - start)
                    self._count += 1
                if self._inputs.closed:
                    raise StageClosedError
        except StageClosedError as error:
            self._error = error if not self._inputs.closed else None
        except BaseException as error:
            self._error = error
        self._inputs.close()


def frames_ahead(facts: SourceFacts, most: int = _FRAMES_AHEAD) -> int:
    """Frames of a source that may wait between two threads, `most` or less if they are large."""
    if facts.size is None:
        return 1
    width, height = facts.size
    return max(1, min(most, _BYTES_AHEAD // max(3 * width * height, 1)))


def open_estimator(facts: SourceFacts, options: PipelineOptions) -> Estimator:
    """Load body, model, detector and filter, side by side, and join them.

    Raises
    ------
    ModelError
        If one of them cannot be used.
    """
    from pymaf_live.body.registry import body_of
    from pymaf_live.pipeline.model_selection import chosen_model
    from pymaf_live.pipeline.precision_selection import fastest_variant

    # before all else loads: where a model is timed for the choice, nothing may disturb it
    model = chosen_model(facts, options)
    variant = fastest_variant(model, options)
    pictures = facts.kind == "pictures"
    detector = (
        _in_background("open detector", lambda: _open_detector(facts, options))
        if options.boxes is None
        else None
    )
    smoother = (
        _in_background("open smoother", lambda: _open_smoother(options.strength))
        if options.smoothing == "live" and not pictures
        else None
    )
    opened: list[Any] = []
    try:
        from pymaf_live.inference import open_session
        from pymaf_live.tracking import CropRule, Following

        session = open_session(
            model,
            options.backend,
            by_openvino=variant,
            threads=options.threads,
            cache=options.cache,
            streams=_streams(facts, options),
            pairs=_pairs(facts, options),
        )
        opened.append(session)
        body = body_of(session.metadata.body_sha256)
        finder = None
        if detector is not None:
            finder = detector.result(_OPENED_SECONDS)
            finder = finder if facts.live else DetectorAside(finder)
            opened.append(finder)
        return Estimator(
            body,
            session,
            finder,
            Following(
                finder,
                session.metadata.input_size,
                people_wanted(options, live=facts.live),
                rule=CropRule.read(session.metadata.crop_rule) or CropRule(),
                scored=session.metadata.scored,
                foresight=_foresight(facts),
            ),
            _of_body(smoother.result(_OPENED_SECONDS), body) if smoother is not None else None,
            fov=options.fov,
            boxes=options.boxes,
            unrelated=pictures,
        )
    except BaseException:
        for part in opened:
            part.close()
        raise


def _foresight(facts: SourceFacts) -> int:
    """Frames ahead for which crops are known.

    None where the next frame is not there yet, or is another picture altogether.
    """
    if facts.live or facts.kind == "pictures":
        return 0
    rate = float(facts.frame_rate or 0)
    return max(1, min(int(rate * _FORESIGHT_SECONDS) - 1, _MOST_FORESIGHT))


def _streams(facts: SourceFacts, options: PipelineOptions) -> int:
    """Runs of the network side by side: as many as there is work and are cores for."""
    if options.threads == 1:
        return 1
    # of a live source's single person one run on all cores is the soonest done
    useful = people_wanted(options, live=True) if facts.live else 2
    return max(1, min(useful, available_cores()))


def _pairs(facts: SourceFacts, options: PipelineOptions) -> Pairs:
    """Whether people are looked at two by two; of a film it shows whether several are there."""
    if options.boxes is not None:
        return "when worth"
    if people_wanted(options, live=facts.live) == 1:
        return "never"
    # live nothing may be held up later, and who asks for several expects them
    return "at once" if facts.live else "when worth"


def _default_estimator(facts: SourceFacts, options: PipelineOptions) -> FrameEstimator:
    return open_estimator(facts, options)


def _open_detector(facts: SourceFacts, options: PipelineOptions) -> Detector:
    from pymaf_live.tracking import open_detector

    return open_detector(
        options.detector,
        people=people_wanted(options, live=facts.live),
        # beside a film's frames, which have the other cores; live everything waits for it
        threads=0 if facts.live else 1,
        cache=options.cache,
    )


def _open_smoother(strength: float) -> Smoother:
    from pymaf_live.body import load_body
    from pymaf_live.motion import Smoother

    return Smoother(load_body(), strength)


def _of_body(smoother: Smoother, body: Body) -> Smoother:
    """The smoother that was opened meanwhile, or one for the body that the model turned out of."""
    from pymaf_live.body import load_body
    from pymaf_live.motion import Smoother

    return smoother if body.sha256 == load_body().sha256 else Smoother(body, smoother.strength)


def _in_background(name: str, work: Callable[[], A]) -> Future[A]:
    future: Future[A] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    _thread(name, run).start()
    return future


def _thread(name: str, work: Callable[[], None]) -> threading.Thread:
    # daemon: a device that hangs in its driver is left behind, not waited for
    return threading.Thread(target=work, name=THREAD_PREFIX + name, daemon=True)


class _Figures:
    """Collects what `Health` shows; written by the inference thread, read by any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._times: deque[float] = deque(maxlen=_RECENT + 1)
        self._spent: deque[dict[str, float]] = deque(maxlen=_RECENT)
        self._frames = 0
        self._delay: float | None = None
        self._backend = ""
        self._detector = ""
        self._precision = ""
        self.model = ""
        self._notices: tuple[str, ...] = ()

    def opened(self, estimator: FrameEstimator) -> None:
        with self._lock:
            self._backend = estimator.backend
            self._detector = estimator.detector
            self._precision = getattr(estimator, "precision", "")
            self.model = estimator.model
            self._notices = estimator.notices

    def add(self, result: FrameResult) -> None:
        now = time.monotonic()
        with self._lock:
            self._frames += 1
            self._times.append(now)
            self._spent.append(dict(result.milliseconds))
            if result.frame.arrived > 0:
                self._delay = now - result.frame.arrived

    def health(self, dropped: int) -> Health:
        with self._lock:
            span = self._times[-1] - self._times[0] if len(self._times) > 1 else 0.0
            names = {name: None for spent in self._spent for name in spent}
            return Health(
                frames=self._frames,
                fps=(len(self._times) - 1) / span if span > 0 else 0.0,
                milliseconds={
                    name: sum(spent.get(name, 0.0) for spent in self._spent) / len(self._spent)
                    for name in names
                },
                dropped=dropped,
                delay=self._delay,
                backend=self._backend,
                detector=self._detector,
                precision=self._precision,
                model=self.model,
                notices=self._notices,
            )
