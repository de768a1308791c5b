"""Preprocessing: from a frame to the network's input; shared with the trainer."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from pymaf_live.types import Crop, Image


class ImagePyramid:
    """A frame and its successive halves, for several crops; each level is computed on first use.

    Parameters
    ----------
    image : (H, W, 3) uint8 array
    """

    def __init__(self, image: Image) -> None:
        self.image = image
        self._levels = [image]

    def level(self, halvings: int) -> Image:
        """Return the frame halved `halvings` times."""
        while len(self._levels) <= halvings:
            last = self._levels[-1]
            self._levels.append(_half(last[: last.shape[0] // 2 * 2, : last.shape[1] // 2 * 2]))
        return self._levels[halvings]


def cut(image: Image | ImagePyramid, crop: Crop) -> Image:
    """Cut a crop out of a frame: bilinear, black outside the image.

    If the crop shrinks the frame by more than two, the frame is first halved by area averages as
    often as needed, since a single bilinear sample would skip pixels and alias.

    Parameters
    ----------
    image : (H, W, 3) uint8 array or ImagePyramid
        A pyramid saves time for several crops of one frame; the result is the same.
    crop : Crop

    Returns
    -------
    (size, size, 3) uint8 array
    """
    pyramid = image if isinstance(image, ImagePyramid) else None
    whole = pyramid.image if pyramid is not None else image
    assert isinstance(whole, np.ndarray)
    matrix = np.array(crop.frame_from_crop, dtype=np.float64)
    halvings = _halvings(crop.scale, min(whole.shape[:2]))
    block = 1 << halvings
    (left, top), (right, bottom) = _sampled_region(whole, crop, block)
    matrix[:, 2] -= (left * block, top * block)
    if pyramid is not None:
        source = pyramid.level(halvings)[top:bottom, left:right]
    else:
        source = whole[top * block : bottom * block, left * block : right * block]
        for _ in range(halvings):
            source = _half(source)
    for _ in range(halvings):
        # pixel centres at integers: x' = (x + 0.5) / 2 - 0.5
        matrix = matrix / 2
        matrix[:, 2] -= 0.25
    # OpenCV warps four channels in less than half the time of three
    warped = cv2.warpAffine(
        cv2.cvtColor(source, cv2.COLOR_RGB2RGBA),
        matrix,
        (crop.size, crop.size),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(0, 0, 0, 0),
    )
    return np.asarray(cv2.cvtColor(warped, cv2.COLOR_RGBA2RGB), dtype=np.uint8)


def _halvings(scale: float, shorter_side: int) -> int:
    """Return how often a frame is halved before it is cut; the shorter side keeps a pixel."""
    count = 0
    while scale >= 2 and shorter_side >= 2:
        count, scale, shorter_side = count + 1, scale / 2, shorter_side // 2
    return count


def _half(image: Image) -> Image:
    size = (image.shape[1] // 2, image.shape[0] // 2)
    half = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return np.asarray(half, dtype=np.uint8)


def _sampled_region(image: Image, crop: Crop, block: int) -> tuple[list[int], list[int]]:
    """Return the region of a frame that a crop samples: first x, y and end x, y, in blocks."""
    corners = np.array([[0, 0], [crop.size, 0], [0, crop.size], [crop.size, crop.size]])
    reached = crop.to_frame(corners)
    # whole blocks only: incomplete blocks at the right and bottom edge are not sampled
    limit = np.array([image.shape[1], image.shape[0]]) // block
    first = np.floor(np.clip(reached.min(axis=0) / block - 2, 0, limit - 1)).astype(int)
    end = np.ceil(np.clip(reached.max(axis=0) / block + 2, first + 1, limit)).astype(int)
    return first.tolist(), end.tolist()


def network_input(crops: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Convert crops (B, S, S, 3) uint8 to the network's input (B, 3, S, S) float32 in 0..1.

    The memory layout stays channels-last, as convolutions need it.
    """
    return np.multiply(crops, np.float32(1 / 255), dtype=np.float32).transpose(0, 3, 1, 2)
