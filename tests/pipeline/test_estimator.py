"""The estimator on a fake model with known results."""

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

VIDEO = SourceFacts("video", "video", (640, 480), None, None, None, live=False)
ALBUM = SourceFacts("images", "album", None, None, 2, None, live=False)


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, body: Body) -> Path:
    return write_fake_model(tmp_path_factory.mktemp("model") / "fake.onnx", body)


def draw(*figures: tuple[int, int, int, int]) -> Image:
    """Return an image of bright upright figures (x0, y0, x1, y1) on a dark background."""
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


def test_a_person_is_placed_by_the_box_and_the_network(model: Path, body: Body) -> None:
    figures = [(100, 120, 180, 360), (400, 60, 460, 240)]
    boxes = {"0": np.array([[80, 100, 200, 380], [380, 40, 480, 260]], float)}
    estimator = estimator_for(model, VIDEO, boxes)
    result = estimator.estimate(Frame(0, 0.0, draw(*figures)))
    estimator.close()
    assert [person.id for person in result.people] == [1, 2]
    lsp = PointSet.keypoints(body, "lsp")
    assert result.camera is not None
    for person, (x0, y0, x1, y1) in zip(result.people, figures, strict=True):
        points = lsp.pose(person.rotations, person.shape, person.translation)
        # the model puts the centre of its key points' box, upright in the crop, onto the centroid
        # of the brightness; the crop may be rotated
        turn = person.rotations[0] @ np.linalg.inv(UPRIGHT)
        pixels = project(points, result.camera) @ turn[:2, :2]
        centre = (pixels.min(axis=0) + pixels.max(axis=0)) / 2 @ turn[:2, :2].T
        # perspective enlarges the nearer hand and so shifts the centre a little
        np.testing.assert_allclose(centre, [(x0 + x1) / 2, (y0 + y1) / 2], atol=0.05 * (y1 - y0))
    # the first is larger in the image, so nearer
    near, far = (person.joints[0, 2] for person in result.people)
    assert 0 < near < far


def test_a_wider_field_of_view_places_people_nearer(model: Path) -> None:
    boxes = {"0": np.array([[80, 100, 200, 380]], float)}
    depth = {}
    for fov in (30.0, 90.0):
        estimator = estimator_for(model, VIDEO, boxes, fov=fov)
        result = estimator.estimate(Frame(0, 0.0, draw((100, 120, 180, 360))))
        depth[fov] = result.people[0].translation[2]
        estimator.close()
    # focal length = half the diagonal / tan(fov / 2); near people have perspective distortion
    expected = np.tan(np.radians(45)) / np.tan(np.radians(15))
    assert depth[30.0] / depth[90.0] == pytest.approx(expected, rel=0.1)


def test_boxes_are_found_by_image_name_and_frames_without_one_are_empty(model: Path) -> None:
    boxes = {"b.jpg": np.array([[80, 100, 200, 380]], float)}
    estimator = estimator_for(model, ALBUM, boxes)
    image = draw((100, 120, 180, 360))
    first = estimator.estimate(Frame(0, 0.0, image, "a.jpg"))
    second = estimator.estimate(Frame(1, 1.0, image, "b.jpg"))
    estimator.close()
    assert first.people == ()
    assert len(second.people) == 1


def test_more_people_than_fit_one_request_are_all_estimated(model: Path) -> None:
    boxes = {"0": np.array([[20 * i, 100, 20 * i + 60, 200] for i in range(19)], float)}
    estimator = estimator_for(model, VIDEO, boxes)
    result = estimator.estimate(Frame(0, 0.0, draw((0, 120, 640, 180))))
    estimator.close()
    assert [person.id for person in result.people] == list(range(1, 20))


class OneBox(Detector):
    """Detects one person, always in the same box."""

    name = "one box"

    def __init__(self, box: tuple[float, float, float, float]) -> None:
        self.box = box
        self.runs = 0

    def detect(self, image: Image) -> list[Detection]:
        self.runs += 1
        x0, y0, x1, y1 = self.box
        x = (x0 + x1) / 2
        trunk = np.array([[x, y0 * 0.45 + y1 * 0.55], [x, y0 * 0.8 + y1 * 0.2]])
        return [Detection(np.array(self.box), 0.9, trunk)]


def test_a_moving_person_is_tracked_without_running_the_detector_on_each_frame(
    model: Path, body: Body
) -> None:
    from pymaf_live.inference import open_session
    from pymaf_live.tracking import PersonTracker

    detector = OneBox((100, 120, 180, 360))
    session = open_session(model)
    tracker = PersonTracker(detector, session.metadata.input_size)
    estimator = PersonEstimator(body, session, detector, tracker, None)
    centres = []
    for index in range(10):
        image = draw((100 + 8 * index, 120, 180 + 8 * index, 360))
        result = estimator.estimate(Frame(index, index / 30, image))
        assert [person.id for person in result.people] == [1], f"frame {index}"
        centres.append(float(result.people[0].box[[0, 2]].mean()))
    estimator.close()
    np.testing.assert_allclose(np.diff(centres), 8, atol=3)
    assert detector.runs == 1


class PrefetchingOneBox(OneBox):
    """Notes the images that are prefetched, and the number of runs so far."""

    def __init__(self, box: tuple[float, float, float, float]) -> None:
        super().__init__(box)
        self.prefetched: list[tuple[Image, int]] = []

    def prefetch(self, image: Image) -> None:
        self.prefetched.append((image, self.runs))


def test_detection_in_the_next_separate_image_is_prefetched(model: Path, body: Body) -> None:
    from pymaf_live.inference import open_session
    from pymaf_live.tracking import PersonTracker

    detector = PrefetchingOneBox((100, 120, 180, 360))
    session = open_session(model)
    tracker = PersonTracker(detector, session.metadata.input_size)
    estimator = PersonEstimator(body, session, detector, tracker, None, independent_frames=True)
    frames = [Frame(k, 0.0, draw((100, 120, 180, 360)), name=f"{k}.jpg") for k in range(3)]
    for number, frame in enumerate(frames):
        assert len(estimator.estimate(frame, frames[number + 1 : number + 2]).people) == 1
    estimator.close()
    # the next detection is started when this one is done
    assert [
        (image is frames[k + 1].image, runs) for k, (image, runs) in enumerate(detector.prefetched)
    ] == [
        (True, 1),
        (True, 2),
    ]


def test_a_false_detection_is_left_out(model: Path, body: Body) -> None:
    from pymaf_live.inference import open_session
    from pymaf_live.tracking import PersonTracker

    session = open_session(model)
    detector = OneBox((600, 400, 680, 640))
    tracker = PersonTracker(detector, session.metadata.input_size)
    estimator = PersonEstimator(body, session, detector, tracker, None)
    # the detector sees a person, but the image is flat and the network scores it 0
    result = estimator.estimate(Frame(0, 0.0, np.full((960, 1280, 3), 128, np.uint8)))
    estimator.close()
    assert result.people == ()


@pytest.mark.parametrize(
    ("entry", "value", "message"),
    [("body_sha256", "1" * 64, "another body"), ("crop_rule", "square 1.2", "square 1.2")],
)
def test_a_model_for_another_body_or_crop_rule_is_refused(
    tmp_path: Path, body: Body, entry: str, value: str, message: str
) -> None:
    path = write_fake_model(tmp_path / "other.onnx", body, metadata={entry: value})
    with pytest.raises(ModelError, match=message):
        estimator_for(path, VIDEO, {})


def test_missing_models_are_named_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="none\\.onnx"):
        model_path(tmp_path / "none.onnx")
    with pytest.raises(ModelError, match="enormous"):
        model_path("enormous")


@pytest.mark.parametrize(
    ("from_user_box", "is_upright", "first", "second", "replaced"),
    [
        (True, True, 0.6, 0.7, True),
        (True, True, 0.6, 0.6, False),
        (True, True, 0.6, 0.5, False),
        (True, False, 0.6, 0.5, True),
        (False, True, 0.6, 0.5, True),
    ],
)
def test_a_refined_crop_of_a_user_drawn_box_counts_only_if_it_scores_higher(
    body: Body, from_user_box: bool, is_upright: bool, first: float, second: float, replaced: bool
) -> None:
    crop = crop_about(np.array([100.0, 100.0]), 200.0, 0.0, 256)
    tracked = TrackedCrop(0, crop, True, is_upright, from_user_box=from_user_box)
    person = standing_person(body, Camera.for_frame((640, 480)))

    def measurement(score: float) -> _Measurement:
        scored = replace(person, joint_score=np.full(body.joint_count, score))
        return _Measurement(tracked, CropEstimate(crop, []), scored, np.zeros((14, 2)))

    assert measurement(first).should_be_replaced_by(measurement(second)) == replaced


@pytest.mark.parametrize(
    ("people", "live", "expected"), [(None, True, 1), (None, False, 4), (3, True, 3), (1, False, 1)]
)
def test_one_person_is_tracked_live_and_several_in_files_by_default(
    people: int | None, live: bool, expected: int
) -> None:
    assert max_people(PipelineOptions(people=people), live=live) == expected


@pytest.mark.parametrize("best_first", [True, False])
def test_the_size_of_a_user_drawn_box_with_the_highest_score_counts(
    model: Path, best_first: bool
) -> None:
    # a square figure of 200 px: a crop filled by it is flat, and the network scores it low
    image = np.zeros((480, 640, 3), np.uint8)
    image[140:340, 220:420] = 40
    centre = np.array([320.0, 240.0])
    within, around = (crop_about(centre, side, 0.0, 256) for side in (150.0, 280.0))
    first, other = (around, within) if best_first else (within, around)
    tracked = TrackedCrop(
        0, first, is_new=True, is_upright=True, from_user_box=True, alternatives=(other,)
    )
    estimator = estimator_for(model, VIDEO, {})
    candidates = tracked.candidates()
    pending = estimator._inference.start(Frame(0, 0.0, image), candidates, {})
    measured = estimator._measure(candidates, pending, Camera.for_frame((640, 480)), {})
    estimator.close()
    (best,) = _most_confident([tracked], measured)
    assert best.crop.crop == around
    assert best.mean_joint_score > 0.3


def test_field_of_view_and_smoothing_can_change_between_frames(model: Path) -> None:
    boxes = {str(index): np.array([[80, 100, 200, 380]], float) for index in range(40)}
    estimator = estimator_for(model, VIDEO, boxes)
    options = PipelineOptions(smoothing="off")
    still, moved = draw((100, 120, 180, 360)), draw((130, 120, 210, 360))

    def after_a_step(first: int, strength: float, fov: float | None) -> tuple[float, float]:
        """Return which share of a jump the body makes at once, and the focal length."""
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
