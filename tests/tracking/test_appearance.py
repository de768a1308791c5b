"""Appearances tell people apart by their clothes, in different light and in different places."""

from __future__ import annotations

import numpy as np
import pytest

from pymaf_live.tracking.appearance import (
    Appearance,
    appearance_distance,
    blend_appearance,
    extract_appearance,
)
from pymaf_live.types import Image
from tests.tracking.synthetic_crossings import (
    BEIGE,
    BLACK,
    GREEN,
    JEANS,
    RED,
    WHITE,
    Walker,
    draw_people,
)

GREY = np.full((360, 640, 3), 120, np.uint8)
PERSON = Walker(lambda t: 200 + 50 * t, 220, RED, JEANS)


def appearance(
    person: Walker, time: float = 0.0, background: Image = GREY, light: float = 1.0
) -> Appearance:
    image = draw_people([person], time, background).astype(float) * light
    found = extract_appearance(np.clip(image, 0, 255).astype(np.uint8), person.keypoints(time))
    assert found is not None
    return found


def test_a_walking_person_keeps_their_appearance_before_any_background() -> None:
    busy = np.random.default_rng(1).integers(0, 255, GREY.shape, dtype=np.uint8)
    later = appearance(PERSON, time=3.3, background=busy)
    distance = appearance_distance(appearance(PERSON), later)
    assert distance is not None
    assert distance < 0.08


@pytest.mark.parametrize(
    ("shirt", "trousers"), [(GREEN, JEANS), (RED, BEIGE), (JEANS, RED), (WHITE, BLACK)]
)
def test_different_or_swapped_clothes_differ_more_than_different_light(
    shirt: tuple[int, int, int], trousers: tuple[int, int, int]
) -> None:
    other = Walker(PERSON.path, 220, shirt, trousers)
    different = appearance_distance(appearance(PERSON), appearance(other))
    same = appearance_distance(appearance(PERSON), appearance(PERSON, light=0.85))
    assert different is not None
    assert same is not None
    assert different > 0.12
    assert different > 2 * same


def test_regions_outside_the_image_are_not_compared() -> None:
    half_outside = Walker(lambda t: 200, 560, GREEN, RED)  # its legs are below the image
    image = draw_people([half_outside], 0.0, GREY)
    found = extract_appearance(image, half_outside.keypoints(0.0))
    assert found is not None
    assert 0 < found.visible.sum() < len(found.visible)
    outside = half_outside.keypoints(0.0) + np.array([2000, 0])
    assert extract_appearance(GREY, outside) is None


def test_blending_is_gradual_but_takes_over_new_regions_entirely() -> None:
    a, b = appearance(PERSON), appearance(Walker(PERSON.path, 220, WHITE, BLACK))
    blended = blend_appearance(a, b, 0.1)
    np.testing.assert_allclose(blended.colours, 0.9 * a.colours + 0.1 * b.colours)
    np.testing.assert_allclose(blended.colours.sum(axis=1), 1.0)
    visible = np.array([1.0, 1, 0, 1, 1])
    partial = Appearance(a.colours * visible[:, None], visible)
    np.testing.assert_allclose(blend_appearance(partial, b, 0.1).colours[2], b.colours[2])
