"""Rows of a take: the values stored for one person in one frame."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from pymaf_live.body.rotations import axis_angle_from_rotation
from pymaf_live.errors import InputError
from pymaf_live.types import Camera, Person

ROW_COLUMNS: tuple[tuple[str, str, tuple[str | int, ...]], ...] = (
    ("person", "i8", ()),
    ("pose", "f4", ("J", 3)),
    ("shape", "f4", ("S",)),
    ("translation", "f4", (3,)),
    ("joints", "f4", ("J", 3)),
    ("joints_2d", "f4", ("J", 2)),
    ("box", "f4", (4,)),
    ("score", "f4", ()),
    ("joint_score", "f4", ("J",)),
    ("predicted", "?", ()),
)
"""Name, dtype and shape of each value of a row; J joints, S shape coefficients."""
ROW_NAMES = ("frame", *(name for name, _, _ in ROW_COLUMNS))
"""Attributes of a `Take` with one entry per row."""

_MAX_DENOMINATOR = 1001
"""Largest denominator of a measured frame rate; 30000/1001 is the most unusual rate in use."""


def row_dtype(joints: int, shapes: int) -> np.dtype[np.void]:
    """Return the packed record type of a row, about 1 kB.

    Parameters
    ----------
    joints, shapes : int
        J and S of the body.
    """
    sizes = {"J": joints, "S": shapes}
    fields = []
    for name, kind, dimensions in ROW_COLUMNS:
        shape = tuple(sizes[d] if isinstance(d, str) else d for d in dimensions)
        fields.append((name, kind if kind == "?" else f"<{kind}", shape))
    return np.dtype(fields)


def rows_from_people(people: Sequence[Person], dtype: np.dtype[np.void]) -> npt.NDArray[np.void]:
    """Return (R,) records of the people in one frame.

    Parameters
    ----------
    people : sequence of Person
    dtype : dtype
        From `row_dtype`.
    """
    rows = np.zeros(len(people), dtype)
    for index, person in enumerate(people):
        for name, _, _ in ROW_COLUMNS:
            rows[name][index] = _value(person, name)
    return rows


def _value(person: Person, name: str) -> Any:
    if name == "person":
        return person.id
    if name == "pose":
        return axis_angle_from_rotation(person.rotations)
    return getattr(person, name)


def require_same_size(name: str, first: Camera, current: Camera) -> None:
    """Refuse a frame whose size differs: except for separate images, a take has one camera.

    Raises
    ------
    InputError
    """
    if current.size != first.size:
        raise InputError(
            f"{name} changes its size from {first.size[0]}x{first.size[1]} to "
            f"{current.size[0]}x{current.size[1]}; all frames of a take must have the same size"
        )


def measured_rate(times: npt.NDArray[np.floating[Any]]) -> Fraction:
    """Return the frame rate of time stamps (F,) in seconds as the nearest common rational."""
    if len(times) < 2:
        return Fraction(1)
    rate = 1 / float(np.median(np.diff(times)))
    # rates are near whole numbers or near 1000/1001 of them; anything else is rounding noise
    for whole in (Fraction(round(rate)), Fraction(round(rate * 1.001) * 1000, 1001)):
        if whole > 0 and abs(float(whole) - rate) < 2e-4 * rate:
            return whole
    return max(Fraction(rate).limit_denominator(_MAX_DENOMINATOR), Fraction(1, 1000))
