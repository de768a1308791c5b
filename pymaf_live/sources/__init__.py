"""Where frames come from: videos, pictures, cameras, streams."""

from __future__ import annotations

import glob
from pathlib import Path

from pymaf_live.errors import InputError
from pymaf_live.sources.base import Source
from pymaf_live.sources.camera_address import is_camera
from pymaf_live.sources.paced import paced

__all__ = ["Source", "expand", "open_source", "paced"]

STREAM_SCHEMES = ("rtsp", "rtsps", "rtmp", "http", "https", "udp", "tcp", "srt")


def open_source(text: str, *, loop: bool = False, for_ever: bool = False) -> Source:
    """Open a source of frames by what a user types.

    Cameras and streams are opened and wait for their first frame (up to 10 s), files read their
    first frame: do not call this in a thread that must stay responsive.

    Parameters
    ----------
    text : str
        A number or /dev/video* for a camera (``0@1280x720@30`` with a size and a rate), an
        address (rtsp://, http:// and the like) for a stream, else a video file, a picture, a
        folder of pictures or a pattern such as ``shots/*.jpg``. A file that is called like a
        pattern is taken as the file.
    loop : bool
        Start files again at their end, for ever, with times that go on rising. Cameras and
        streams have no end.
    for_ever : bool
        A camera or stream that has been there and goes away is waited for without end; otherwise
        30 seconds.

    Raises
    ------
    InputError
        If there is nothing to be read there.
    """
    # each kind brings its own decoder, and a picture should not wait for all of them to load
    if is_camera(text):
        from pymaf_live.sources.camera import CameraSource
        from pymaf_live.sources.live import FOR_EVER, Patience

        return CameraSource(text, patience=FOR_EVER if for_ever else Patience())
    scheme, separator, _ = text.partition("://")
    if separator and scheme.lower() in STREAM_SCHEMES:
        from pymaf_live.sources.live import FOR_EVER, Patience
        from pymaf_live.sources.stream import open_stream

        return open_stream(text, loop=loop, patience=FOR_EVER if for_ever else Patience())
    if not text or "\0" in text:
        raise InputError("the name of the input is empty" if not text else "not a file name")
    path = Path(text)
    try:
        if path.is_dir():
            return _open_folder(path, loop)
        if path.exists():
            return _open_file(path, loop)
    except OSError as error:
        raise InputError(f"cannot read {text}: {error.strerror or error}") from error
    if glob.has_magic(text):
        return _open_pattern(text, loop)
    raise InputError(f"there is no file or folder {text}")


def expand(text: str) -> list[str]:
    """The sources that a pattern stands for, where the shell has not opened it.

    Parameters
    ----------
    text : str
        What `open_source` takes.

    Returns
    -------
    list of str
        A pattern that matches other files than pictures becomes one text a file, in natural
        order; everything else stays as it is, so the pictures of a pattern stay one source.
    """
    if "://" in text or not glob.has_magic(text) or Path(text).exists():
        return [text]
    from pymaf_live.sources.images import has_image_name, natural_order

    matches = sorted((Path(name) for name in glob.glob(text, recursive=True)), key=natural_order)
    if not matches or all(has_image_name(match) for match in matches):
        return [text]
    return [str(match) for match in matches]


def _open_file(path: Path, loop: bool) -> Source:
    from pymaf_live.sources.images import ImagesSource, is_image_file
    from pymaf_live.sources.video import VideoSource

    if not path.is_file():
        raise InputError(f"{path} is not a plain file")
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    if not start:
        raise InputError(f"{path} is empty")
    if is_image_file(path, start):
        return ImagesSource([path], name=str(path), loop=loop)
    return VideoSource(path, loop=loop)


def _open_folder(path: Path, loop: bool) -> Source:
    from pymaf_live.sources.images import ImagesSource, has_image_name, natural_order

    pictures = sorted((p for p in path.iterdir() if has_image_name(p)), key=natural_order)
    if not pictures:
        raise InputError(f"there are no pictures in the folder {path}")
    return ImagesSource(pictures, name=str(path), loop=loop, several=True)


def _open_pattern(text: str, loop: bool) -> Source:
    from pymaf_live.sources.images import ImagesSource, has_image_name, natural_order

    files = [path for path in map(Path, glob.glob(text, recursive=True)) if path.is_file()]
    if not files:
        raise InputError(f"no file matches {text}")
    pictures = sorted(filter(has_image_name, files), key=natural_order)
    if pictures:
        return ImagesSource(pictures, name=text, loop=loop, several=True)
    if len(files) == 1:
        return _open_file(files[0], loop)
    raise InputError(f"{text} matches {len(files)} files that are no pictures; name one of them")
