"""Re-estimation of a part of a take from a box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from pymaf_live.body import Body, default_body
from pymaf_live.errors import InputError, Interrupted
from pymaf_live.pipeline.estimator import FrameEstimator
from pymaf_live.pipeline.options import PipelineOptions
from pymaf_live.system.reporter import SilentReporter
from pymaf_live.takes.editing import person_for_box, with_rows, with_trim
from pymaf_live.takes.playback import people_at
from pymaf_live.takes.take import Take
from pymaf_live.types import Frame, FrameResult, Image, SourceFacts
from pymaf_live.workflows.reestimate import (
    AGREEING_FRAMES,
    ReestimatedRows,
    ReestimateOptions,
    reestimate_rows,
)
from tests.helpers.take import make_take, standing, walking_past

FRAMES = 60


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


@pytest.fixture(scope="module")
def truth(body: Body) -> Take:
    times = np.arange(FRAMES) / 30
    return make_take(body, times, {4: standing(body, FRAMES)}, {4: walking_past(times)})


@pytest.fixture(scope="module")
def wrong(truth: Take) -> Take:
    """Frames 20 to 39 are somewhere else."""
    away = replace(
        truth,
        joints_2d=truth.joints_2d + 400.0,
        translation=truth.translation + np.array([1.0, 0, 0]),
    )
    return with_rows(truth, 4, 20, 39, away)


class BlankImages:
    """Images for an estimator that does not look at them."""

    def image(self, frame: int) -> Image | None:
        return np.zeros((8, 8, 3), np.uint8)

    def close(self) -> None:
        pass


class TruthEstimator(FrameEstimator):
    """Returns the true person if it is in the given box, and records the frames it estimates."""

    backend = detector = model = "double"
    notices = ()

    def __init__(self, truth: Take, options: PipelineOptions, estimated: list[int]) -> None:
        self._truth = truth
        self._options = options
        self._estimated = estimated

    def estimate(self, frame: Frame, upcoming: Sequence[Frame] = ()) -> FrameResult:
        self._estimated.append(frame.index)
        assert self._options.boxes is not None
        ((box,),) = self._options.boxes[str(frame.index)][None]
        person = people_at(self._truth, frame.index)[0]
        middle = person.joints_2d.mean(axis=0)
        found = bool((box[:2] < middle).all() and (middle < box[2:]).all())
        people = (person,) if found else ()
        return FrameResult(frame, people, people, self._truth.camera)

    def close(self) -> None:
        pass


class CancelsAfter(SilentReporter):
    """Cancels after a number of frames."""

    def __init__(self, frames: int) -> None:
        self._left = frames

    def progress(self, fraction: float | None, detail: str = "") -> None:
        self._left -= 1

    def cancelled(self) -> bool:
        return self._left <= 0


def corrected(
    raw: Take,
    truth: Take,
    frame: int = 20,
    corrections: tuple[tuple[int, int], ...] = (),
    estimated: list[int] | None = None,
    shift: float = 0.0,
    cancel_after: int = 10**6,
) -> ReestimatedRows:
    estimated = [] if estimated is None else estimated
    row = np.flatnonzero(truth.frame == frame)[0]
    box = np.asarray(truth.box[row]) + shift

    def open_estimator(facts: SourceFacts, options: PipelineOptions) -> FrameEstimator:
        assert options.smoothing == "off"
        return TruthEstimator(truth, options, estimated)

    options = ReestimateOptions(frame, box, person=4, open_estimator=open_estimator)
    return reestimate_rows(raw, BlankImages(), options, corrections, CancelsAfter(cancel_after))


def test_only_wrong_frames_are_replaced(wrong: Take, truth: Take) -> None:
    estimated: list[int] = []
    done = corrected(wrong, truth, estimated=estimated)
    assert (done.first, done.last) == (20, 39)
    np.testing.assert_allclose(done.raw.translation, truth.translation, atol=1e-5)
    np.testing.assert_array_equal(done.raw.person, truth.person)
    # it stops once the tracks agree again
    assert estimated == list(range(20, 40 + AGREEING_FRAMES))


def test_it_ends_before_the_next_correction_and_at_the_trim(wrong: Take, truth: Take) -> None:
    done = corrected(wrong, truth, corrections=((30, 4), (25, 7), (12, 4)))
    assert (done.first, done.last) == (20, 29)
    np.testing.assert_array_equal(done.raw.translation[30:40], wrong.translation[30:40])
    done = corrected(with_trim(wrong, 5, 33), truth)
    assert (done.first, done.last) == (20, 33)


def test_a_person_without_a_track_is_estimated_to_the_end(truth: Take) -> None:
    untracked = with_rows(truth, 4, 0, FRAMES - 1, replace(truth, person=truth.person + 1))
    assert len(untracked.frame) == 0
    done = corrected(untracked, truth, frame=10)
    assert (done.first, done.last) == (10, FRAMES - 1)
    np.testing.assert_array_equal(done.raw.frame, np.arange(10, FRAMES))


def test_a_box_without_a_person_is_an_input_error(wrong: Take, truth: Take) -> None:
    with pytest.raises(InputError, match="no person"):
        corrected(wrong, truth, shift=-400.0)
    with pytest.raises(InputError, match="outside"):
        corrected(wrong, truth, shift=9000.0)


def test_it_can_be_cancelled(wrong: Take, truth: Take) -> None:
    estimated: list[int] = []
    with pytest.raises(Interrupted):
        corrected(wrong, truth, estimated=estimated, cancel_after=4)
    assert estimated == [20, 21, 22, 23]


def test_a_box_selects_the_person_it_overlaps_most(wrong: Take, truth: Take) -> None:
    there = np.asarray(truth.box[0])
    assert person_for_box(truth, 0, there) == 4
    # person 4 is in the frame, so a box elsewhere means a new person
    assert person_for_box(truth, 0, np.array([0.0, 0, 30, 30])) == 5
    # a box in a frame without person 4 means person 4
    gap = with_rows(truth, 4, 20, 22, replace(truth, person=truth.person + 1))
    assert person_for_box(gap, 21, there) == 4
