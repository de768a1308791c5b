"""The pipeline's threads, with fake sources and estimators."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pytest

from pymaf_live.errors import InputError, ModelError, OutputError
from pymaf_live.pipeline.background_stage import BackgroundStage, StageClosedError
from pymaf_live.pipeline.estimator import FrameEstimator
from pymaf_live.pipeline.options import PipelineOptions
from pymaf_live.pipeline.pipeline import Pipeline
from pymaf_live.sources import paced
from pymaf_live.types import Camera, Frame, FrameResult, SourceFacts


class ListedSource:
    """Yields `count` frames, `pause` seconds apart; then ends, raises, or hangs even if closed."""

    def __init__(
        self,
        count: int,
        *,
        live: bool = False,
        pause: float = 0.0,
        error: Exception | None = None,
        hang: bool = False,
    ) -> None:
        self.facts = SourceFacts(
            "camera" if live else "video", "fake", (8, 6), None, count, None, live=live
        )
        self.failures: list[tuple[str, str]] = []
        self.notices: list[str] = []
        self.yielded = 0
        self._count, self._pause, self._error, self._hang = count, pause, error, hang
        self.closed = threading.Event()

    def frames(self) -> Iterator[Frame]:
        image = np.zeros((6, 8, 3), np.uint8)
        for index in range(self._count):
            if self._pause and self.closed.wait(self._pause):
                return
            self.yielded += 1
            yield Frame(index, index / 30, image, arrived=time.monotonic())
        if self._hang:
            time.sleep(30)
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        self.closed.set()
        if self._hang:
            time.sleep(30)


class SlowEstimator(FrameEstimator):
    """Returns frames without people after `pause` seconds; raises `error` at frame `error_at`."""

    backend, detector, model = "none", "none", "fake 1"
    notices: tuple[str, ...] = ("fake",)

    def __init__(
        self, pause: float = 0.0, error: Exception | None = None, error_at: int = 3
    ) -> None:
        self._pause, self._error, self._error_at = pause, error, error_at
        self.closed_in: threading.Thread | None = None

    def estimate(self, frame: Frame, upcoming: Sequence[Frame] = ()) -> FrameResult:
        time.sleep(self._pause)
        if self._error is not None and frame.index == self._error_at:
            raise self._error
        return FrameResult(frame, (), camera=Camera.for_frame((8, 6)), milliseconds={"network": 2})

    def close(self) -> None:
        self.closed_in = threading.current_thread()


def pipeline_of(source: ListedSource, estimator: SlowEstimator) -> Pipeline:
    return Pipeline(source, PipelineOptions(), open_estimator=lambda facts, options: estimator)


def test_every_frame_of_a_file_is_delivered_in_order_to_a_slow_consumer() -> None:
    source = ListedSource(40)
    with pipeline_of(source, SlowEstimator()) as pipeline:
        indices = []
        for result in pipeline.results():
            indices.append(result.frame.index)
            time.sleep(0.002)
            # waiting frames are bounded: queues of eleven and six, and one in each thread
            assert source.yielded - len(indices) <= 11 + 6 + 3
        assert indices == list(range(40))
        assert pipeline.health.dropped == 0
        assert pipeline.health.frames == 40
        assert pipeline.ended


def test_a_live_source_keeps_the_newest_frame_and_counts_dropped_ones() -> None:
    source = ListedSource(200, live=True, pause=0.002)
    with pipeline_of(source, SlowEstimator(pause=0.02)) as pipeline:
        results = list(pipeline.results())
    indices = [result.frame.index for result in results]
    assert indices == sorted(set(indices))
    health = pipeline.health
    assert len(indices) < 100
    # every frame was estimated or counted as dropped
    assert health.frames + health.dropped == 200
    assert len(indices) == health.frames
    assert health.delay is not None
    assert health.delay < 1


def test_a_file_that_is_played_live_waits_for_the_models() -> None:
    def open_slowly(facts: SourceFacts, options: PipelineOptions) -> FrameEstimator:
        time.sleep(0.6)  # twice as long as the file
        return SlowEstimator()

    source = paced(ListedSource(10))
    with Pipeline(source, PipelineOptions(), open_estimator=open_slowly) as pipeline:
        indices = [result.frame.index for result in pipeline.results()]
    assert indices[0] == 0
    assert len(indices) > 1


def test_the_latest_result_never_blocks_and_older_ones_are_dropped() -> None:
    source = ListedSource(30, live=True, pause=0.005)
    with pipeline_of(source, SlowEstimator()) as pipeline:
        assert pipeline.latest_result() is None
        seen = []
        while not pipeline.ended:
            start = time.monotonic()
            result = pipeline.latest_result()
            assert time.monotonic() - start < 0.05
            if result is not None:
                seen.append(result.frame.index)
            time.sleep(0.02)
    assert seen == sorted(set(seen))
    assert seen[-1] == 29


def test_the_recorder_receives_every_result_though_the_display_is_slow() -> None:
    source = ListedSource(50, live=True, pause=0.003)
    recorded: list[int] = []
    pipeline = pipeline_of(source, SlowEstimator())
    pipeline.set_recorder(lambda result: recorded.append(result.frame.index))
    pipeline.start()
    while not pipeline.ended:
        pipeline.latest_result()
        time.sleep(0.05)
    pipeline.close()
    assert len(recorded) == pipeline.health.frames
    assert len(recorded) + pipeline.health.dropped == 50


def test_an_error_of_the_source_is_raised_after_the_frames_before_it() -> None:
    source = ListedSource(7, error=InputError("the rest is missing"))
    with pipeline_of(source, SlowEstimator()) as pipeline:
        results = pipeline.results()
        assert [next(results).frame.index for _ in range(7)] == list(range(7))
        with pytest.raises(InputError, match="the rest is missing"):
            next(results)


def test_the_first_error_is_raised_and_not_its_consequences() -> None:
    source = ListedSource(20, pause=0.005, error=InputError("closed while reading"))
    estimator = SlowEstimator(error=ModelError("not a number"))
    with pipeline_of(source, estimator) as pipeline:
        indices = []
        with pytest.raises(ModelError, match="not a number"):
            indices += [result.frame.index for result in pipeline.results()]
    assert estimator.closed_in is not None
    assert estimator.closed_in is not threading.current_thread()


def test_a_model_that_cannot_be_opened_ends_the_run() -> None:
    def refuse(facts: SourceFacts, options: PipelineOptions) -> SlowEstimator:
        raise ModelError("no such model")

    with Pipeline(ListedSource(5), open_estimator=refuse) as pipeline:
        with pytest.raises(ModelError, match="no such model"):
            next(pipeline.results())
        assert not pipeline.ready


def test_an_error_of_the_recorder_ends_the_run() -> None:
    def disk_full(result: FrameResult) -> None:
        raise OutputError("no space left")

    pipeline = pipeline_of(ListedSource(5), SlowEstimator())
    pipeline.set_recorder(disk_full)
    with pipeline, pytest.raises(OutputError, match="no space"):
        list(pipeline.results())


@pytest.mark.parametrize(
    ("source", "estimator"),
    [
        (ListedSource(3, hang=True), SlowEstimator()),
        (ListedSource(3, live=True, hang=True), SlowEstimator()),
        (ListedSource(30), SlowEstimator(pause=20)),
        (ListedSource(10_000, pause=0.001), SlowEstimator()),
    ],
    ids=["file hangs", "camera hangs, also in close", "network hangs", "unread results"],
)
def test_close_ends_within_two_seconds(source: ListedSource, estimator: SlowEstimator) -> None:
    pipeline = pipeline_of(source, estimator)
    pipeline.start()
    time.sleep(0.1)
    start = time.monotonic()
    pipeline.close()
    assert time.monotonic() - start < 2.2
    assert pipeline.ended
    assert list(pipeline.results()) == []


def test_close_from_another_thread_ends_waiting_for_results() -> None:
    pipeline = pipeline_of(ListedSource(2, hang=True), SlowEstimator())
    pipeline.start()
    closer = threading.Timer(0.2, pipeline.close)
    closer.start()
    start = time.monotonic()
    assert len(list(pipeline.results())) <= 2
    assert time.monotonic() - start < 1.5
    closer.join(3)
    pipeline.close()


def test_a_closed_pipeline_does_not_start() -> None:
    source = ListedSource(3)
    pipeline = pipeline_of(source, SlowEstimator())
    pipeline.close()
    pipeline.start()
    assert list(pipeline.results()) == []
    assert source.yielded == 0


def test_stop_processes_frames_already_read_and_ends_without_an_error() -> None:
    source = ListedSource(10_000, pause=0.001, error=InputError("never raised"))
    with pipeline_of(source, SlowEstimator()) as pipeline:
        indices = []
        for result in pipeline.results():
            indices.append(result.frame.index)
            if len(indices) == 10:
                pipeline.stop()
    assert indices == list(range(len(indices)))
    assert 10 <= len(indices) <= 10 + 12


def test_subscribers_receive_every_result_until_they_unsubscribe() -> None:
    received: dict[str, list[int]] = {"recorder": [], "one": [], "two": []}
    source = ListedSource(30)
    pipeline = pipeline_of(source, SlowEstimator())
    pipeline.set_recorder(lambda result: received["recorder"].append(result.frame.index))
    pipeline.subscribe(lambda result: received["two"].append(result.frame.index))

    def ten_times(result: FrameResult) -> None:
        received["one"].append(result.frame.index)
        if result.frame.index == 9:
            unsubscribe()

    unsubscribe = pipeline.subscribe(ten_times)
    with pipeline:
        assert len(list(pipeline.results())) == 30
    assert received["recorder"] == received["two"] == list(range(30))
    assert received["one"] == list(range(10))


class NamedEstimator(SlowEstimator):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.model = name


def test_reconfiguring_during_a_file_loses_no_frame() -> None:
    opened: dict[str, NamedEstimator] = {}

    def open_(facts: SourceFacts, options: PipelineOptions) -> NamedEstimator:
        name = str(options.model)
        if name == "broken":
            raise ModelError("there is no model file broken.onnx")
        opened[name] = NamedEstimator(name)
        return opened[name]

    outcomes: list[Exception | None] = []
    pipeline = Pipeline(ListedSource(60), PipelineOptions(model="one"), open_estimator=open_)
    models, indices = [], []

    def reconfigure(result: FrameResult) -> None:
        if result.frame.index == 9:
            pipeline.reconfigure(PipelineOptions(model="broken"), outcomes.append)
        if result.frame.index == 29:
            pipeline.reconfigure(PipelineOptions(model="two"), outcomes.append)
        models.append(pipeline.model)

    pipeline.subscribe(reconfigure)
    with pipeline:
        indices = [result.frame.index for result in pipeline.results()]
    assert indices == list(range(60))
    assert models == ["one"] * 30 + ["two"] * 30
    assert isinstance(outcomes[0], ModelError)
    assert outcomes[1:] == [None]
    assert pipeline.options.model == "two"
    assert all(each.closed_in is not None for each in opened.values())


def test_reconfiguring_works_while_no_frame_arrives() -> None:
    proceed = threading.Event()

    class PausedSource(ListedSource):
        def frames(self) -> Iterator[Frame]:
            proceed.wait(10)
            yield from super().frames()

    done = threading.Event()
    pipeline = Pipeline(
        PausedSource(3),
        PipelineOptions(model="one"),
        open_estimator=lambda facts, options: NamedEstimator(str(options.model)),
    )
    with pipeline:
        pipeline.reconfigure(PipelineOptions(model="two"), lambda error: done.set())
        assert done.wait(5)
        assert pipeline.model == "two"
        proceed.set()
        assert len(list(pipeline.results())) == 3


def test_an_error_of_a_source_after_a_long_pause_is_raised() -> None:
    with (
        pipeline_of(
            ListedSource(1, pause=0.35, error=InputError("gone")), SlowEstimator()
        ) as pipeline,
        pytest.raises(InputError, match="gone"),
    ):
        list(pipeline.results())


def test_health_has_the_model_and_all_notices() -> None:
    source = ListedSource(5)
    source.notices.append("reopened")
    with pipeline_of(source, SlowEstimator()) as pipeline:
        list(pipeline.results())
        health = pipeline.health
    assert health.model == "fake 1"
    assert health.notices == ("fake", "reopened")
    assert health.milliseconds["network"] == 2
    assert health.milliseconds["decode"] >= 0


class Work:
    """A context that notes how it exited."""

    def __init__(self, error_at: int = -1) -> None:
        self.items: list[int] = []
        self.exited_by: type[BaseException] | str | None = "open"
        self._error_at = error_at

    @contextmanager
    def opened(self) -> Iterator[Callable[[int], None]]:
        def work(item: int) -> None:
            if item == self._error_at:
                raise OutputError("no space left")
            self.items.append(item)

        try:
            yield work
        except BaseException as error:
            self.exited_by = type(error)
            raise
        self.exited_by = None


def test_a_finished_stage_has_processed_all_items_and_exited_its_context() -> None:
    work = Work()
    stage = BackgroundStage("test", work.opened)
    for item in range(20):
        stage.put(item)
    stage.finish()
    stage.close()
    assert work.items == list(range(20))
    assert work.exited_by is None


def test_closing_a_stage_exits_its_context_with_an_error() -> None:
    work = Work()
    stage = BackgroundStage("test", work.opened)
    stage.put(0)
    stage.close()
    assert work.exited_by is StageClosedError
    with pytest.raises(StageClosedError):
        stage.put(1)


def test_an_error_in_a_stage_is_raised_by_put_and_finish() -> None:
    work = Work(error_at=2)
    stage = BackgroundStage("test", work.opened)

    def put_many() -> None:
        for item in range(100):
            stage.put(item)
            time.sleep(0.001)

    with pytest.raises(OutputError, match="no space"):
        put_many()
    with pytest.raises(OutputError, match="no space"):
        stage.finish()
    assert work.exited_by is OutputError
