"""Advice before a recording."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pymaf_live.body import default_body
from pymaf_live.types import Camera, Frame, FrameResult, Person
from tests.ui.fakes import standing_person
from ui.state.framing import framing_advice

SIZE = (480, 360)
BODY = default_body()


def result(person: Person | None, brightness: int = 120) -> FrameResult:
    image = np.full((SIZE[1], SIZE[0], 3), brightness, np.uint8)
    people = (person,) if person is not None else ()
    return FrameResult(Frame(0, 0.0, image), people, people, Camera.for_frame(SIZE))


def moved(x: float = 0.0, y: float = 0.0, scale: float = 1.0) -> Person:
    """Return a person in the middle of the image, 200 pixels tall, moved and scaled."""
    person = standing_person(BODY, Camera.for_frame(SIZE))
    points = person.joints_2d - person.joints_2d.mean(axis=0)
    points = points * 200 / np.ptp(points[:, 1]) * scale + np.array(SIZE) / 2 + (x, y)
    return replace(person, joints_2d=points)


@pytest.mark.parametrize(
    ("person", "brightness", "rate", "words"),
    [
        (moved(), 120, 30.0, ""),
        (moved(), 20, 30.0, "dark"),
        (moved(y=120), 120, 30.0, "feet"),
        (moved(y=-120), 120, 30.0, "head"),
        (moved(x=210), 120, 30.0, "middle"),
        (moved(scale=0.4), 120, 30.0, "Come closer"),
        (moved(), 120, 7.4, "Only 7 frames per second"),
        (None, 120, 30.0, ""),
    ],
)
def test_the_most_important_advice_is_given(
    person: Person | None, brightness: int, rate: float, words: str
) -> None:
    advice = framing_advice(result(person, brightness), BODY.joint_names, rate)
    assert words in advice
    assert bool(advice) == bool(words)
