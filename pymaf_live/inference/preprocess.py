"""From a frame to what the network reads; shared with the trainer."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from pymaf_live.types import Crop, Image


class Halved:
    """A frame halved for many crops: whole, once, each time as often as it is first wanted.

    Parameters
    ----------
    image : (H, W, 3) uint8 array
    """

    def __init__(self, image: Image) -> None:
        self.image = image
        self._levels = [image]

    def level(self, times: int) -> Image:
        """The frame halved so many times."""
        while len(self._levels) <= times:
            last = self._levels[-1]
            self._levels.append(_half(last[: last.shape[0] // 2 * 2, : last.shape[1] // 2 * 2]))
        return self._levels[times]


def cut(image: Image | Halved, crop: Crop) -> Image:
    """Cut a crop out of a frame: bilinear, black outside the picture.

    Where the crop shrinks the frame by more than two, the frame is first halved by area means as
    often as needed, since one bilinear sample would skip pixels and alias.

    Parameters
    ----------
    image : (H, W, 3) uint8 array or Halved
        The latter where several crops of one frame are wanted; what comes is the same.
    crop : Crop

    Returns
    -------
    (size, size, 3) uint8 array
    """
    shared = image if isinstance(image, Halved) else None
    whole = shared.image if shared is not None else image
    assert isinstance(whole, np.ndarray)
    matrix = np.array(crop.frame_from_crop, dtype=np.float64)
    halvings = _halvings(crop.scale, min(whole.shape[:2]))
    block = 1 << halvings
    (left, top), (right, bottom) = _region(whole, crop, block)
    matrix[:, 2] -= (left * block, top * block)
    if shared is not None:
        read = shared.level(halvings)[top:bottom, left:right]
    else:
        read = whole[top * block : bottom * block, left * block : right * block]
        for _ in range(halvings):
            read = _half(read)
    for _ in range(halvings):
        # pixel centres at integers: x' = (x + 0.5) / 2 - 0.5
        matrix = matrix / 2
        matrix[:, 2] -= 0.25
    # OpenCV warps four channels in less than half of the time that three take
    warped = cv2.warpAffine(
        cv2.cvtColor(read, cv2.COLOR_RGB2RGBA),
        matrix,
        (crop.size, crop.size),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(0, 0, 0, 0),
    )
    return np.asarray(cv2.cvtColor(warped, cv2.COLOR_RGBA2RGB), dtype=np.uint8)


def _halvings(scale: float, shorter: int) -> int:
    """How often a frame is halved before it is cut; its shorter side keeps a pixel."""
    count = 0
    while scale >= 2 and shorter >= 2:
        count, scale, shorter = count + 1, scale / 2, shorter // 2
    return count


def _half(image: Image) -> Image:
    size = (image.shape[1] // 2, image.shape[0] // 2)
    half = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return np.asarray(half, dtype=np.uint8)


def _region(image: Image, crop: Crop, block: int) -> tuple[list[int], list[int]]:
    """The part of a frame that a crop reads, in blocks of pixels: first x, y and those behind."""
    ends = np.array([[0, 0], [crop.size, 0], [0, crop.size], [crop.size, crop.size]])
    reached = crop.to_frame(ends)
    # whole blocks of the frame: of the last ones, which are not whole, nothing is read
    most = np.array([image.shape[1], image.shape[0]]) // block
    first = np.floor(np.clip(reached.min(axis=0) / block - 2, 0, most - 1)).astype(int)
    last = np.ceil(np.clip(reached.max(axis=0) / block + 2, first + 1, most)).astype(int)
    return first.tolist(), last.tolist()


def network_input(cuts: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Crops (B, S, S, 3) uint8 to the network's input (B, 3, S, S) float32 in 0..1.

    In memory a pixel's three numbers stay together, as convolutions want them.
    """
    return np.multiply(cuts, np.float32(1 / 255), dtype=np.float32).transpose(0, 3, 1, 2)
