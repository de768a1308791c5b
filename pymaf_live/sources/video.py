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
from pymaf_live.sources.timestamps import PresentationClock, describe_corrections
from pymaf_live.sources.tls import ffmpeg_options
from pymaf_live.sources.tone_mapping import ToneMapper, tone_mapper
from pymaf_live.system.cpu import available_cores
from pymaf_live.types import Frame, Image, SourceFacts

FALLBACK_RATE = Fraction(25)
COMMON_RATES = tuple(
    Fraction(rate) / slowed
    for rate in (24, 25, 30, 48, 50, 60, 100, 120, 240)
    for slowed in (Fraction(1), Fraction(1001, 1000))
)
RATE_TOLERANCE = Fraction(1, 10_000)
"""Headers round: 900000/30029 means 30000/1001. Common rates differ by at least 1/1000."""
_MAX_RATE_RATIO = 8
"""Factor between a stream's coded and average rate above which the average is wrong."""
MAX_FRAME_BYTES = 600_000_000
"""Size of a decoded frame: 200 megapixels of RGB, fewer of deeper formats."""
MAX_THREADS = 4
"""Each decoding thread buffers its own frames; at 8K more threads cost gigabytes."""
CORES_PER_THREAD = 2
"""Four threads take a third more CPU time per frame than one; on two cores the network needs it."""
MIN_PIXEL_RATIO, MAX_PIXEL_RATIO = Fraction(1, 8), Fraction(8)
TEXT_ART = frozenset({"ansi", "bintext", "idf", "xbin"})
"""Codecs with which FFmpeg would render a text file as a video."""


class VideoSource:
    """Video file, or finite video at an address.

    Times are presentation times in seconds from the start of the container (the earliest of its
    streams), so that image and sound stay in sync. Frames are upright (the file's rotation is
    applied), with square pixels, RGB. Of a truncated or damaged file everything is read that can be
    decoded.

    Parameters
    ----------
    path : Path or str
        File, or address that FFmpeg reads.
    loop : bool
        Start again at the end, forever; times keep increasing.
    name : str
        Name of the source; the path by default.
    insecure : bool
        Accept any certificate of an https address.

    Raises
    ------
    InputError
        If nothing in the file can be decoded as video.
    """

    def __init__(
        self, path: Path | str, *, loop: bool = False, name: str = "", insecure: bool = False
    ) -> None:
        self._path = path
        self._name = name or str(path)
        self._loop = loop
        self._insecure = insecure
        self._closed = threading.Event()
        self.failures: list[tuple[str, str]] = []
        self.notices: list[str] = []
        self._size = (0, 0)
        self._rotation = 0
        self._tone_mapper: ToneMapper | None = None
        self._start = 0.0
        self.facts: SourceFacts = self._inspect()

    def frames(self) -> Iterator[Frame]:
        """Yield frames in the order of presentation; see `Source.frames`."""
        interval = float(1 / (self.facts.frame_rate or FALLBACK_RATE))
        clock = PresentationClock(interval)
        # PyAV would otherwise set up a converter for every frame
        converter = VideoReformatter()
        index = 0
        while not self._closed.is_set():
            before = index
            decoded = self._decoded(report_damage=index == 0)
            for frame, seconds in clock.times(self._stamped(decoded, clock)):
                if self._closed.is_set():
                    return
                image = self._upright(frame, converter)
                yield Frame(index, seconds, image, arrived=time.monotonic())
                index += 1
            corrections = describe_corrections(clock)
            if corrections and before == 0:
                self.notices.append(f"{self._name}: {corrections}")
            if index == before and not self._closed.is_set():
                raise InputError(f"nothing more in {self._name} can be decoded")
            if not self._loop:
                return

    def _stamped(
        self, frames: Iterator[av.VideoFrame], clock: PresentationClock
    ) -> Iterator[tuple[av.VideoFrame, float | None]]:
        """Yield frames with their stamps; the first one continues an earlier pass."""
        first = True
        for frame in frames:
            stamp = self._stamp(frame)
            if first:
                clock.restart(stamp or 0.0)
            first = False
            yield frame, stamp

    def frames_from(self, seconds: float) -> Generator[Frame, None, None]:
        """Yield frames from the last key frame at or before a time; indices count from it.

        Times are the unmodified time stamps, equal to those of `frames()` in a file whose stamps
        are in order; frames without a stamp are skipped.
        """
        converter = VideoReformatter()
        with self._open() as container:
            stream = self._stream(container)
            if seconds > 0 and stream.time_base:
                try:
                    container.seek(int((seconds + self._start) / stream.time_base), stream=stream)
                except (av.error.FFmpegError, OSError):
                    # the file cannot be seeked: start at its beginning
                    container.close()
                    yield from self.frames_from(0.0)
                    return
            index = 0
            for decoded in self._frames_of(container, stream, report_damage=False):
                stamp = self._stamp(decoded)
                if stamp is None:
                    continue
                image = self._upright(decoded, converter)
                yield Frame(index, stamp, image, arrived=time.monotonic())
                index += 1

    def again(self) -> VideoSource | None:
        """Return a new source of the same video."""
        return VideoSource(self._path, loop=self._loop, name=self._name)

    def close(self) -> None:
        """End `frames()`."""
        # the container belongs to the thread that iterates: closing it under a running decoder
        # would crash the process
        self._closed.set()

    def _inspect(self) -> SourceFacts:
        with self._open() as container:
            stream = self._stream(container)
            first = next(self._frames_of(container, stream, report_damage=False), None)
            if first is None:
                raise InputError(f"nothing in {self._name} can be decoded as video")
            self._tone_mapper = tone_mapper(int(first.color_trc), int(first.color_primaries))
            self._rotation = round(first.rotation / 90) * 90 % 360
            self._size = _size_in_square_pixels(first, stream.sample_aspect_ratio)
            if 3 * math.prod(self._size) > MAX_FRAME_BYTES:
                raise InputError(f"{self._name} has larger frames than can be processed")
            self._start = (container.start_time or 0) / av.time_base
            duration = _duration(container, stream)
            return SourceFacts(
                kind="video" if isinstance(self._path, Path) else "stream",
                name=self._name,
                size=self._size if self._rotation % 180 == 0 else self._size[::-1],
                frame_rate=_stream_rate(stream, stamped=first.pts is not None),
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
                allowed |= ffmpeg_options(insecure=self._insecure)
                return av.open(self._path, options=allowed, timeout=10.0, metadata_errors="replace")
            # the prefix keeps a colon in a name from being read as a protocol; the whitelist keeps
            # a playlist disguised as a video from opening addresses
            address = f"file:{self._path}"
            return av.open(
                address, options={"protocol_whitelist": "file"}, metadata_errors="replace"
            )
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
                if _frame_bytes(stream.codec_context) > MAX_FRAME_BYTES:
                    raise InputError(f"{self._name} has larger frames than can be processed")
                # a later frame may be larger than the header says
                stream.codec_context.options = {"max_pixels": str(MAX_FRAME_BYTES // 3)}
                stream.thread_type = "AUTO"
                stream.codec_context.thread_count = _decoding_threads()
                return stream
        raise InputError(f"{self._name} is not a video: it has no video stream")

    def _decoded(self, *, report_damage: bool) -> Iterator[av.VideoFrame]:
        with self._open() as container:
            yield from self._frames_of(
                container, self._stream(container), report_damage=report_damage
            )

    def _frames_of(
        self, container: av.container.InputContainer, stream: av.VideoStream, *, report_damage: bool
    ) -> Iterator[av.VideoFrame]:
        """Yield everything that can be decoded undamaged; report damage if `report_damage`."""
        damaged = left_out = 0
        packets = container.demux(stream)
        ended = False
        while not ended and not self._closed.is_set():
            try:
                packet = next(packets)
            except StopIteration:
                break
            except (av.error.FFmpegError, OSError):
                # the rest of the file is missing; frames buffered in the decoder are still good
                damaged += 1
                packet = None
            if packet is not None and packet.is_corrupt:
                damaged += 1  # something of it may be decoded all the same
            ended = packet is None or packet.size == 0  # an empty packet flushes the decoder
            try:
                decoded = stream.decode(packet)
            except (av.error.FFmpegError, OSError):
                damaged += 1
                continue
            for frame in decoded:
                if frame.is_corrupt:  # the decoder filled what was missing with something
                    left_out += 1
                else:
                    yield frame
        if report_damage:
            self._report_damage(damaged, left_out)

    def _report_damage(self, parts: int, frames: int) -> None:
        found = []
        if parts:
            found.append(f"{parts} part(s) could not be read")
        if frames:
            found.append(
                f"{frames} broken frame(s) were left out; those after them may be affected"
            )
        if found:
            self.notices.append(f"{self._name} is damaged: {', '.join(found)}")

    def _stamp(self, frame: av.VideoFrame) -> float | None:
        if frame.pts is None or frame.time_base is None:
            return None
        return float(frame.pts * frame.time_base) - self._start

    def _upright(self, frame: av.VideoFrame, converter: VideoReformatter) -> Image:
        width, height = self._size
        # one thread: it is fast, and the cores are needed elsewhere
        mapper = self._tone_mapper
        pixels = "rgb24" if mapper is None else "rgb48le"
        values = converter.reformat(frame, width, height, pixels, threads=1).to_ndarray()
        if mapper is None:
            plain = np.asarray(values, np.uint8)
        else:
            plain = mapper(np.asarray(values, np.uint16))
        image = np.ascontiguousarray(np.rot90(plain, self._rotation // 90))
        image.flags.writeable = False
        return image


def _frame_bytes(context: av.VideoCodecContext) -> int:
    """Return the size of a decoded frame or of its RGB image, whichever is larger."""
    pixels = context.width * context.height
    pixel_format = context.format
    if pixel_format is None:
        return 4 * pixels
    # per component and pixel; subsampled chroma counts in full, as the image will be RGB
    sample = max((component.bits for component in pixel_format.components), default=8)
    return pixels * max(3, len(pixel_format.components)) * (2 if sample > 8 else 1)


def _decoding_threads() -> int:
    return max(1, min(MAX_THREADS, available_cores() // CORES_PER_THREAD))


def _size_in_square_pixels(frame: av.VideoFrame, ratio: Fraction | None) -> tuple[int, int]:
    """Return width and height before the rotation, the width scaled by the pixel aspect ratio."""
    if ratio is None or ratio == 1 or not MIN_PIXEL_RATIO <= ratio <= MAX_PIXEL_RATIO:
        return frame.width, frame.height
    return max(1, round(frame.width * ratio)), frame.height


def _stream_rate(stream: av.VideoStream, *, stamped: bool) -> Fraction:
    """Return the nominal rate of a stream.

    The average is frames by duration. Without time stamps, as in a raw H.264 stream, it is only
    FFmpeg's default of 25; where the stamps jump it is far too low. The codec's own timing
    information is right then.
    """
    average, coded = stream.average_rate, stream.guessed_rate
    if coded and (not average or not stamped or average * _MAX_RATE_RATIO < coded):
        average = coded
    return _nominal_rate(average)


def _nominal_rate(average: Fraction | None) -> Fraction:
    """Return the common rate nearest to an average rate, or the average itself."""
    if average is None or not 0 < average <= 10_000:
        return FALLBACK_RATE
    for common in COMMON_RATES:
        if abs(average / common - 1) < RATE_TOLERANCE:
            return common
    return Fraction(average)


def _duration(container: av.container.InputContainer, stream: av.VideoStream) -> float | None:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return None if container.duration is None else container.duration / av.time_base
