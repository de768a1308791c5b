"""The overlay video: H.264 at the source's size, at its exact times, with its sound."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import av.container
import av.error
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

from pymaf_live.errors import Interrupted, OutputError
from pymaf_live.system.atomic_write import atomic_write
from pymaf_live.types import Image

TIME_BASE = Fraction(1, 90_000)
"""Fine enough for every common rate to be exact: 30000/1001, 25, 24, 50, 60 and their like."""
FALLBACK_RATE = Fraction(30)
ENCODER_THREADS = 2
"""The network needs the other cores."""
MOST_SIDE = 16_384
"""Of libx264."""
FITS_MP4 = frozenset({"aac", "mp3", "mp2", "ac3", "eac3", "opus", "flac", "alac"})
"""Sound that players expect inside MP4; any other is encoded as AAC."""


class OverlayVideo:
    """Writes an overlay video; nothing stands under its name until it is complete.

    As a context manager it finishes when the block ends well and when the user stops the work
    (`Interrupted`, KeyboardInterrupt: what was added so far is then a complete video), and leaves
    no file after any other error.

    Parameters
    ----------
    path : Path
        The MP4 file.
    size : tuple of int
        Width, height of the pictures. Odd sizes are made even by repeating the last row or column,
        as H.264 at 4:2:0 asks for.
    frame_rate : Fraction, optional
        Nominal rate, as a hint to players and for how long the last picture is shown.
    audio_from : Path, optional
        A file whose sound is taken over, packet by packet and up to the end of the video, at the
        times it has beside its own pictures. A file without sound, or whose sound cannot be read,
        gives a silent video and a line in `notice`.
    force : bool
        Whether an existing file may be replaced.

    Raises
    ------
    OutputError
        If the file exists and `force` is false, or cannot be written.
    """

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        frame_rate: Fraction | None,
        audio_from: Path | None = None,
        *,
        force: bool = False,
    ) -> None:
        self.notice = ""
        """What the video is without and why; empty when all is well."""
        self._path = path
        self._size = size
        self._even = (size[0] + size[0] % 2, size[1] + size[1] % 2)
        if max(size) > MOST_SIDE or min(size) < 1:
            raise OutputError(f"a video cannot be {size[0]}x{size[1]} pixels; use --no-overlay")
        rate = frame_rate if frame_rate is not None and frame_rate > 0 else FALLBACK_RATE
        self._interval = max(1, round(1 / (rate * TIME_BASE)))
        self._last = -1
        self._packets = 0
        self._open = True
        self._sound: _Sound | None = None
        self._stack = contextlib.ExitStack()
        with contextlib.ExitStack() as undo:
            undo.push(self._stack)
            self._temporary = self._stack.enter_context(atomic_write(path, force=force))
            with self._told_as_output_error():
                self._container = av.open(
                    f"file:{self._temporary}",
                    "w",
                    format="mp4",
                    # the index in front, so that the film starts before all of it has arrived
                    options={"movflags": "+faststart"},
                )
                # called before the file gets its name, also after an error
                self._stack.callback(self._close_container)
                self._stream = self._add_stream(rate)
                if audio_from is not None:
                    self._sound = self._open_sound(audio_from)
                self._container.start_encoding()
            undo.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None or isinstance(error, (Interrupted, KeyboardInterrupt)):
            if error is None or self._last >= 0:
                self.close()
            else:
                self.abort()
        else:
            self.abort()

    def add(self, image: Image, time: float) -> None:
        """Add a picture.

        Parameters
        ----------
        image : Image
            (H, W, 3) uint8 RGB of the size given.
        time : float
            Presentation time in seconds from the start of the source's container, later than all
            before; kept to 1/90000 s.

        Raises
        ------
        OutputError
            If the system refuses to write.
        ValueError
            If the picture has another size or the time is no finite time from 0 on.
        """
        if not self._open:
            raise ValueError("the video is closed")
        if image.shape != (self._size[1], self._size[0], 3) or image.dtype != np.uint8:
            raise ValueError(f"a picture of {image.shape} in a video of {self._size}")
        if not (math.isfinite(time) and time >= -1.0):
            raise ValueError(f"no presentation time: {time}")
        stamp = max(round(time / TIME_BASE), self._last + 1)
        self._last = stamp
        with self._told_as_output_error():
            self._mux(self._stream.encode(self._frame(image, stamp)))
            if self._sound is not None:
                self._sound.write_until(stamp * TIME_BASE)

    def close(self) -> None:
        """Finish: what was added is now a complete video under the final name.

        Also after part of a source. Does nothing when closed already.

        Raises
        ------
        OutputError
            If the system refuses to write, or nothing was added.
        """
        if not self._open:
            return
        try:
            if self._last < 0:
                raise OutputError(f"no picture was given for {self._path}")
            with self._told_as_output_error():
                self._mux(self._stream.encode(None))
                if self._sound is not None:
                    self._sound.write_until((self._last + self._interval) * TIME_BASE)
                    self._sound.finish()
                    self.notice = self._sound.notice
                self._container.close()
                self._check()
        except BaseException:
            self.abort()
            raise
        self._open = False
        self._stack.close()

    def abort(self) -> None:
        """Stop without a file. Does nothing when closed already."""
        if not self._open:
            return
        self._open = False
        aborted = _AbortedError()
        with contextlib.suppress(_AbortedError):
            if not self._stack.__exit__(_AbortedError, aborted, None):
                raise aborted

    def _add_stream(self, rate: Fraction) -> av.VideoStream:
        stream = self._container.add_stream(
            "libx264",
            rate=rate,
            # no B-frames: with them the muxer counts the film's length in decoding times, and
            # players cut a film of variable rate short
            options={"preset": "veryfast", "crf": "20", "bf": "0"},
        )
        stream.width, stream.height = self._even
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        # both, or the muxer rounds times to the nominal rate
        stream.time_base = TIME_BASE
        context.time_base = TIME_BASE
        context.thread_count = ENCODER_THREADS
        # stated, because players take a film without it for one or the other matrix by its size
        context.colorspace = Colorspace.ITU709
        context.color_range = ColorRange.MPEG
        context.color_primaries = ColorPrimaries.BT709
        context.color_trc = ColorTrc.BT709
        return stream

    def _frame(self, image: Image, stamp: int) -> av.VideoFrame:
        if self._even != self._size:
            width, height = self._size
            padding = ((0, self._even[1] - height), (0, self._even[0] - width), (0, 0))
            image = np.pad(image, padding, mode="edge")
        rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        frame = rgb.reformat(
            format="yuv420p",
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
            dst_colorspace=Colorspace.ITU709,
        )
        frame.pts = stamp
        frame.time_base = TIME_BASE
        frame.duration = self._interval
        return frame

    def _mux(self, packets: list[av.Packet[av.VideoStream]]) -> None:
        for packet in packets:
            self._container.mux(packet)
            self._packets += 1

    def _open_sound(self, path: Path) -> _Sound | None:
        try:
            return _Sound(path, self._container)
        except _NoSoundError as error:
            self.notice = f"{self._path} has no sound: {error}"
            return None

    def _close_container(self) -> None:
        # on the way out of an error its own complaint would hide the cause
        with contextlib.suppress(av.error.FFmpegError, OSError, ValueError):
            self._container.close()
        if self._sound is not None:
            self._sound.close()

    def _check(self) -> None:
        """Read the written file again: FFmpeg does not tell of every failed write."""
        with av.open(f"file:{self._temporary}") as container:
            found = sum(packet.size > 0 for packet in container.demux(container.streams.video[0]))
        if found != self._packets:
            raise OutputError(f"cannot write {self._path}: only {found} pictures reached the disk")

    @contextlib.contextmanager
    def _told_as_output_error(self) -> Iterator[None]:
        try:
            yield
        except (av.error.FFmpegError, OSError) as error:
            reason = getattr(error, "strerror", None) or error
            raise OutputError(f"cannot write {self._path}: {reason}") from error


class _AbortedError(Exception):
    """Tells `atomic_write` that the block did not end well."""


class _NoSoundError(Exception):
    """Why there is nothing to take over."""


class _Sound:
    """The sound of a source, written beside the video as its time comes."""

    def __init__(self, path: Path, target: av.container.OutputContainer) -> None:
        self.notice = ""
        self._name = path
        self._target = target
        self._last_dts: int | None = None
        try:
            self._source = av.open(f"file:{path}", options={"protocol_whitelist": "file"})
        except (av.error.FFmpegError, OSError) as error:
            raise _NoSoundError(f"{path} cannot be read") from error
        try:
            self._input = self._choose()
            # as the sources do: times count from the earliest stream of the container
            self._start = Fraction(self._source.start_time or 0, av.time_base)
            self._resampler: av.AudioResampler | None = None
            if self._input.codec_context.codec.canonical_name in FITS_MP4:
                self._output = target.add_stream_from_template(self._input)
            else:
                rate = min(max(self._input.codec_context.sample_rate, 8000), 48000)
                self._output = target.add_stream("aac", rate=rate)
                layout = "mono" if self._input.codec_context.channels == 1 else "stereo"
                self._output.codec_context.layout = layout
                self._resampler = av.AudioResampler("fltp", layout, rate)
        except BaseException:
            self._source.close()
            raise
        self._packets = self._source.demux(self._input)
        self._waiting: av.Packet[av.AudioStream] | None = None

    def write_until(self, end: Fraction) -> None:
        """Write the packets that start before `end`, in seconds of the source."""
        while (packet := self._next()) is not None:
            if self._time(packet) >= end:
                self._waiting = packet
                return
            self._write(packet)

    def finish(self) -> None:
        """Write what waits in the encoder, if there is one."""
        if self._resampler is not None:
            for frame in self._resampler.resample(None):
                self._target.mux(self._output.encode(frame))
            self._target.mux(self._output.encode(None))

    def close(self) -> None:
        self._source.close()

    def _choose(self) -> av.AudioStream:
        for stream in self._source.streams.audio:
            if stream.codec_context is not None and stream.time_base is not None:
                return stream
        raise _NoSoundError(f"{self._name} has none that can be read")

    def _next(self) -> av.Packet[av.AudioStream] | None:
        if self._waiting is not None:
            packet, self._waiting = self._waiting, None
            return packet
        while True:
            try:
                packet = next(self._packets)
            except StopIteration:
                return None
            except (av.error.FFmpegError, OSError):
                self.notice = f"the sound of {self._name} is damaged and ends early"
                return None
            # without a decoding time it is the empty packet at the end, or cannot be placed
            if packet.dts is not None and packet.pts is not None:
                return packet

    def _time(self, packet: av.Packet[av.AudioStream]) -> Fraction:
        assert packet.pts is not None
        return packet.pts * packet.time_base - self._start

    def _write(self, packet: av.Packet[av.AudioStream]) -> None:
        assert packet.pts is not None
        assert packet.dts is not None
        shift = round(self._start / packet.time_base)
        if self._resampler is None:
            if self._last_dts is not None and packet.dts <= self._last_dts:
                return  # the muxer takes rising times only
            self._last_dts = packet.dts
            packet.pts -= shift
            packet.dts -= shift
            packet.stream = self._output
            self._target.mux(packet)
            return
        try:
            decoded = packet.decode()
        except (av.error.FFmpegError, OSError):
            return
        for frame in decoded:
            if frame.pts is not None:
                frame.pts -= shift
            for resampled in self._resampler.resample(frame):
                self._target.mux(self._output.encode(resampled))
