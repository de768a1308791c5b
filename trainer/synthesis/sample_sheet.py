"""A contact sheet of a synthetic set, with its truth drawn, for a person to look at."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from pymaf_live.types import Image
from trainer.data.synthetic import SyntheticPeople, read_synthetic
from trainer.rendering.contact_sheet import write_sheet

_TILE = 240
# outside, hidden, visible
_COLOURS = ((120, 120, 120), (255, 70, 60), (70, 255, 80))


def write_synthetic_sheet(path: Path, folder: Path, count: int = 30) -> None:
    """Write a sheet of the first pictures of a set: key points and the crop's outline.

    Raises
    ------
    InputError
        If there is no such set.
    OutputError
        If the sheet cannot be written.
    """
    people = read_synthetic(folder)
    write_sheet(path, [_tile(people, row) for row in range(min(count, len(people)))], columns=6)


def _tile(people: SyntheticPeople, row: int) -> Image:
    picture, labels = people.image(row), people.table
    height, width = picture.shape[:2]
    scale = _TILE / max(height, width)
    tile = np.zeros((_TILE, _TILE, 3), np.uint8)
    small = cv2.resize(picture, (round(width * scale), round(height * scale)))
    tile[: small.shape[0], : small.shape[1]] = small
    points = (labels.keypoints[row] + 0.5) * scale - 0.5
    for (x, y), seen in zip(points.tolist(), labels.visibility[row].tolist(), strict=True):
        cv2.circle(tile, (round(x), round(y)), 2, _COLOURS[seen], -1, cv2.LINE_AA)
    crop, last = people.labels(row).crop, labels.crop_size - 1
    corners = crop.to_frame(np.array([[0, 0], [last, 0], [last, last], [0, last]], float))
    outline = np.round(((corners + 0.5) * scale - 0.5) * 16).astype(np.int32)
    cv2.polylines(tile, [outline], True, (255, 255, 255), 1, cv2.LINE_AA, 4)
    return tile
