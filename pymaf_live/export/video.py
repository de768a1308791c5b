"""Overlay video: H.264 at the source's size, with its exact times and its audio.

A transparent one is ProRes 4444 instead.
"""

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
from av.video.reformatter import (
    ColorPrimaries,
    ColorRange,
    Colorspace,
    ColorTrc,
    VideoReformatter,
)

from pymaf_live.errors import Interrupted, OutputError
from pymaf_live.export.audio_track import AudioTrack, NoAudioError
from pymaf_live.system.atomic_write import atomic_write
from pymaf_live.types import Image

TIME_BASE = Fraction(1, 90_000)
"""Exact for every common rate: 30000/1001, 25, 24, 50, 60 and so on."""
FALLBACK_RATE = Fraction(30)
ENCODER_THREADS = 2
"""The network needs the other cores."""
MAX_SIDE = 16_384
"""Limit of libx264, pixels."""


class OverlayVideo:
    """Writes an overlay video; the final file exists only once it is complete.

    As a context manager it finishes when the block succeeds and when the user stops the work
    (`Interrupted`, KeyboardInterrupt: the images added so far are then a complete video), and
    leaves no file after any other error.

    Parameters
    ----------
    path : Path
        The MP4 file.
    size : tuple of int
        Width, height of the images. Odd sizes are made even by repeating the last row or column,
        which H.264 at 4:2:0 requires.
    frame_rate : Fraction, optional
        Nominal rate, a hint for players; also determines how long the last image is shown.
    audio_from : Path, optional
        File whose audio is copied up to the end of the video, in sync with its own images. If it
        has no readable audio, the video is silent and `notice` says why.
    transparent : bool
        Write images with alpha, as ProRes 4444 in a MOV file.
    force : bool
        Replace an existing file.

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
        transparent: bool = False,
        force: bool = False,
    ) -> None:
        self._transparent = transparent
        self.notice = ""
        """Remark on what the video lacks and why; '' if nothing."""
        self._path = path
        self._size = size
        self._even_size = (size[0] + size[0] % 2, size[1] + size[1] % 2)
        if max(size) > MAX_SIDE or min(size) < 1:
            raise OutputError(
                f"an overlay video cannot be {size[0]}x{size[1]} pixels; the limit is {MAX_SIDE} "
                "per side"
            )
        rate = frame_rate if frame_rate is not None and frame_rate > 0 else FALLBACK_RATE
        self._interval = max(1, round(1 / (rate * TIME_BASE)))
        # kept: a new one for each image takes as long to set up as the conversion itself
        self._reformatter = VideoReformatter()
        self._last_pts = -1
        self._packet_count = 0
        self._open = True
        self._audio: AudioTrack | None = None
        self._stack = contextlib.ExitStack()
        with contextlib.ExitStack() as undo:
            undo.push(self._stack)
            self._temporary = self._stack.enter_context(atomic_write(path, force=force))
            with self._as_output_error():
                self._container = av.open(
                    f"file:{self._temporary}",
                    "w",
                    format="mov" if transparent else "mp4",
                    # index at the beginning, so that playback starts before the download ends
                    options={"movflags": "+faststart"},
                )
                # closed before the file is renamed, also after an error
                self._stack.callback(self._close_container)
                self._stream = self._add_stream(rate)
                if audio_from is not None:
                    self._audio = self._open_audio(audio_from)
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
        stopped = isinstance(error, (Interrupted, KeyboardInterrupt)) and self._last_pts >= 0
        if error is None or stopped:
            self.close()
        else:
            self.abort()

    def add(self, image: Image, time: float) -> None:
        """Add an image.

        Parameters
        ----------
        image : Image
            (H, W, 3) uint8 RGB of the video's size; (H, W, 4) with straight alpha if the video is
            transparent.
        time : float
            Presentation time in seconds from the start of the source's container, later than all
            before; exact to 1/90000 s.

        Raises
        ------
        OutputError
            If the operating system refuses to write.
        ValueError
            If the image has another size, or the time is not finite or negative.
        """
        if not self._open:
            raise ValueError("the video is closed")
        channels = 4 if self._transparent else 3
        if image.shape != (self._size[1], self._size[0], channels) or image.dtype != np.uint8:
            raise ValueError(f"an image of {image.shape} in a video of {self._size}")
        if not (math.isfinite(time) and time >= -1.0):
            raise ValueError(f"invalid presentation time: {time}")
        pts = max(round(time / TIME_BASE), self._last_pts + 1)
        self._last_pts = pts
        with self._as_output_error():
            self._mux(self._stream.encode(self._frame(image, pts)))
            if self._audio is not None:
                self._audio.write_until(pts * TIME_BASE)

    def close(self) -> None:
        """Finish the video and give it its final name.

        Also works after a part of the source. Does nothing if already closed.

        Raises
        ------
        OutputError
            If the operating system refuses to write, or no image was added.
        """
        if not self._open:
            return
        try:
            if self._last_pts < 0:
                raise OutputError(f"cannot write {self._path}: it has no images")
            with self._as_output_error():
                self._mux(self._stream.encode(None))
                if self._audio is not None:
                    self._audio.write_until((self._last_pts + self._interval) * TIME_BASE)
                    self._audio.finish()
                    self.notice = self._audio.notice
                self._container.close()
                self._verify()
        except BaseException:
            self.abort()
            raise
        self._open = False
        self._stack.close()

    def abort(self) -> None:
        """Discard the video. Does nothing if already closed."""
        if not self._open:
            return
        self._open = False
        aborted = _AbortedError()
        with contextlib.suppress(_AbortedError):
            if not self._stack.__exit__(_AbortedError, aborted, None):
                raise aborted

    def _add_stream(self, rate: Fraction) -> av.VideoStream:
        codec, pixels, options = (
            ("prores_ks", "yuva444p10le", {"profile": "4444", "alpha_bits": "8"})
            if self._transparent
            # no B-frames: with them the muxer computes the duration from decoding times, and
            # players cut videos of variable rate short
            else ("libx264", "yuv420p", {"preset": "superfast", "crf": "22", "bf": "0"})
        )
        stream = self._container.add_stream(codec, rate=rate, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = self._even_size
        stream.pix_fmt = pixels
        context = stream.codec_context
        # both, or the muxer rounds times to the nominal rate
        stream.time_base = TIME_BASE
        context.time_base = TIME_BASE
        context.thread_count = ENCODER_THREADS
        # explicit, because players guess the colour matrix from the size otherwise
        context.colorspace = Colorspace.ITU709
        context.color_range = ColorRange.MPEG
        context.color_primaries = ColorPrimaries.BT709
        context.color_trc = ColorTrc.BT709
        return stream

    def _frame(self, image: Image, pts: int) -> av.VideoFrame:
        if self._even_size != self._size:
            width, height = self._size
            padding = ((0, self._even_size[1] - height), (0, self._even_size[0] - width), (0, 0))
            image = np.pad(image, padding, mode="edge")
        rgb = av.VideoFrame.from_ndarray(
            np.ascontiguousarray(image), format="rgba" if self._transparent else "rgb24"
        )
        frame = self._reformatter.reformat(
            rgb,
            format="yuva444p10le" if self._transparent else "yuv420p",
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
            dst_colorspace=Colorspace.ITU709,
            threads=1,
        )
        frame.pts = pts
        frame.time_base = TIME_BASE
        frame.duration = self._interval
        return frame

    def _mux(self, packets: list[av.Packet[av.VideoStream]]) -> None:
        for packet in packets:
            self._container.mux(packet)
            self._packet_count += 1

    def _open_audio(self, path: Path) -> AudioTrack | None:
        try:
            return AudioTrack(path, self._container)
        except NoAudioError as error:
            self.notice = f"{self._path} has no audio: {error}"
            return None

    def _close_container(self) -> None:
        # after an error its own complaint would hide the cause
        with contextlib.suppress(av.error.FFmpegError, OSError, ValueError):
            self._container.close()
        if self._audio is not None:
            self._audio.close()

    def _verify(self) -> None:
        """Read the written file back, because FFmpeg does not report every failed write."""
        with av.open(f"file:{self._temporary}") as container:
            found = sum(packet.size > 0 for packet in container.demux(container.streams.video[0]))
        if found != self._packet_count:
            raise OutputError(f"cannot write {self._path}: only {found} images reached the disk")

    @contextlib.contextmanager
    def _as_output_error(self) -> Iterator[None]:
        try:
            yield
        except (av.error.FFmpegError, OSError) as error:
            reason = getattr(error, "strerror", None) or error
            raise OutputError(f"cannot write {self._path}: {reason}") from error


class _AbortedError(Exception):
    """Makes `atomic_write` discard the file."""
