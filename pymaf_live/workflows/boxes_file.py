"""Boxes file: JSON with the boxes of people, validated before the work starts."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pymaf_live.errors import InputError
from pymaf_live.system.regular_file import open_regular
from pymaf_live.types import Array

_MAX_BYTES = 64 << 20
_MAX_BOXES = 64
"""Boxes in one frame."""
_MAX_COORDINATE = 1_000_000.0
"""Pixels; far beyond any image that can be read."""


def read_boxes(path: Path) -> dict[str, Array]:
    """Read a boxes file: ``{image name or frame index: [[x0, y0, x1, y1], ...]}``.

    Parameters
    ----------
    path : Path
        JSON; pixels of the upright image, one box per person.

    Returns
    -------
    dict
        (N, 4) float64 by image name, or by frame index as text.

    Raises
    ------
    InputError
        If the file cannot be read, has another form, or contains invalid boxes.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(f"the boxes file {path} is too large")
        with open_regular(path) as file:
            content = json.loads(file.read(), parse_constant=_refuse_constant)
    except OSError as error:
        raise InputError(f"cannot read the boxes file {path}: {error.strerror or error}") from error
    except _NotFiniteError as error:
        raise InputError(f"the boxes file {path}: {error} is not a coordinate") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"the boxes file {path} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise InputError(
            f'the boxes file {path} must be an object such as {{"a.jpg": [[x0, y0, x1, y1]]}}'
        )
    return {key: _boxes_of(value, f"{path}: {key!r}") for key, value in content.items()}


def require_known_names(
    boxes: Mapping[str, Array], path: Path, names: Collection[str], frames: int | None
) -> None:
    """Check that every box belongs to one of the inputs.

    Parameters
    ----------
    boxes : mapping
        From `read_boxes`.
    path : Path
        The boxes file, for the error message.
    names : collection of str
        File names of the images of all inputs.
    frames : int or None
        Frames of the longest input; None if unknown.

    Raises
    ------
    InputError
        For the first box that does not.
    """
    for key in boxes:
        if key in names:
            continue
        index = int(key) if key.isdecimal() and key.isascii() and len(key) < 12 else None
        if index is None:
            raise InputError(f"the boxes file {path} names {key!r}, which is not among the inputs")
        if frames is not None and index >= frames:
            raise InputError(
                f"the boxes file {path} has boxes for frame {index}; the input has {frames} frames"
            )


class _NotFiniteError(ValueError):
    pass


def _refuse_constant(text: str) -> float:
    raise _NotFiniteError(text)


def _boxes_of(value: Any, where: str) -> Array:
    if not isinstance(value, list) or len(value) > _MAX_BOXES:
        raise InputError(f"{where} must be a list of at most {_MAX_BOXES} boxes")
    for box in value:
        if (
            not isinstance(box, list)
            or len(box) != 4
            or not all(isinstance(number, (int, float)) for number in box)
            or any(isinstance(number, bool) for number in box)
        ):
            raise InputError(f"{where} must be a list of boxes of four numbers: x0, y0, x1, y1")
        if not all(abs(number) <= _MAX_COORDINATE for number in box):
            raise InputError(f"{where} has a box with coordinates out of range")
        if not (box[2] > box[0] and box[3] > box[1]):
            raise InputError(f"{where} has an empty box; it needs x1 > x0 and y1 > y0")
    boxes = np.asarray(value, dtype=np.float64).reshape(-1, 4)
    if len(np.unique(boxes, axis=0)) < len(boxes):
        raise InputError(f"{where} has the same box twice; each person needs a separate box")
    return boxes
