"""Prefetching inference on the next frames does not change the results."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pymaf_live.body import default_body
from pymaf_live.inference import Session, open_session
from pymaf_live.inference.session import PendingBatch
from pymaf_live.pipeline.crop_inference import CropInference
from pymaf_live.tracking import TrackedCrop
from pymaf_live.tracking.crop import crop_about
from pymaf_live.types import Array, Crop, Frame
from tests.helpers.model import write_fake_model

NUM_STREAMS = 2
Crops = list[list[Crop]]
"""For each frame, the crops of its people."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fake_model(tmp_path_factory.mktemp("model") / "fake.onnx", default_body())


@pytest.fixture(scope="module")
def video() -> list[Frame]:
    """Frames of noise, so that the denoiser's running means differ with every crop."""
    noise = np.random.default_rng(3)
    images = noise.integers(120, 124, (8, 480, 640, 3), np.uint8)
    images[:, 120:360, 280:360] += 100
    return [Frame(index, index / 30, image) for index, image in enumerate(images)]


class CountingSession:
    """Session that counts the crops that inference was started on."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.started = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def start(self, images: np.ndarray) -> PendingBatch:
        self.started += len(images)
        return self._session.start(images)


@dataclass
class Run:
    """Results of a video."""

    cameras: list[Array] = field(default_factory=list)
    """Camera (3,) of each person, frame by frame."""
    prefetched: int = 0
    """Crops that inference was started on before their frame."""
    used: int = 0
    """Prefetched crops whose results were used."""


def crop(x: float = 320.0) -> Crop:
    return crop_about(np.array([x, 240.0]), 400.0, 0.0, 256)


def run(
    session: Session,
    video: list[Frame],
    crops: Crops,
    predicted: Crops | None = None,
    lookahead: int = 1,
) -> Run:
    """Run inference on a video whose crops are predicted `lookahead` frames ahead, or not."""
    counting = CountingSession(session)
    inference = CropInference(counting)  # type: ignore[arg-type]
    result = Run()
    for number, (frame, frame_crops) in enumerate(zip(video, crops, strict=True)):
        timings: dict[str, float] = {}
        upcoming = video[number + 1 : number + 1 + lookahead]
        predictions: Crops = []
        if predicted is not None and number > 0:
            predictions = predicted[number + 1 : number + 1 + lookahead]
        people = [
            TrackedCrop(
                person,
                each,
                is_new=number == 0,
                is_upright=True,
                upcoming_crops=tuple(later[person] for later in predictions if person < len(later)),
            )
            for person, each in enumerate(frame_crops)
        ]
        before = counting.started
        pending = inference.start(frame, people, timings)
        result.used += len(people) - (counting.started - before)
        before = counting.started
        if predicted is not None:
            inference.prefetch(upcoming, people, timings)
        result.prefetched += counting.started - before
        for person, each in zip(people, pending, strict=True):
            estimate = each.result(timings)
            assert estimate.crop is person.crop
            result.cameras.append(estimate.levels[-1].camera)
        assert not frame_crops or timings["network"] > 0
    return result


STILL, ASIDE, FAR = crop(), crop(340.0), crop(200.0)
WALKING: Crops = [[crop(300.0 + 5 * number)] for number in range(8)]


@pytest.mark.parametrize("lookahead", [1, 2])
@pytest.mark.parametrize(
    ("crops", "predicted", "used"),
    [
        ([[STILL]] * 8, [[STILL]] * 8, 6),
        (WALKING, WALKING, 6),
        (WALKING, [[STILL]] * 8, 0),
        ([[STILL]] * 4 + [[ASIDE]] * 4, [[STILL]] * 5 + [[ASIDE]] * 3, 5),
        ([[STILL, FAR]] * 4 + [[STILL, ASIDE]] * 4, [[STILL, FAR]] * 8, 8),
        ([[STILL, FAR]] * 3 + [[STILL]] * 5, [[STILL, FAR]] * 8, 7),
        ([[STILL]] * 3 + [[]] * 2 + [[STILL]] * 3, [[STILL]] * 8, 3),
    ],
    ids=["still", "walking", "all wrong", "once wrong", "one of two wrong", "one leaves", "away"],
)
def test_results_are_identical_with_and_without_prefetching(
    model: Path, video: list[Frame], crops: Crops, predicted: Crops, used: int, lookahead: int
) -> None:
    session = open_session(model, "openvino", num_streams=NUM_STREAMS)
    expected = run(session, video, crops)
    found = run(session, video, crops, predicted, lookahead)
    np.testing.assert_array_equal(found.cameras, expected.cameras)
    assert (expected.prefetched, expected.used) == (0, 0)
    assert found.used == used
    session.close()


def test_one_of_a_prefetched_pair_is_used_if_the_other_moved(
    model: Path, video: list[Frame]
) -> None:
    session = open_session(model, "openvino", num_streams=NUM_STREAMS, batch_policy="eager")
    crops = [[STILL, FAR, crop(500.0)]] * 4 + [[STILL, ASIDE, crop(500.0)]] * 4
    predicted = [[STILL, FAR, crop(450.0)]] * 8
    expected = run(session, video, crops)
    found = run(session, video, crops, predicted)
    np.testing.assert_allclose(found.cameras, expected.cameras, atol=1e-5)
    # the first person in six frames, the second in two
    assert found.used == 8
    session.close()


def test_part_of_a_crowd_is_prefetched(model: Path, video: list[Frame]) -> None:
    session = open_session(model, "openvino", num_streams=NUM_STREAMS)
    crops = [[crop(200.0 + 20 * person) for person in range(10)]] * len(video)
    expected = run(session, video, crops)
    found = run(session, video, crops, crops)
    np.testing.assert_array_equal(found.cameras, expected.cameras)
    assert 0 < found.used < 6 * 10
    session.close()


@pytest.mark.parametrize(("backend", "num_streams"), [("onnxruntime", 2), ("openvino", 1)])
def test_nothing_is_prefetched_without_concurrent_requests(
    model: Path, video: list[Frame], backend: str, num_streams: int
) -> None:
    session = open_session(model, backend, num_streams=num_streams)
    assert run(session, video, WALKING, WALKING).prefetched == 0
    session.close()


def test_a_cancelled_request_does_not_affect_the_next(model: Path) -> None:
    session = open_session(model, "openvino", num_streams=NUM_STREAMS)
    images = np.full((1, 3, 256, 256), 0.5, np.float32)
    expected = session.run(images)[0][0].camera
    for _ in range(20):
        session.start(np.zeros_like(images)).cancel()
        np.testing.assert_array_equal(session.run(images)[0][0].camera, expected)
    session.close()


def test_the_time_of_concurrent_requests_is_not_added_up(model: Path, video: list[Frame]) -> None:
    session = open_session(model, "openvino", num_streams=NUM_STREAMS, batch_policy="eager")
    inference = CropInference(session)
    people = [TrackedCrop(n, crop(200.0 + 80 * n), True, True) for n in range(4)]
    for frame in video:
        timings: dict[str, float] = {}
        start = time.perf_counter()
        for pending in inference.start(frame, people, timings):
            pending.result(timings)
        assert 0 < timings["network"] <= 1000 * (time.perf_counter() - start)
    session.close()
