"""Alpha blending of a rendered layer over part of an image."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from pymaf_live.types import Image


def alpha_blend(region: Image, layer: npt.NDArray[np.uint8]) -> None:
    """Blend a layer over an image region, in place.

    Parameters
    ----------
    region : (h, w, 3) uint8 array
        RGB; changed.
    layer : (h', w', 4) uint8 array
        RGBA, colours premultiplied by alpha; resized to the region first.
    """
    height, width = region.shape[:2]
    if layer.shape[:2] != (height, width):
        shrinks = layer.shape[0] > height
        interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        resized = cv2.resize(layer, (width, height), interpolation=interpolation)
        layer = np.asarray(resized, np.uint8)
    transparency = cv2.bitwise_not(cv2.extractChannel(layer, 3))
    background = cv2.multiply(region, cv2.merge([transparency] * 3), scale=1 / 255)
    blended = cv2.add(background, cv2.cvtColor(layer, cv2.COLOR_RGBA2RGB))
    np.copyto(region, blended, casting="unsafe")
