from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from pymaf_live.body import Body, default_body
from pymaf_live.errors import InputError, Interrupted
from pymaf_live.pipeline.estimator import FrameEstimator
from pymaf_live.pipeline.options import PipelineOptions
from pymaf_live.takes.editing import person_for_box, with_rows, with_trim
from pymaf_live.takes.playback import camera_of, people_at
from pymaf_live.takes.take import Take
from pymaf_live.types import Frame, FrameResult, Image, SourceFacts
from pymaf_live.workflows.reestimate import AGREEING_FRAMES, BoxCorrection, Corrected, measure_again
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


class Blank:
    """Pictures of which the estimator below needs nothing."""

    def picture(self, frame: int) -> Image | None:
        return np.zeros((8, 8, 3), np.uint8)

    def close(self) -> None:
        pass


class KnowsTheTruth(FrameEstimator):
    """Finds whoever is in the box it is given, and remembers what it was asked."""

    backend = detector = model = "double"
    notices = ()

    def __init__(self, truth: Take, options: PipelineOptions, asked: list[int]) -> None:
        self._truth = truth
        self._options = options
        self._asked = asked

    def estimate(self, frame: Frame, upcoming: Sequence[Frame] = ()) -> FrameResult:
        self._asked.append(frame.index)
        assert self._options.boxes is not None
        ((box,),) = self._options.boxes[str(frame.index)][None]
        person = people_at(self._truth, frame.index)[0]
        middle = person.joints_2d.mean(axis=0)
        found = bool((box[:2] < middle).all() and (middle < box[2:]).all())
        people = (person,) if found else ()
        return FrameResult(frame, people, people, camera_of(self._truth))

    def close(self) -> None:
        pass


def corrected(
    raw: Take,
    truth: Take,
    body: Body,
    frame: int = 20,
    others: Sequence[tuple[int, int]] = (),
    asked: list[int] | None = None,
    shift: float = 0.0,
    stop_after: int = 10**6,
) -> Corrected:
    asked = [] if asked is None else asked
    row = np.flatnonzero(truth.frame == frame)[0]
    box = np.asarray(truth.box[row]) + shift
    heard: list[float] = []

    def open_estimator(facts: SourceFacts, options: PipelineOptions) -> FrameEstimator:
        assert options.smoothing == "off"
        return KnowsTheTruth(truth, options, asked)

    return measure_again(
        raw,
        body,
        Blank(),
        BoxCorrection(frame, 4, box),
        others,
        open_estimator,
        PipelineOptions(),
        heard.append,
        lambda: len(heard) >= stop_after,
    )


def test_only_the_frames_that_were_wrong_are_replaced(wrong: Take, truth: Take, body: Body) -> None:
    asked: list[int] = []
    done = corrected(wrong, truth, body, asked=asked)
    assert (done.first, done.last) == (20, 39)
    np.testing.assert_allclose(done.raw.translation, truth.translation, atol=1e-5)
    np.testing.assert_array_equal(done.raw.person, truth.person)
    # it looked no further than it took to see that the tracks agree again
    assert asked == list(range(20, 40 + AGREEING_FRAMES))


def test_it_ends_before_the_next_correction_and_at_the_trim(
    wrong: Take, truth: Take, body: Body
) -> None:
    done = corrected(wrong, truth, body, others=[(30, 4), (25, 7), (12, 4)])
    assert (done.first, done.last) == (20, 29)
    np.testing.assert_array_equal(done.raw.translation[30:40], wrong.translation[30:40])
    done = corrected(with_trim(wrong, 5, 33), truth, body)
    assert (done.first, done.last) == (20, 33)


def test_a_person_who_was_never_tracked_is_followed_to_the_end(truth: Take, body: Body) -> None:
    nobody = with_rows(truth, 4, 0, FRAMES - 1, replace(truth, person=truth.person + 1))
    assert len(nobody.frame) == 0
    done = corrected(nobody, truth, body, frame=10)
    assert (done.first, done.last) == (10, FRAMES - 1)
    np.testing.assert_array_equal(done.raw.frame, np.arange(10, FRAMES))


def test_a_box_of_nothing_says_so(wrong: Take, truth: Take, body: Body) -> None:
    with pytest.raises(InputError, match="nobody"):
        corrected(wrong, truth, body, shift=-400.0)
    with pytest.raises(InputError, match="outside"):
        corrected(wrong, truth, body, shift=9000.0)


def test_it_can_be_cancelled(wrong: Take, truth: Take, body: Body) -> None:
    asked: list[int] = []
    with pytest.raises(Interrupted):
        corrected(wrong, truth, body, asked=asked, stop_after=4)
    assert asked == [20, 21, 22, 23]


def test_a_box_is_about_whoever_it_shares_most_with(wrong: Take, truth: Take) -> None:
    there = np.asarray(truth.box[0])
    assert person_for_box(truth, 0, there) == 4
    # nobody else is there and 4 is: a box elsewhere means somebody new
    assert person_for_box(truth, 0, np.array([0.0, 0, 30, 30])) == 5
    # a person who is missing in this frame is who is meant
    gap = with_rows(truth, 4, 20, 22, replace(truth, person=truth.person + 1))
    assert person_for_box(gap, 21, there) == 4
