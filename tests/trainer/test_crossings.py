"""Tests of identities while rendered people cross, with the real detector and network."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pymaf_live.body import PointSet, project
from pymaf_live.pipeline.estimator_factory import open_estimator
from pymaf_live.pipeline.options import PipelineOptions
from pymaf_live.types import Frame, SourceFacts
from tests.tracking.synthetic_crossings import Outcome, evaluate
from tests.trainer.fake_street import SIZE, Passer, Street, StreetCamera, streets

RATE = 12.0
VIDEO = SourceFacts("video", "street", SIZE, None, None, None, live=False)
_MAX_DISTANCE = 0.35
"""Share of a person's height beyond which an estimate belongs to no one."""


def run_tracker(street: Street, camera: StreetCamera) -> Outcome:
    options = PipelineOptions(model="lite", people=len(street.people), smoothing="off")
    estimator = open_estimator(VIDEO, options)
    points = PointSet.keypoints(camera.body, "lsp")
    shown = []
    for index in range(int(street.seconds * RATE)):
        time = index / RATE
        result = estimator.estimate(Frame(index, time, camera.render(street.people, time)))
        truth = [camera.keypoints(person, time) for person in street.people]
        frame = {}
        for person in result.people:
            seen = project(
                points.pose(person.rotations, person.shape, person.translation), camera.camera
            )
            off = [float(np.hypot(*(seen.mean(axis=0) - one.mean(axis=0)))) for one in truth]
            nearest = int(np.argmin(off))
            if off[nearest] < _MAX_DISTANCE * float(np.ptp(truth[nearest][:, 1])):
                frame[person.id] = nearest
        shown.append(frame)
    estimator.close()
    return evaluate(street.name, shown, len(street.people), RATE)


@pytest.mark.benchmark
def test_at_most_one_in_ten_rendered_crossings_switches_identities(
    record_property: pytest.RecordProperty,
) -> None:
    camera = StreetCamera(seed=1)
    outcomes = [run_tracker(street, camera) for street in streets()]
    seen = [outcome for outcome in outcomes if outcome.all_seen]
    switched = [outcome.name for outcome in outcomes if outcome.switched]
    lost = [outcome.name for outcome in seen if outcome.lost]
    for name, value in (("seen", len(seen)), ("switched", switched), ("lost", lost)):
        record_property(name, value)
        print(name, value)
    assert len(seen) >= 20
    assert len(switched) <= len(seen) / 10


def standing_apart(seed: int) -> tuple[Passer, ...]:
    """Return three people at three depths."""

    def at(x: float, z: float) -> Callable[[float], tuple[float, float]]:
        return lambda t: (x + 0.25 * t, z)

    places = ((-1.3, 6.0), (0.2, 8.0), (1.8, 6.8))
    return tuple(Passer(at(*place), seed + n) for n, place in enumerate(places))


@pytest.mark.benchmark
@pytest.mark.parametrize("height", [1.0, 1.6])
def test_feet_of_all_people_in_a_frame_are_on_one_ground_plane(height: float) -> None:
    camera = StreetCamera(seed=2, height=height)
    feet = [camera.body.joint_names.index(name) for name in ("left_foot", "right_foot")]
    spreads = []
    for seed in (11, 21, 31, 41):
        people = standing_apart(seed)
        boxes = {}
        for index in range(3):
            points = [camera.keypoints(person, index / 3) for person in people]
            margin = [0.1 * float(np.ptp(each, axis=0).max()) for each in points]
            boxes[str(index)] = np.array(
                [
                    np.r_[each.min(axis=0) - spare, each.max(axis=0) + spare]
                    for each, spare in zip(points, margin, strict=True)
                ]
            )
        options = PipelineOptions(model="lite", boxes=boxes, smoothing="off")
        estimator = open_estimator(VIDEO, options)
        for index in range(3):
            image = camera.render(people, index / 3)
            result = estimator.estimate(Frame(index, index / 3, image))
            assert len(result.people) == 3
            spreads.append(np.ptp([p.joints[feet, 1].max() for p in result.people]))
        estimator.close()
    print(f"camera at {height} m: feet apart in height, m: {np.round(spreads, 2)}")
    assert max(spreads) <= 0.3
