"""Looks tell people apart by their clothes and stay what they are in other light and place."""

from __future__ import annotations

import numpy as np
import pytest

from pymaf_live.tracking.appearance import Look, blended, look_of, unlikeness
from pymaf_live.types import Image
from tests.tracking.synthetic_crossings import (
    BEIGE,
    BLACK,
    GREEN,
    JEANS,
    RED,
    WHITE,
    Walker,
    picture,
)

GREY = np.full((360, 640, 3), 120, np.uint8)
DRESSED = Walker(lambda t: 200 + 50 * t, 220, RED, JEANS)


def look(person: Walker, time: float = 0.0, background: Image = GREY, light: float = 1.0) -> Look:
    image = picture([person], time, background).astype(float) * light
    found = look_of(np.clip(image, 0, 255).astype(np.uint8), person.keypoints(time))
    assert found is not None
    return found


def test_one_person_looks_alike_while_walking_before_other_things() -> None:
    busy = np.random.default_rng(1).integers(0, 255, GREY.shape, dtype=np.uint8)
    alike = unlikeness(look(DRESSED), look(DRESSED, time=3.3, background=busy))
    assert alike is not None
    assert alike < 0.08


@pytest.mark.parametrize(
    ("shirt", "trousers"), [(GREEN, JEANS), (RED, BEIGE), (JEANS, RED), (WHITE, BLACK)]
)
def test_other_clothes_look_different_and_so_do_the_same_ones_swapped(
    shirt: tuple[int, int, int], trousers: tuple[int, int, int]
) -> None:
    other = Walker(DRESSED.path, 220, shirt, trousers)
    different = unlikeness(look(DRESSED), look(other))
    same = unlikeness(look(DRESSED), look(DRESSED, light=0.85))
    assert different is not None
    assert same is not None
    assert different > 0.12
    assert different > 2 * same


def test_what_lies_outside_the_picture_is_not_compared() -> None:
    half_out = Walker(lambda t: 200, 560, GREEN, RED)  # its legs are below the picture
    found = look_of(picture([half_out], 0.0, GREY), half_out.keypoints(0.0))
    assert found is not None
    assert 0 < found.seen.sum() < len(found.seen)
    gone = half_out.keypoints(0.0) + np.array([2000, 0])
    assert look_of(GREY, gone) is None


def test_looks_are_learnt_slowly_and_a_part_not_seen_before_at_once() -> None:
    one, other = look(DRESSED), look(Walker(DRESSED.path, 220, WHITE, BLACK))
    little = blended(one, other, 0.1)
    np.testing.assert_allclose(little.colours, 0.9 * one.colours + 0.1 * other.colours)
    np.testing.assert_allclose(little.colours.sum(axis=1), 1.0)
    hidden = Look(one.colours * np.array([[1], [1], [0], [1], [1]]), np.array([1.0, 1, 0, 1, 1]))
    np.testing.assert_allclose(blended(hidden, other, 0.1).colours[2], other.colours[2])
