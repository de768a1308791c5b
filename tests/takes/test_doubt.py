"""Doubtful places of a take."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from pymaf_live.body import default_body
from pymaf_live.takes.doubt import doubt_of
from pymaf_live.takes.library import AboutTake, StoredTake
from tests.helpers.take import make_take, standing, walking_past


@pytest.fixture(scope="module")
def stored() -> StoredTake:
    """Person 1 in all of 60 frames, person 2 in frames 0 to 39; doubt in 10..14, 17, 30..32."""
    body = default_body()
    times = np.arange(60) / 30
    raw = make_take(
        body,
        times,
        {1: standing(body, 60), 2: standing(body, 40)},
        {1: walking_past(times), 2: walking_past(times[:40], 1.0)},
        frames={1: np.arange(60), 2: np.arange(40)},
    )
    scores = np.full(raw.joint_score.shape, 0.9)
    scores[(raw.person == 2) & (raw.frame >= 10) & (raw.frame <= 14)] = 0.2
    scores[(raw.person == 1) & (raw.frame == 17)] = 0.3
    predicted = (raw.person == 1) & (raw.frame >= 30) & (raw.frame <= 32)
    raw = replace(raw, joint_score=scores)
    about = AboutTake(name="x", created=datetime.now(UTC))
    return StoredTake(about, replace(raw, predicted=predicted), raw)


def test_scores_are_those_of_the_least_confident_person(stored: StoredTake) -> None:
    doubt = doubt_of(stored)
    assert doubt.score.shape == (60,)
    assert doubt.score[12] == pytest.approx(0.2)
    assert doubt.score[5] == pytest.approx(0.9)
    assert np.flatnonzero(doubt.interpolated).tolist() == [30, 31, 32]


def test_near_runs_are_one_place_and_can_be_visited_in_turn(stored: StoredTake) -> None:
    doubt = doubt_of(stored)
    assert doubt.places.tolist() == [[10, 17], [30, 32]]
    assert [doubt.next_place(frame) for frame in (0, 10, 29, 30)] == [10, 30, 30, None]
    assert [doubt.previous_place(frame) for frame in (59, 30, 10)] == [30, 10, None]


def test_edited_frames_are_no_longer_in_doubt(stored: StoredTake) -> None:
    about = stored.about.model_copy(
        update={"edited_spans": ((8, 20),), "corrections": ((30, 1), (31, 1), (32, 1))}
    )
    doubt = doubt_of(replace(stored, about=about))
    assert doubt.places.tolist() == []
    assert doubt.corrected[[8, 20, 31]].all()
    assert not doubt.corrected[[7, 21, 33]].any()


def test_frames_without_people_have_no_score(stored: StoredTake) -> None:
    kept = stored.raw.frame != 50
    raw = replace(
        stored.raw,
        **{name: getattr(stored.raw, name)[kept] for name in ("frame", "person", "joint_score")},
    )
    doubt = doubt_of(replace(stored, raw=raw))
    assert np.isnan(doubt.score[50])
    assert 50 not in doubt.places
