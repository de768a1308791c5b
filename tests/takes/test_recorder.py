from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from pymaf_live.body import Body, default_body
from pymaf_live.errors import InputError
from pymaf_live.takes import TakeRecorder, camera_of, people_by_frame
from pymaf_live.takes.take import Take
from pymaf_live.types import Camera, Frame, FrameResult, Person, SourceFacts
from tests.helpers.take import SIZE, make_take, moving_limbs, standing, walking_past


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


def facts(rate: Fraction | None = Fraction(25), size: tuple[int, int] | None = SIZE) -> SourceFacts:
    return SourceFacts("video", "dance.mp4", size, rate, None, None, live=False)


def result(
    time: float, people: tuple[Person, ...] = (), size: tuple[int, int] = SIZE
) -> FrameResult:
    image = np.zeros((size[1], size[0], 3), np.uint8)
    return FrameResult(Frame(0, time, image), people, camera=Camera.for_frame(size, fov=60))


@pytest.fixture
def two_people(body: Body) -> Take:
    times = np.arange(700) / 25
    return make_take(
        body,
        times,
        {1: moving_limbs(body, times), 2: standing(body, 300)},
        {1: walking_past(times), 2: walking_past(times[:300], 1.0)},
        frames={1: np.arange(700), 2: np.arange(200, 500)},
    )


def test_a_take_played_into_a_recorder_is_the_same_take(body: Body, two_people: Take) -> None:
    recorder = TakeRecorder(body, facts(), model="lite", smoothing="live")
    for time, people in zip(two_people.frame_time, people_by_frame(two_people), strict=True):
        assert recorder.add(result(float(time), people))
    again = recorder.take()
    for name in ("frame_time", "frame", "person", "shape", "translation", "joints", "joints_2d",
                 "box", "score", "joint_score", "predicted", "pose"):  # fmt: skip
        np.testing.assert_allclose(
            getattr(again, name), getattr(two_people, name), rtol=1e-5, atol=2e-6, err_msg=name
        )
    assert (again.source, again.model, again.smoothing) == ("dance.mp4", "lite", "live")
    assert again.frame_rate == 25
    assert camera_of(again).focal_length == Camera.for_frame(SIZE, fov=60).focal_length


def test_frames_without_people_keep_their_time(body: Body) -> None:
    recorder = TakeRecorder(body, facts())
    for time in (0.0, 0.5, 0.7):
        recorder.add(result(time))
    take = recorder.take()
    assert take.frame_time.tolist() == [0.0, 0.5, 0.7]
    assert len(take.frame) == 0
    assert take.joints.shape == (0, body.joint_count, 3)


def test_a_take_is_a_copy_and_recording_goes_on(body: Body, two_people: Take) -> None:
    recorder = TakeRecorder(body, facts())
    people = people_by_frame(two_people)
    recorder.add(result(0.0, people[0]))
    early = recorder.take()
    for index in range(1, 400):
        recorder.add(result(index / 25, people[index]))
    assert len(early.frame_time) == 1
    assert len(recorder.take().frame) == 400 + 200


def test_a_frame_that_does_not_come_later_is_left_out(body: Body) -> None:
    recorder = TakeRecorder(body, facts())
    assert recorder.add(result(1.0))
    assert not recorder.add(result(1.0))
    assert not recorder.add(result(0.2))
    assert recorder.frame_count == 1


def test_the_raw_people_can_be_recorded_instead(body: Body, two_people: Take) -> None:
    people = people_by_frame(two_people)
    recorder = TakeRecorder(body, facts(), raw=True)
    smooth = result(0.0, people[0])
    recorder.add(FrameResult(smooth.frame, people[0], raw=people[9], camera=smooth.camera))
    np.testing.assert_allclose(recorder.take().translation[0], people[9][0].translation, rtol=1e-6)


def test_another_frame_size_is_refused(body: Body) -> None:
    recorder = TakeRecorder(body, facts())
    recorder.add(result(0.0))
    with pytest.raises(InputError, match="1280x720 to 640x480"):
        recorder.add(result(1.0, size=(640, 480)))


def test_without_frames_the_size_comes_from_the_source_or_it_is_an_error(body: Body) -> None:
    assert TakeRecorder(body, facts()).take().frame_size == SIZE
    with pytest.raises(InputError, match="no frame came"):
        TakeRecorder(body, facts(size=None)).take()


@pytest.mark.parametrize("rate", [Fraction(30), Fraction(30000, 1001), Fraction(15)])
def test_an_unknown_rate_is_measured(body: Body, rate: Fraction) -> None:
    recorder = TakeRecorder(body, facts(rate=None))
    random = np.random.default_rng(0)
    for index in range(101):
        recorder.add(result(index / float(rate) + random.choice([0, 1e-6])))
    assert recorder.take().frame_rate == rate
