"""People on pictures and in mirrors are recognised as what they may be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pymaf_live.body import Body, default_body
from pymaf_live.takes.doubles import pictures_in, reflections_in
from pymaf_live.takes.take import Take
from pymaf_live.workflows.doubles import notices_about_doubles
from tests.helpers.take import make_take, moving_limbs, standing, walking_past

TIMES = np.arange(45) / 30
FLIP = np.diag([-1.0, 1.0, 1.0])


@pytest.fixture(scope="module")
def body() -> Body:
    return default_body()


def other_side(body: Body) -> list[int]:
    swap = {"left": "right", "right": "left"}
    sides = [name.split("_", 1) for name in body.joint_names]
    return [
        body.joint_names.index("_".join([swap.get(each[0], each[0]), *each[1:]])) for each in sides
    ]


def scene(body: Body, second: np.ndarray) -> Take:
    return make_take(
        body,
        TIMES,
        {1: moving_limbs(body, TIMES), 2: second},
        {1: walking_past(TIMES), 2: walking_past(TIMES, 2.0)},
    )


def reflected(body: Body, mirror: np.ndarray) -> np.ndarray:
    """Return the rotations of the first person's reflection in a mirror (3, 3)."""
    rotations = moving_limbs(body, TIMES)
    image = FLIP @ rotations[:, other_side(body)] @ FLIP
    image[:, 0] = mirror @ rotations[:, 0] @ FLIP
    return image


@pytest.mark.parametrize("axis", [0, 2], ids=["beside", "behind"])
def test_a_reflection_is_recognised(body: Body, axis: int) -> None:
    mirror = np.eye(3)
    mirror[axis, axis] = -1.0
    take = scene(body, reflected(body, mirror))
    assert reflections_in(take) == [(1, 2)]
    assert any("people 1 and 2" in line for line in notices_about_doubles(take))


def test_people_who_do_the_same_or_something_else_are_no_reflections(body: Body) -> None:
    assert reflections_in(scene(body, moving_limbs(body, TIMES))) == []
    assert reflections_in(scene(body, moving_limbs(body, TIMES + 0.4))) == []


def test_only_a_person_who_never_moves_is_a_picture(body: Body) -> None:
    places = np.tile([1.0, 0.0, 4.0], (len(TIMES), 1))
    swaying = places + 0.004 * np.sin(3 * TIMES)[:, None] * [1, 0, 0]
    for where, expected in ((places, [2]), (swaying, [])):
        take = make_take(
            body,
            TIMES,
            {1: moving_limbs(body, TIMES), 2: standing(body, len(TIMES))},
            {1: walking_past(TIMES), 2: where},
        )
        assert pictures_in(take) == expected
        assert len(notices_about_doubles(take)) == len(expected)
        panned = replace(take, camera_motion=np.tile([0.0, 0, 0, 1], (len(TIMES), 1)))
        assert pictures_in(panned) == []


def test_a_take_without_people_has_no_doubles(body: Body) -> None:
    assert notices_about_doubles(make_take(body, TIMES, {}, {})) == []
