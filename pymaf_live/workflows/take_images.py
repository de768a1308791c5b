"""Images of a take's source, at any frame: from the source's file or from the stored copy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from pymaf_live.errors import InputError
from pymaf_live.takes.take import Take
from pymaf_live.types import Array, Image

if TYPE_CHECKING:
    from pymaf_live.sources.random_access import ImageFolder, VideoFrames
    from pymaf_live.takes.image_copies import ImageCopies

_BACKGROUND = (38, 41, 46)
"""Color under the body where the image is missing."""


class TakeImages(Protocol):
    """Images of a take in any order; used by one thread."""

    def image(self, frame: int) -> Image | None:
        """Return the image (H, W, 3) of a frame of the take; None where it is missing."""

    def close(self) -> None:
        """Close the files."""


def open_take_images(take: Take, file: Path | None, copies: Path | None) -> TakeImages | None:
    """Open the images that a take was made of.

    Parameters
    ----------
    take : Take
    file : Path or None
        File or folder of the source; preferred, as it has the full size.
    copies : Path or None
        Small copies stored beside a camera's take (`TakeLibrary.image_copies`).

    Returns
    -------
    TakeImages or None
        None where neither can be read.
    """
    from pymaf_live.sources.random_access import ImageFolder, VideoFrames
    from pymaf_live.takes.image_copies import ImageCopies

    times = take.frame_time if take.file_time is None else take.file_time
    if file is not None and file.exists():
        try:
            if take.picture_name:
                return _ByName(ImageFolder(file), take.picture_name)
            return _ByTime(VideoFrames(file), times)
        except InputError:
            pass
    if copies is not None:
        try:
            return _ByTime(ImageCopies(copies), take.frame_time)
        except InputError:
            pass
    return None


def resized_to_frame(image: Image, size: tuple[int, int]) -> Image:
    """Return an image, such as a small copy, in the frame size (width, height) of the take."""
    if image.shape[1::-1] == size:
        return image
    import cv2

    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def plain_background(size: tuple[int, int]) -> Image:
    """Return a plain image of a size (width, height), to draw the body on."""
    # one pixel, broadcast: even an 8K image needs no memory
    pixel = np.array(_BACKGROUND, dtype=np.uint8)
    return np.broadcast_to(pixel, (size[1], size[0], 3))


class _ByTime:
    def __init__(self, images: VideoFrames | ImageCopies, times: Array) -> None:
        self._images = images
        self._times = times

    def image(self, frame: int) -> Image | None:
        return self._images.at(float(self._times[frame]))

    def close(self) -> None:
        self._images.close()


class _ByName:
    def __init__(self, images: ImageFolder, names: tuple[str, ...]) -> None:
        self._images = images
        self._names = names

    def image(self, frame: int) -> Image | None:
        return self._images.named(self._names[frame])

    def close(self) -> None:
        self._images.close()
