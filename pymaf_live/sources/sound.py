"""Sound of a video file, decoded by PyAV from any position."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

import av
import av.container
import av.error
import numpy as np
import numpy.typing as npt

SAMPLE_RATE = 48_000
"""Samples per second and channel that any sound is converted to."""
Samples = npt.NDArray[np.float32]
"""(N, 2) left and right, -1..1."""


class SoundTrack:
    """Sound of a file in blocks of stereo samples.

    Times are seconds from the start of the container, as those of `VideoSource`.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def blocks_from(self, seconds: float) -> Generator[tuple[float, Samples], None, None]:
        """Yield blocks from shortly before a time on, each with the time of its first sample.

        Ends at the end of the sound; without any block where the file has no sound that can be
        decoded. Damaged parts are left out.
        """
        try:
            # as in `VideoSource`: no name is read as a protocol, no playlist opens addresses
            container = av.open(
                f"file:{self._path}",
                options={"protocol_whitelist": "file"},
                metadata_errors="replace",
            )
        except (av.error.FFmpegError, OSError, ValueError):
            return
        with container:
            stream = next(
                (each for each in container.streams.audio if each.codec_context is not None), None
            )
            if stream is None:
                return
            start = (container.start_time or 0) / av.time_base
            if seconds > 0 and stream.time_base:
                try:
                    container.seek(int((seconds + start) / stream.time_base), stream=stream)
                except (av.error.FFmpegError, OSError):
                    return
            yield from _converted(_decoded(container, stream), start)


def _decoded(
    container: av.container.InputContainer, stream: av.AudioStream
) -> Iterator[av.AudioFrame]:
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.error.FFmpegError, OSError):
            return
        try:
            yield from stream.decode(packet)
        except (av.error.FFmpegError, OSError):
            continue


def _converted(
    frames: Iterator[av.AudioFrame], start: float
) -> Generator[tuple[float, Samples], None, None]:
    """Convert decoded frames; a frame in another format gets a converter of its own."""
    resampler: av.AudioResampler | None = None
    layout: tuple[str, str, int] | None = None
    for frame in frames:
        if frame.pts is None or frame.time_base is None:
            continue
        if layout != (frame.format.name, frame.layout.name, frame.sample_rate):
            layout = (frame.format.name, frame.layout.name, frame.sample_rate)
            resampler = av.AudioResampler(format="flt", layout="stereo", rate=SAMPLE_RATE)
        assert resampler is not None
        try:
            converted = resampler.resample(frame)
        except (av.error.FFmpegError, OSError, ValueError):
            layout = None
            continue
        for each in converted:
            if each.pts is None or each.time_base is None:
                continue
            seconds = float(each.pts * each.time_base) - start
            yield seconds, np.asarray(each.to_ndarray(), np.float32).reshape(-1, 2)
