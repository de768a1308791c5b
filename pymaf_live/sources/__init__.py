"""Sources of frames: videos, images, cameras and streams."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from pymaf_live.errors import InputError
from pymaf_live.sources.base import Source
from pymaf_live.sources.camera_address import is_camera
from pymaf_live.sources.paced import paced

__all__ = ["Source", "expand", "open_source", "paced"]

STREAM_SCHEMES = ("rtsp", "rtsps", "rtmp", "http", "https", "udp", "tcp", "srt")


def open_source(
    text: str,
    *,
    loop: bool = False,
    reconnect_forever: bool = False,
    image_rate: Fraction | None = None,
    insecure: bool = False,
) -> Source:
    """Open a source of frames by the text that a user enters.

    Cameras and streams wait for their first frame (up to 10 s), files read their first frame: do
    not call this in a thread that must stay responsive.

    Parameters
    ----------
    text : str
        A number or /dev/video* for a camera (``0@1280x720@30`` with a size and a rate), an
        address (rtsp://, http:// and others) for a stream, otherwise a video, an image, a folder of
        images, or a pattern such as ``shots/*.jpg`` or ``shots/%04d.png``. A file whose name looks
        like a pattern is opened as a file.
    loop : bool
        Start files again at their end, forever, with times that keep increasing. Cameras and
        streams have no end.
    reconnect_forever : bool
        Wait without limit for a camera or stream that has gone away; otherwise 30 seconds.
    image_rate : Fraction, optional
        Frames per second of a folder or pattern of images that are one video; otherwise they are
        separate images. Has no effect on other sources.
    insecure : bool
        Accept any certificate of an https or rtsps address.

    Raises
    ------
    InputError
        If the source does not exist or cannot be read.
    """
    # each kind imports its own decoder; an image should not wait for all of them
    if is_camera(text):
        from pymaf_live.sources.camera import CameraSource
        from pymaf_live.sources.live import RECONNECT_FOREVER, ReconnectPolicy

        return CameraSource(
            text, reconnect=RECONNECT_FOREVER if reconnect_forever else ReconnectPolicy()
        )
    scheme, separator, _ = text.partition("://")
    if separator and scheme.lower() in STREAM_SCHEMES:
        from pymaf_live.sources.live import RECONNECT_FOREVER, ReconnectPolicy
        from pymaf_live.sources.stream import open_stream

        policy = RECONNECT_FOREVER if reconnect_forever else ReconnectPolicy()
        return open_stream(text, loop=loop, reconnect=policy, insecure=insecure)
    if not text or "\0" in text:
        raise InputError("the name of the input is empty" if not text else "not a file name")
    path = Path(text)
    try:
        if path.is_dir():
            return _open_folder(path, loop, image_rate)
        if path.exists():
            return _open_file(path, loop)
    except OSError as error:
        raise InputError(f"cannot read {text}: {error.strerror or error}") from error
    from pymaf_live.sources.image_sequence import numbered_files

    numbered = numbered_files(text)
    if numbered is not None:
        if not numbered:
            raise InputError(f"no file matches {text}")
        return _open_images(numbered, text, loop, image_rate)
    if glob.has_magic(text):
        return _open_pattern(text, loop, image_rate)
    raise InputError(f"there is no file or folder {text}")


def expand(text: str) -> list[str]:
    """Return the sources that a pattern stands for, where the shell has not expanded it.

    Parameters
    ----------
    text : str
        Source as `open_source` accepts it.

    Returns
    -------
    list of str
        One text per file for a pattern that matches files other than images, in natural order;
        otherwise `text` itself, so that the images of a pattern stay one source.
    """
    if "://" in text or not glob.has_magic(text) or os.path.exists(text):
        return [text]
    from pymaf_live.sources.images import has_image_name, natural_order

    matches = sorted((Path(name) for name in glob.glob(text, recursive=True)), key=natural_order)
    if not matches or all(has_image_name(match) for match in matches):
        return [text]
    return [str(match) for match in matches]


def _open_file(path: Path, loop: bool) -> Source:
    from pymaf_live.sources.animation import AnimationSource, is_animation
    from pymaf_live.sources.images import ImagesSource, is_image_file
    from pymaf_live.sources.playlist import require_own_files
    from pymaf_live.sources.video import VideoSource

    if not path.is_file():
        raise InputError(f"{path} is not a regular file")
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    if not start:
        raise InputError(f"{path} is empty")
    require_own_files(path, start)
    if is_animation(path):
        return AnimationSource(path, loop=loop)
    if is_image_file(path, start):
        return ImagesSource([path], name=str(path), loop=loop)
    return VideoSource(path, loop=loop)


def _open_folder(path: Path, loop: bool, rate: Fraction | None) -> Source:
    from pymaf_live.sources.images import UNREADABLE_SUFFIXES, has_image_name, natural_order

    files = sorted(path.iterdir(), key=natural_order)
    images = [file for file in files if has_image_name(file)]
    skipped = [
        file
        for file in files
        if file.suffix.lower() in UNREADABLE_SUFFIXES and not file.name.startswith(".")
    ]
    if not images:
        named = f"; {skipped[0].name} is in a format that is not read" if skipped else ""
        raise InputError(f"there are no images in the folder {path}{named}")
    return _open_images(images, str(path), loop, rate, skipped)


def _open_pattern(text: str, loop: bool, rate: Fraction | None) -> Source:
    from pymaf_live.sources.images import has_image_name, natural_order

    files = [path for path in map(Path, glob.glob(text, recursive=True)) if path.is_file()]
    if not files:
        raise InputError(f"no file matches {text}")
    images = sorted(filter(has_image_name, files), key=natural_order)
    if images:
        return _open_images(images, text, loop, rate)
    if len(files) == 1:
        return _open_file(files[0], loop)
    raise InputError(f"{text} matches {len(files)} files that are not images; choose one of them")


def _open_images(
    images: Sequence[Path],
    name: str,
    loop: bool,
    rate: Fraction | None,
    skipped: Sequence[Path] = (),
) -> Source:
    if rate is not None:
        from pymaf_live.sources.image_sequence import ImageSequenceSource

        return ImageSequenceSource(images, rate, name=name, loop=loop)
    from pymaf_live.sources.images import ImagesSource

    return ImagesSource(images, name=name, loop=loop, several=True, skipped=skipped)
