"""One frame through crop, network and decoding, on a model whose answer is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pymaf_live.body import Body, PointSet, default_body, project
from pymaf_live.errors import ModelError
from pymaf_live.pipeline.crop_inference import CropEstimate
from pymaf_live.pipeline.estimator_factory import open_estimator
from pymaf_live.pipeline.model_selection import model_path
from pymaf_live.pipeline.options import PipelineOptions, max_people
from pymaf_live.pipeline.person_estimator import PersonEstimator, _Measurement, _most_confident
from pymaf_live.tracking import TrackedCrop
from pymaf_live.tracking.crop import crop_about
from pymaf_live.tracking.detector import Detector
from pymaf_live.types import Array, Camera, Detection, Frame, Image, SourceFacts
from tests.helpers.model import UPRIGHT, write_fake_model
from tests.ui.fakes import standing_person

FILM = SourceFacts("video", "film", (640, 480), None, None, None, live=False)
ALBUM = SourceFacts("images", "album", None, None, 2, None, live=False)


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, body: Body) -> Path:
    return write_fake_model(tmp_path_factory.mktemp("model") / "made_up.onnx", body)


def picture(*figures: tuple[int, int, int, int]) -> Image:
    """Bright upright figures (x0, y0, x1, y1) before a dark ground."""
    image = np.zeros((480, 640, 3), np.uint8)
    for x0, y0, x1, y1 in figures:
        image[y0:y1, x0:x1] = 255
    return image


def estimator_for(
    model: Path, facts: SourceFacts, boxes: Mapping[str, Array] | None, *, fov: float | None = None
) -> PersonEstimator:
    return open_estimator(
        facts, PipelineOptions(model=model, boxes=boxes, smoothing="off", fov=fov)
    )


def test_a_person_lies_where_the_given_box_and_the_network_say(model: Path, body: Body) -> None:
    figures = [(100, 120, 180, 360), (400, 60, 460, 240)]
    boxes = {"0": np.array([[80, 100, 200, 380], [380, 40, 480, 260]], float)}
    estimator = estimator_for(model, FILM, boxes)
    result = estimator.estimate(Frame(0, 0.0, picture(*figures)))
    estimator.close()
    assert [person.id for person in result.people] == [0, 1]
    lsp = PointSet.keypoints(body, "lsp")
    assert result.camera is not None
    for person, (x0, y0, x1, y1) in zip(result.people, figures, strict=True):
        points = lsp.pose(person.rotations, person.shape, person.translation)
        # the model puts the middle of its key points' box, upright in the crop, onto the middle of
        # the brightness; the crop may be turned
        turn = person.rotations[0] @ np.linalg.inv(UPRIGHT)
        pixels = project(points, result.camera) @ turn[:2, :2]
        middle = (pixels.min(axis=0) + pixels.max(axis=0)) / 2 @ turn[:2, :2].T
        # perspective makes the nearer hand larger and so moves the middle a little
        np.testing.assert_allclose(middle, [(x0 + x1) / 2, (y0 + y1) / 2], atol=0.05 * (y1 - y0))
    # the first is larger in the picture, so nearer
    near, far = (person.joints[0, 2] for person in result.people)
    assert 0 < near < far


def test_a_wider_view_puts_the_same_picture_nearer(model: Path) -> None:
    boxes = {"0": np.array([[80, 100, 200, 380]], float)}
    depth = {}
    for fov in (30.0, 90.0):
        estimator = estimator_for(model, FILM, boxes, fov=fov)
        result = estimator.estimate(Frame(0, 0.0, picture((100, 120, 180, 360))))
        depth[fov] = result.people[0].translation[2]
        estimator.close()
    # focal lengths are half the diagonal over tan(fov / 2); what is near is seen in perspective
    expected = np.tan(np.radians(45)) / np.tan(np.radians(15))
    assert depth[30.0] / depth[90.0] == pytest.approx(expected, rel=0.1)


def test_frames_without_a_box_have_nobody_and_boxes_go_by_picture_name(model: Path) -> None:
    boxes = {"b.jpg": np.array([[80, 100, 200, 380]], float)}
    estimator = estimator_for(model, ALBUM, boxes)
    image = picture((100, 120, 180, 360))
    first = estimator.estimate(Frame(0, 0.0, image, "a.jpg"))
    second = estimator.estimate(Frame(1, 1.0, image, "b.jpg"))
    estimator.close()
    assert first.people == ()
    assert len(second.people) == 1


def test_more_people_than_fit_one_run_of_the_network_are_all_there(model: Path) -> None:
    boxes = {"0": np.array([[20 * i, 100, 20 * i + 60, 200] for i in range(19)], float)}
    estimator = estimator_for(model, FILM, boxes)
    result = estimator.estimate(Frame(0, 0.0, picture((0, 120, 640, 180))))
    estimator.close()
    assert [person.id for person in result.people] == list(range(19))


class OneBox(Detector):
    """A detector that always sees one person in the same place."""

    name, notice = "one box", ""

    def __init__(self, box: tuple[float, float, float, float]) -> None:
        self.box = box
        self.asked = 0

    def detect(self, image: Image) -> list[Detection]:
        self.asked += 1
        x0, y0, x1, y1 = self.box
        middle = (x0 + x1) / 2
        trunk = np.array([[middle, y0 * 0.45 + y1 * 0.55], [middle, y0 * 0.8 + y1 * 0.2]])
        return [Detection(np.array(self.box), 0.9, trunk)]

    def close(self) -> None:
        pass


def test_a_person_who_moves_is_followed_without_asking_the_detector_each_frame(
    model: Path, body: Body
) -> None:
    from pymaf_live.inference import open_session
    from pymaf_live.tracking import PersonTracker

    detector = OneBox((100, 120, 180, 360))
    session = open_session(model)
    tracker = PersonTracker(detector, session.metadata.input_size)
    estimator = PersonEstimator(body, session, detector, tracker, None)
    middles = []
    for index in range(10):
        image = picture((100 + 8 * index, 120, 180 + 8 * index, 360))
        result = estimator.estimate(Frame(index, index / 30, image))
        assert [person.id for person in result.people] == [0], f"frame {index}"
        middles.append(float(result.people[0].box[[0, 2]].mean()))
    estimator.close()
    np.testing.assert_allclose(np.diff(middles), 8, atol=3)
    assert detector.asked == 1


class OneBoxAhead(OneBox):
    """One that can begin with a picture."""

    def __init__(self, box: tuple[float, float, float, float]) -> None:
        super().__init__(box)
        self.begun: list[tuple[Image, int]] = []

    def prefetch(self, image: Image) -> None:
        self.begun.append((image, self.asked))


def test_in_separate_pictures_people_are_looked_for_while_the_one_before_is_estimated(
    model: Path, body: Body
) -> None:
    from pymaf_live.inference import open_session
    from pymaf_live.tracking import PersonTracker

    detector = OneBoxAhead((100, 120, 180, 360))
    session = open_session(model)
    tracker = PersonTracker(detector, session.metadata.input_size)
    estimator = PersonEstimator(body, session, detector, tracker, None, independent_frames=True)
    frames = [Frame(k, 0.0, picture((100, 120, 180, 360)), name=f"{k}.jpg") for k in range(3)]
    for number, frame in enumerate(frames):
        assert len(estimator.estimate(frame, frames[number + 1 : number + 2]).people) == 1
    estimator.close()
    # the next one is begun when the detector is done with this one
    assert [
        (image is frames[k + 1].image, asked) for k, (image, asked) in enumerate(detector.begun)
    ] == [
        (True, 1),
        (True, 2),
    ]


def test_what_is_no_person_is_left_out(model: Path, body: Body) -> None:
    from pymaf_live.inference import open_session
    from pymaf_live.tracking import PersonTracker

    session = open_session(model)
    detector = OneBox((600, 400, 680, 640))
    tracker = PersonTracker(detector, session.metadata.input_size)
    estimator = PersonEstimator(body, session, detector, tracker, None)
    # the detector insists, but the picture is flat and the network scores it 0
    result = estimator.estimate(Frame(0, 0.0, np.full((960, 1280, 3), 128, np.uint8)))
    estimator.close()
    assert result.people == ()


@pytest.mark.parametrize(
    ("entry", "value", "complaint"),
    [("body_sha256", "1" * 64, "another body"), ("crop_rule", "square 1.2", "square 1.2")],
)
def test_a_model_for_another_body_or_crop_rule_is_refused(
    tmp_path: Path, body: Body, entry: str, value: str, complaint: str
) -> None:
    path = write_fake_model(tmp_path / "other.onnx", body, metadata={entry: value})
    with pytest.raises(ModelError, match=complaint):
        estimator_for(path, FILM, {})


def test_names_of_models_that_are_not_there_are_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="none\\.onnx"):
        model_path(tmp_path / "none.onnx")
    with pytest.raises(ModelError, match="enormous"):
        model_path("enormous")


@pytest.mark.parametrize(
    ("given", "turned", "first", "second", "believed"),
    [
        (True, True, 0.6, 0.7, True),
        (True, True, 0.6, 0.6, False),
        (True, True, 0.6, 0.5, False),
        (True, False, 0.6, 0.5, True),
        (False, True, 0.6, 0.5, True),
    ],
)
def test_a_second_look_at_a_given_box_counts_only_when_it_is_surer(
    body: Body, given: bool, turned: bool, first: float, second: float, believed: bool
) -> None:
    crop = crop_about(np.array([100.0, 100.0]), 200.0, 0.0, 256)
    looked = TrackedCrop(0, crop, is_new=True, is_upright=turned, from_user_box=given)
    person = standing_person(body, Camera.for_frame((640, 480)))

    def measured(sure: float) -> _Measurement:
        scored = replace(person, joint_score=np.full(body.joint_count, sure))
        return _Measurement(looked, CropEstimate(crop, []), scored, np.zeros((14, 2)))

    assert measured(first).should_be_replaced_by(measured(second)) == believed


@pytest.mark.parametrize(
    ("people", "live", "wanted"), [(None, True, 1), (None, False, 4), (3, True, 3), (1, False, 1)]
)
def test_live_the_one_in_front_is_wanted_and_in_files_several(
    people: int | None, live: bool, wanted: int
) -> None:
    assert max_people(PipelineOptions(people=people), live=live) == wanted


@pytest.mark.parametrize("best_first", [True, False])
def test_of_the_sizes_of_a_given_box_the_surest_counts(model: Path, best_first: bool) -> None:
    # a square figure of 200 px: filled by it the crop shows nothing, and the network is unsure
    image = np.zeros((480, 640, 3), np.uint8)
    image[140:340, 220:420] = 40
    middle = np.array([320.0, 240.0])
    within, about = (crop_about(middle, side, 0.0, 256) for side in (150.0, 280.0))
    first, other = (about, within) if best_first else (within, about)
    looked = TrackedCrop(
        0, first, is_new=True, is_upright=True, from_user_box=True, alternatives=(other,)
    )
    estimator = estimator_for(model, FILM, {})
    tried = looked.candidates()
    looks = estimator._inference.start(Frame(0, 0.0, image), tried, {})
    measured = estimator._measure(tried, looks, Camera.for_frame((640, 480)), {})
    estimator.close()
    (surest,) = _most_confident([looked], measured)
    assert surest.crop.crop == about
    assert surest.mean_joint_score > 0.3


def test_field_of_view_and_smoothing_change_between_two_frames(model: Path) -> None:
    boxes = {str(index): np.array([[80, 100, 200, 380]], float) for index in range(40)}
    estimator = estimator_for(model, FILM, boxes)
    options = PipelineOptions(smoothing="off")
    still, moved = picture((100, 120, 180, 360)), picture((130, 120, 210, 360))

    def after_a_step(first: int, strength: float, fov: float | None) -> tuple[float, float]:
        """How far the body follows a jump at once, and the camera's focal length."""
        smoothing = "live" if strength else "off"
        estimator.adjust(
            replace(options, smoothing=smoothing, smoothing_strength=strength, fov=fov)
        )
        for index in range(first, first + 9):
            before = estimator.estimate(Frame(index, index / 30, still))
        after = estimator.estimate(Frame(first + 9, (first + 9) / 30, moved))
        assert after.camera is not None
        steps = [
            b.translation[0] - a.translation[0]
            for a, b in ((before.people[0], after.people[0]), (before.raw[0], after.raw[0]))
        ]
        return float(steps[0] / steps[1]), after.camera.focal_length

    assert after_a_step(0, 0.0, None) == (1.0, 800.0)
    part, focal_length = after_a_step(10, 0.9, 90.0)
    assert part < 0.8
    assert focal_length == pytest.approx(400.0)
    estimator.close()
