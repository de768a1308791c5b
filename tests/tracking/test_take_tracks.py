"""Tests of joining and leaving out tracks of finished takes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pymaf_live.body import Body, default_body
from pymaf_live.takes.people import people_of
from pymaf_live.takes.take import Take
from pymaf_live.tracking.take_tracks import tidy_tracks
from tests.helpers.take import make_take, standing

FRAMES = 120


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


def take_of(body: Body, tracks: dict[int, tuple[range, float]]) -> Take:
    """Return a take of people at given frames, each at x metres from the middle."""
    times = np.arange(FRAMES) / 30
    rotations = {person: standing(body, len(frames)) for person, (frames, _) in tracks.items()}
    places = {p: np.tile([x, 0.0, 4.0], (len(frames), 1)) for p, (frames, x) in tracks.items()}
    frames = {person: np.array(frames) for person, (frames, _) in tracks.items()}
    return make_take(body, times, rotations, places, frames=frames)


def test_a_dancer_who_became_three_people_is_one(body: Body) -> None:
    take = take_of(body, {1: (range(50), 0.0), 2: (range(54, 60), 0.1), 3: (range(62, 120), 0.2)})
    tidy = tidy_tracks(take)
    assert people_of(tidy.take) == (1,)
    assert (tidy.joined, tidy.left_out) == (2, 0)
    assert len(tidy.take.frame) == 50 + 6 + 58


def test_a_brief_ghost_elsewhere_is_left_out_and_counted(body: Body) -> None:
    take = take_of(body, {1: (range(120), -1.0), 2: (range(40, 46), 1.2)})
    tidy = tidy_tracks(take)
    assert people_of(tidy.take) == (1,)
    assert (tidy.joined, tidy.left_out) == (0, 1)
    assert people_of(tidy_tracks(take, 0.0).take) == (1, 2)


def test_someone_with_a_name_is_not_left_out(body: Body) -> None:
    take = take_of(body, {1: (range(120), -1.0), 2: (range(40, 46), 1.2)})
    named = replace(take, person_number=(2,), person_name=("Ann",))
    assert people_of(tidy_tracks(named).take) == (1, 2)


def test_people_who_are_there_together_or_far_apart_stay_apart(body: Body) -> None:
    together = take_of(body, {1: (range(70), 0.0), 2: (range(60, 120), 0.1)})
    assert people_of(tidy_tracks(together).take) == (1, 2)
    apart = take_of(body, {1: (range(60), -1.5), 2: (range(62, 120), 1.5)})
    assert people_of(tidy_tracks(apart).take) == (1, 2)


def test_someone_always_stays_and_images_are_left_alone(body: Body) -> None:
    brief = take_of(body, {1: (range(3), 0.0)})
    assert people_of(tidy_tracks(brief, 10.0).take) == (1,)
    images = replace(brief, picture_name=tuple(f"{i}.jpg" for i in range(FRAMES)))
    assert tidy_tracks(images, 10.0).take is images
