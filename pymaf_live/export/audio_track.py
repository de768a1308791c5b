"""Audio track of an overlay video, copied from the source."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import av.container
import av.error

MP4_CODECS = frozenset({"aac", "mp3", "mp2", "ac3", "eac3", "opus", "flac", "alac"})
"""Codecs that players support inside MP4; any other is re-encoded as AAC."""

_MIN_SAMPLE_RATE, _MAX_SAMPLE_RATE = 8000, 48000


class NoAudioError(Exception):
    """The source has no usable audio; the message says why."""


class AudioTrack:
    """Audio of a source, written to a video as its time comes.

    Packets are copied where MP4 supports the codec and re-encoded as AAC otherwise.

    Parameters
    ----------
    path : Path
        The source.
    target : OutputContainer

    Raises
    ------
    NoAudioError
        If the source has no readable audio.
    """

    def __init__(self, path: Path, target: av.container.OutputContainer) -> None:
        self.notice = ""
        """Remark for the user, '' if the audio is complete."""
        self._name = path
        self._target = target
        self._last_dts: int | None = None
        try:
            self._source = av.open(
                f"file:{path}", options={"protocol_whitelist": "file"}, metadata_errors="replace"
            )
        except (av.error.FFmpegError, OSError) as error:
            raise NoAudioError(f"{path} cannot be read") from error
        try:
            self._input = self._first_readable_stream()
            # like the frames' times: relative to the earliest stream of the container
            self._start = Fraction(self._source.start_time or 0, av.time_base)
            self._resampler: av.AudioResampler | None = None
            codec = self._input.codec_context
            if codec.codec.canonical_name in MP4_CODECS:
                self._output = target.add_stream_from_template(self._input)
            else:
                rate = min(max(codec.sample_rate, _MIN_SAMPLE_RATE), _MAX_SAMPLE_RATE)
                self._output = target.add_stream("aac", rate=rate)
                layout = "mono" if codec.channels == 1 else "stereo"
                self._output.codec_context.layout = layout
                self._resampler = av.AudioResampler("fltp", layout, rate)
        except BaseException:
            self._source.close()
            raise
        self._packets = self._source.demux(self._input)
        self._pending: av.Packet[av.AudioStream] | None = None

    def write_until(self, end: Fraction) -> None:
        """Write the packets that start before `end`, in seconds of the source."""
        while (packet := self._next()) is not None:
            if self._time(packet) >= end:
                self._pending = packet
                return
            self._write(packet)

    def finish(self) -> None:
        """Flush the encoder, if there is one."""
        if self._resampler is not None:
            for frame in self._resampler.resample(None):
                self._target.mux(self._output.encode(frame))
            self._target.mux(self._output.encode(None))

    def close(self) -> None:
        """Close the source."""
        self._source.close()

    def _first_readable_stream(self) -> av.AudioStream:
        for stream in self._source.streams.audio:
            if stream.codec_context is not None and stream.time_base is not None:
                return stream
        raise NoAudioError(f"{self._name} has no readable audio")

    def _next(self) -> av.Packet[av.AudioStream] | None:
        if self._pending is not None:
            packet, self._pending = self._pending, None
            return packet
        while True:
            try:
                packet = next(self._packets)
            except StopIteration:
                return None
            except (av.error.FFmpegError, OSError):
                self.notice = f"the audio of {self._name} is damaged and ends early"
                return None
            # a packet without times is the empty one at the end, or cannot be placed
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
                return  # the muxer requires increasing times
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
