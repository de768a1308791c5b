"""What a take keeps of a person in a frame, column by column."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from pymaf_live.body.rotations import axis_angle_from_rotation
from pymaf_live.errors import InputError
from pymaf_live.types import Camera, Person

_LARGEST_DENOMINATOR = 1001
"""Of a measured frame rate: 30000/1001 is the oddest in use."""


def row_type(joints: int, shapes: int) -> np.dtype[np.void]:
    """One row as a packed record: everything of a `Person` but the frame, some 1 kB.

    Parameters
    ----------
    joints, shapes : int
        J and S of the body.
    """
    return np.dtype(
        [
            ("person", "<i8"),
            ("pose", "<f4", (joints, 3)),
            ("shape", "<f4", (shapes,)),
            ("translation", "<f4", (3,)),
            ("joints", "<f4", (joints, 3)),
            ("joints_2d", "<f4", (joints, 2)),
            ("box", "<f4", (4,)),
            ("score", "<f4"),
            ("joint_score", "<f4", (joints,)),
            ("predicted", "?"),
        ]
    )


def row_of(person: Person) -> dict[str, npt.ArrayLike]:
    """The columns of a person."""
    return {
        "person": person.id,
        "pose": axis_angle_from_rotation(person.rotations),
        "shape": person.shape,
        "translation": person.translation,
        "joints": person.joints,
        "joints_2d": person.joints_2d,
        "box": person.box,
        "score": person.score,
        "joint_score": person.joint_score,
        "predicted": person.predicted,
    }


def rows_of(people: tuple[Person, ...], row: np.dtype[np.void]) -> npt.NDArray[np.void]:
    """(R,) records of people in one frame."""
    rows = np.zeros(len(people), row)
    for index, person in enumerate(people):
        for name, value in row_of(person).items():
            rows[name][index] = value
    return rows


def require_same_size(name: str, before: Camera, now: Camera) -> None:
    """Refuse a frame of another size: but for separate pictures, a take has one camera.

    Raises
    ------
    InputError
    """
    if now.size != before.size:
        raise InputError(
            f"{name} changes its size from {before.size[0]}x{before.size[1]} to "
            f"{now.size[0]}x{now.size[1]}; a take holds frames of one size"
        )


def measured_rate(times: npt.NDArray[np.floating[Any]]) -> Fraction:
    """Frames a second by the stamps (F,), as the rational that they are near."""
    if len(times) < 2:
        return Fraction(1)
    rate = 1 / float(np.median(np.diff(times)))
    # rates are near whole numbers or near 1000/1001 of them; anything else is rounded noise
    for whole in (Fraction(round(rate)), Fraction(round(rate * 1.001) * 1000, 1001)):
        if whole > 0 and abs(float(whole) - rate) < 2e-4 * rate:
            return whole
    return max(Fraction(rate).limit_denominator(_LARGEST_DENOMINATOR), Fraction(1, 1000))
