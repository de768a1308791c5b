"""Laying a transparent sheet over a part of a picture."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from pymaf_live.types import Image


def lay_over(part: Image, sheet: npt.NDArray[np.uint8]) -> None:
    """Blend a sheet over a part of a picture, in place, once.

    Parameters
    ----------
    part : (h, w, 3) uint8 array
        RGB; changed.
    sheet : (h', w', 4) uint8 array
        RGBA, colours premultiplied by alpha; brought to the part's size first.
    """
    height, width = part.shape[:2]
    if sheet.shape[:2] != (height, width):
        finer = sheet.shape[0] > height
        way = cv2.INTER_AREA if finer else cv2.INTER_LINEAR
        sheet = np.asarray(cv2.resize(sheet, (width, height), interpolation=way), np.uint8)
    lasting = cv2.bitwise_not(cv2.extractChannel(sheet, 3))
    behind = cv2.multiply(part, cv2.merge([lasting] * 3), scale=1 / 255)
    np.copyto(part, cv2.add(behind, cv2.cvtColor(sheet, cv2.COLOR_RGBA2RGB)), casting="unsafe")
