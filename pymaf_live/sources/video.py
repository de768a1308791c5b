"""Video files, decoded by PyAV with their own presentation times."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Generator, Iterator
from fractions import Fraction
from pathlib import Path

import av
import av.container
import av.error
import numpy as np
from av.video.reformatter import VideoReformatter

from pymaf_live.errors import InputError
from pymaf_live.sources.timestamps import RisingClock
from pymaf_live.system.cpu import available_cores
from pymaf_live.types import Frame, Image, SourceFacts

FALLBACK_RATE = Fraction(25)
COMMON_RATES = tuple(
    Fraction(rate) / slowed
    for rate in (24, 25, 30, 48, 50, 60, 100, 120, 240)
    for slowed in (Fraction(1), Fraction(1001, 1000))
)
SAME_RATE = Fraction(1, 10_000)
"""Headers round: 900000/30029 means 30000/1001. Common rates lie 1/1000 apart."""
MOST_PIXELS = 200_000_000
MOST_THREADS = 4
"""Each decoding thread holds pictures of its own; at 8K more of them cost gigabytes."""
CORES_A_THREAD = 2
"""Four threads take a third more of the processor for a picture than one does, and on two cores the
network wants it."""
LEAST_PIXEL_RATIO, GREATEST_PIXEL_RATIO = Fraction(1, 8), Fraction(8)
TEXT_ART = frozenset({"ansi", "bintext", "idf", "xbin"})
"""Codecs by which FFmpeg would show a text file as a film."""


class VideoSource:
    """A video file, or a finite video at an address.

    Times are presentation times in seconds from the start of the container (the earliest of its
    streams), so that picture and sound keep their distance. Frames are upright (the file's
    rotation applied), in square pixels, RGB. A file that is cut or damaged gives what can be
    decoded.

    Parameters
    ----------
    path : Path or str
        A file, or an address that FFmpeg reads.
    loop : bool
        Start again at the end, for ever, the times going on.
    name : str
        What to call it, if not by its path.

    Raises
    ------
    InputError
        If nothing in it can be decoded as video.
    """

    def __init__(self, path: Path | str, *, loop: bool = False, name: str = "") -> None:
        self._path = path
        self._name = name or str(path)
        self._loop = loop
        self._closed = threading.Event()
        self.failures: list[tuple[str, str]] = []
        self.notices: list[str] = []
        self._size = (0, 0)
        self._rotation = 0
        self._start = 0.0
        self.facts: SourceFacts = self._look()

    def frames(self) -> Iterator[Frame]:
        """Frames in order of presentation; see `Source.frames`."""
        interval = float(1 / (self.facts.frame_rate or FALLBACK_RATE))
        clock = RisingClock(interval)
        # a frame's own would be set up anew for every frame
        converter = VideoReformatter()
        index = 0
        while not self._closed.is_set():
            before = index
            for decoded in self._decoded(tell=index == 0):
                if self._closed.is_set():
                    return
                stamp = self._stamp(decoded)
                if index == before and index > 0:
                    clock.start_again(stamp if stamp is not None else 0.0)
                image = self._upright(decoded, converter)
                yield Frame(index, clock.time_of(stamp), image, arrived=time.monotonic())
                index += 1
            if index == before and not self._closed.is_set():
                raise InputError(f"nothing in {self._name} can be decoded any more")
            if not self._loop:
                return

    def frames_from(self, seconds: float) -> Generator[Frame, None, None]:
        """Frames from the last key picture at or before a time; their indices count from it.

        Times are the stamps as they are, as those of `frames()` in a file without disorder; frames
        without one are left out.
        """
        converter = VideoReformatter()
        with self._open() as container:
            stream = self._stream(container)
            if seconds > 0 and stream.time_base:
                try:
                    container.seek(int((seconds + self._start) / stream.time_base), stream=stream)
                except (av.error.FFmpegError, OSError):
                    # not to be sought in: from its start, then
                    container.close()
                    yield from self.frames_from(0.0)
                    return
            index = 0
            for decoded in self._frames_of(container, stream, tell=False):
                stamp = self._stamp(decoded)
                if stamp is None:
                    continue
                image = self._upright(decoded, converter)
                yield Frame(index, stamp, image, arrived=time.monotonic())
                index += 1

    def close(self) -> None:
        """End `frames()`."""
        # the container belongs to the thread that iterates: freeing it under a running decoder
        # would crash the process
        self._closed.set()

    def _look(self) -> SourceFacts:
        with self._open() as container:
            stream = self._stream(container)
            first = next(self._frames_of(container, stream, tell=False), None)
            if first is None:
                raise InputError(f"nothing in {self._name} can be decoded as video")
            self._rotation = round(first.rotation / 90) * 90 % 360
            self._size = _size_in_square_pixels(first, stream.sample_aspect_ratio)
            if math.prod(self._size) > MOST_PIXELS:
                raise InputError(f"{self._name} has larger pictures than can be handled")
            self._start = (container.start_time or 0) / av.time_base
            duration = _duration(container, stream)
            return SourceFacts(
                kind="video" if isinstance(self._path, Path) else "stream",
                name=self._name,
                size=self._size if self._rotation % 180 == 0 else self._size[::-1],
                frame_rate=_nominal_rate(stream.average_rate),
                frame_count=None if self._loop else stream.frames or None,
                duration=None if self._loop else duration,
                live=False,
                has_audio=bool(container.streams.audio),
                path=self._path if isinstance(self._path, Path) else None,
            )

    def _open(self) -> av.container.InputContainer:
        try:
            if isinstance(self._path, str):
                allowed = {"protocol_whitelist": "http,https,httpproxy,tcp,tls,crypto"}
                return av.open(self._path, options=allowed, timeout=10.0)
            # the prefix keeps a colon in a name from being read as a protocol, the whitelist keeps
            # a playlist that calls itself a film from opening addresses
            address = f"file:{self._path}"
            return av.open(address, options={"protocol_whitelist": "file"})
        except av.error.InvalidDataError as error:
            raise InputError(f"{self._name} is not a video, or its start or end is missing") from (
                error
            )
        except (av.error.FFmpegError, OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(f"cannot read {self._name}: {reason}") from error

    def _stream(self, container: av.container.InputContainer) -> av.VideoStream:
        for stream in container.streams.video:
            cover = bool(stream.disposition & stream.disposition.attached_pic)
            if stream.codec_context is not None and not cover:
                if stream.codec_context.name in TEXT_ART:
                    break
                coded = stream.codec_context.width * stream.codec_context.height
                if coded > MOST_PIXELS:
                    raise InputError(f"{self._name} has larger pictures than can be handled")
                stream.thread_type = "AUTO"
                stream.codec_context.thread_count = _decoding_threads()
                return stream
        raise InputError(f"{self._name} is not a video: it has no moving pictures")

    def _decoded(self, *, tell: bool) -> Iterator[av.VideoFrame]:
        with self._open() as container:
            yield from self._frames_of(container, self._stream(container), tell=tell)

    def _frames_of(
        self, container: av.container.InputContainer, stream: av.VideoStream, *, tell: bool
    ) -> Iterator[av.VideoFrame]:
        """Everything that decodes; what does not is passed over, and told once if `tell`."""
        damaged = 0
        packets = container.demux(stream)
        ended = False
        while not ended and not self._closed.is_set():
            try:
                packet = next(packets)
            except StopIteration:
                break
            except (av.error.FFmpegError, OSError):
                # the rest of the file is missing; what waits in the decoder is still good
                damaged += 1
                packet = None
            ended = packet is None or packet.size == 0  # an empty packet asks for the rest
            try:
                decoded = stream.decode(packet)
            except (av.error.FFmpegError, OSError):
                damaged += 1
                continue
            yield from decoded
        if damaged and tell:
            self.notices.append(f"{self._name} is damaged: {damaged} part(s) could not be read")

    def _stamp(self, frame: av.VideoFrame) -> float | None:
        if frame.pts is None or frame.time_base is None:
            return None
        return float(frame.pts * frame.time_base) - self._start

    def _upright(self, frame: av.VideoFrame, converter: VideoReformatter) -> Image:
        width, height = self._size
        # by one thread: it is quick, and others have work for the cores
        converted = converter.reformat(frame, width, height, "rgb24", threads=1)
        plain = np.asarray(converted.to_ndarray(), np.uint8)
        image = np.ascontiguousarray(np.rot90(plain, self._rotation // 90))
        image.flags.writeable = False
        return image


def _decoding_threads() -> int:
    return max(1, min(MOST_THREADS, available_cores() // CORES_A_THREAD))


def _size_in_square_pixels(frame: av.VideoFrame, ratio: Fraction | None) -> tuple[int, int]:
    """Width and height before the rotation, the width stretched by the pixels' own."""
    if ratio is None or ratio == 1 or not LEAST_PIXEL_RATIO <= ratio <= GREATEST_PIXEL_RATIO:
        return frame.width, frame.height
    return max(1, round(frame.width * ratio)), frame.height


def _nominal_rate(average: Fraction | None) -> Fraction:
    """The common rate that an average means, else the average as it is."""
    if average is None or not 0 < average <= 10_000:
        return FALLBACK_RATE
    for common in COMMON_RATES:
        if abs(average / common - 1) < SAME_RATE:
            return common
    return Fraction(average)


def _duration(container: av.container.InputContainer, stream: av.VideoStream) -> float | None:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return None if container.duration is None else container.duration / av.time_base
