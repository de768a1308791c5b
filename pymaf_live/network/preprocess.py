"""From a frame to what the network reads; shared with the trainer."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from pymaf_live.types import Crop, Image


def cut(image: Image, crop: Crop) -> Image:
    """Cut a crop out of a frame: bilinear, black outside the picture.

    Where the crop shrinks the frame by more than two, the frame is first halved by area means as
    often as needed, since one bilinear sample would skip pixels and alias.

    Parameters
    ----------
    image : (H, W, 3) uint8 array
    crop : Crop

    Returns
    -------
    (size, size, 3) uint8 array
    """
    matrix = np.array(crop.frame_from_crop, dtype=np.float64)
    scale = crop.scale
    while scale >= 2 and min(image.shape[:2]) >= 2:
        height, width = image.shape[0] // 2, image.shape[1] // 2
        image = cv2.resize(
            image[: height * 2, : width * 2], (width, height), interpolation=cv2.INTER_AREA
        ).astype(np.uint8, copy=False)
        # pixel centres at integers: x' = (x + 0.5) / 2 - 0.5
        matrix = matrix / 2
        matrix[:, 2] -= 0.25
        scale /= 2
    warped = cv2.warpAffine(
        image,
        matrix,
        (crop.size, crop.size),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(0, 0, 0),
    )
    return np.asarray(warped, dtype=np.uint8)


def network_input(cuts: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Crops (B, S, S, 3) uint8 to the network's input (B, 3, S, S) float32 in 0..1.

    In memory a pixel's three numbers stay together, as convolutions want them.
    """
    return np.multiply(cuts, np.float32(1 / 255), dtype=np.float32).transpose(0, 3, 1, 2)
