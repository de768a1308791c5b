"""Numbers of rendered people who cross, with the real finder and the real network."""

from __future__ import annotations

import numpy as np
import pytest

from pymaf_live.estimator import PipelineOptions
from pymaf_live.body import PointSet, project
from pymaf_live.pipeline import open_estimator
from pymaf_live.types import Frame, SourceFacts
from tests.people.made_up_crossings import Outcome, judged
from tests.trainer.made_up_street import SIZE, Street, StreetCamera, streets

RATE = 12.0
FILM = SourceFacts("video", "street", SIZE, None, None, None, live=False)
_LEAST_NEAR = 0.35
"""Of a person's height: farther from everybody, a body shows nobody."""


def followed_through(street: Street, camera: StreetCamera) -> Outcome:
    options = PipelineOptions(model="lite", people=len(street.people), smoothing="off")
    estimator = open_estimator(FILM, options)
    points = PointSet.keypoints(camera.body, "lsp")
    shown = []
    for index in range(int(street.seconds * RATE)):
        time = index / RATE
        result = estimator.estimate(Frame(index, time, camera.picture(street.people, time)))
        truth = [camera.keypoints(person, time) for person in street.people]
        frame = {}
        for person in result.people:
            seen = project(points.pose(person.rotations, person.shape, person.translation), camera.camera)
            off = [float(np.hypot(*(seen.mean(axis=0) - one.mean(axis=0)))) for one in truth]
            nearest = int(np.argmin(off))
            if off[nearest] < _LEAST_NEAR * float(np.ptp(truth[nearest][:, 1])):
                frame[person.id] = nearest
        shown.append(frame)
    estimator.close()
    return judged(street.name, shown, len(street.people), RATE)


@pytest.mark.benchmark
def test_of_rendered_crossings_at_most_one_in_ten_is_switched(
    record_property: pytest.RecordProperty,
) -> None:
    camera = StreetCamera(seed=1)
    outcomes = [followed_through(street, camera) for street in streets()]
    switched = [outcome.name for outcome in outcomes if outcome.switched]
    lost = [outcome.name for outcome in outcomes if outcome.lost]
    record_property("switched", switched)
    record_property("lost", lost)
    print(f"{len(outcomes)} crossings, switched: {switched}, lost: {lost}")
    assert len(outcomes) >= 20
    assert len(switched) <= len(outcomes) / 10
