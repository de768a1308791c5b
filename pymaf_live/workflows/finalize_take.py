"""From a recording to a kept take, and the pictures that lie under it when it is looked at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from pymaf_live.errors import InputError
from pymaf_live.takes.editing import trim_of
from pymaf_live.takes.journal import read_journal
from pymaf_live.takes.library import JOURNAL, StoredTake, TakeEntry, TakeLibrary
from pymaf_live.takes.playback import camera_at, people_at
from pymaf_live.takes.take import Take
from pymaf_live.types import Array, Camera, Image

if TYPE_CHECKING:
    from pymaf_live.body import Body
    from pymaf_live.sources.random_access import FilmPictures, FolderPictures
    from pymaf_live.takes.pictures import CopiedPictures

_GROUND = (38, 41, 46)
"""What lies under the body where the picture is not there any more."""
_THUMBNAIL = 192
"""Pixels of a thumbnail's longer side."""

Progress = Callable[[float], None]
"""Is told which part of the work is done, 0..1."""


class TakePictures(Protocol):
    """The pictures of a take, any one at any time; from one thread."""

    def picture(self, frame: int) -> Image | None:
        """The picture (H, W, 3) of a frame of the take; None where it is not there."""

    def close(self) -> None:
        """Let go of files."""


def smoothed_take(raw: Take, body: Body, strength: float) -> Take:
    """A measured take smoothed off-line, with the edits of `raw`; pictures stay as they are.

    Raises
    ------
    InputError
        If it was made with another body.
    """
    if raw.picture_name or not len(raw.frame) or strength <= 0:
        return raw
    from pymaf_live.motion import smooth_offline

    return smooth_offline(raw, body, strength)


def keep_recording(
    library: TakeLibrary, take: str, body: Body | None, strength: float, progress: Progress
) -> TakeEntry:
    """Make the take of a recording in the library, smoothed off-line; the recording then goes.

    Parameters
    ----------
    library : TakeLibrary
    take : str
        Its id, as `TakeLibrary.begin` gave it.
    body : Body, optional
        The recording's own, found among those at hand, by default.
    strength : float
        Of the smoothing, 0..1; 0 leaves the measurements as they are.
    progress : callable

    Raises
    ------
    InputError
        If there is nothing in the recording.
    OutputError
        If the take cannot be written; the recording stays.
    """
    progress(0.0)
    raw = read_journal(library.folder(take) / JOURNAL).take
    progress(0.15)
    if body is None:
        from pymaf_live.body.registry import body_by_hash

        body = body_by_hash(raw.body_sha256)
    smoothed = smoothed_take(raw, body, strength)
    progress(0.75)
    about = library.about(take)
    thumbnail = b""
    try:
        pictures = open_pictures(raw, about.file, library.pictures(take))
        try:
            thumbnail = thumbnail_of(smoothed, body, pictures)
        finally:
            if pictures is not None:
                pictures.close()
    except InputError:
        pass  # a take without a picture of it is still a take
    progress(0.85)
    entry = library.save(take, StoredTake(about, smoothed, raw), thumbnail)
    progress(1.0)
    return entry


def open_pictures(take: Take, file: Path | None, copy: Path | None) -> TakePictures | None:
    """The pictures that a take was made of: its file's if that is there, else the small copy.

    Returns
    -------
    TakePictures or None
        None where there are none any more.
    """
    from pymaf_live.sources.random_access import FilmPictures, FolderPictures
    from pymaf_live.takes.pictures import CopiedPictures

    times = take.frame_time if take.file_time is None else take.file_time
    if file is not None and file.exists():
        try:
            if take.picture_name:
                return _OfFolder(FolderPictures(file), take.picture_name)
            return _AtTimes(FilmPictures(file), times)
        except InputError:
            pass
    if copy is not None:
        try:
            return _AtTimes(CopiedPictures(copy), take.frame_time)
        except InputError:
            pass
    return None


def in_frame_size(image: Image, size: tuple[int, int]) -> Image:
    """A picture, perhaps a small copy, in the size (width, height) that the take's pixels mean."""
    if image.shape[1::-1] == size:
        return image
    import cv2

    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def ground(size: tuple[int, int]) -> Image:
    """A plain picture of a size (width, height), for under the body."""
    # one pixel seen everywhere: a take of an 8K film need not have its picture in memory
    pixel = np.array(_GROUND, dtype=np.uint8)
    return np.broadcast_to(pixel, (size[1], size[0], 3))


def scaled_camera(camera: Camera, size: tuple[int, int]) -> Camera:
    """The camera of the same view in pictures of another size."""
    scale = np.array(size) / np.array(camera.size)
    return Camera(
        camera.focal_length * float(scale[0]), (camera.principal_point + 0.5) * scale - 0.5, size
    )


def thumbnail_of(take: Take, body: Body, pictures: TakePictures | None) -> bytes:
    """A small JPEG of a take's middle, with the body over it."""
    from pymaf_live.rendering import open_overlay
    from pymaf_live.takes.pictures import small_jpeg

    first, last = trim_of(take)
    frame = (first + last) // 2
    inside = (take.frame >= first) & (take.frame <= last)
    if inside.any():
        # the frame with somebody that is nearest to the middle
        frames = take.frame[inside]
        frame = int(frames[np.argmin(np.abs(frames - frame))])
    camera = camera_at(take, frame)
    picture = pictures.picture(frame) if pictures is not None else None
    width, height = camera.size
    scale = _THUMBNAIL / max(width, height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    image = ground(size) if picture is None else _resized(picture, size)
    people = people_at(take, frame)
    if people:
        overlay = open_overlay(body, size, "cpu")  # GL belongs to the window
        try:
            image = overlay.draw(image, people, scaled_camera(camera, size))
        finally:
            overlay.close()
    return small_jpeg(image, _THUMBNAIL)


def _resized(image: Image, size: tuple[int, int]) -> Image:
    import cv2

    step = max(1, min(image.shape[1] // (2 * size[0]), image.shape[0] // (2 * size[1])))
    thin = np.ascontiguousarray(image[::step, ::step])
    return np.asarray(cv2.resize(thin, size, interpolation=cv2.INTER_AREA), np.uint8)


class _AtTimes:
    def __init__(self, pictures: FilmPictures | CopiedPictures, times: Array) -> None:
        self._pictures = pictures
        self._times = times

    def picture(self, frame: int) -> Image | None:
        return self._pictures.at(float(self._times[frame]))

    def close(self) -> None:
        self._pictures.close()


class _OfFolder:
    def __init__(self, pictures: FolderPictures, names: tuple[str, ...]) -> None:
        self._pictures = pictures
        self._names = names

    def picture(self, frame: int) -> Image | None:
        return self._pictures.named(self._names[frame])

    def close(self) -> None:
        self._pictures.close()
