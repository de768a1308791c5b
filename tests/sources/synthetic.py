"""Small synthetic videos with known content, written with PyAV."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

CLOCK = Fraction(1, 90_000)


def frame_image(index: int, width: int = 64, height: int = 48) -> np.ndarray:
    """Return an image: red left half, blue right half, brightness by index."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, : width // 2, 0] = 100 + 10 * (index % 15)
    image[:, width // 2 :, 2] = 100 + 10 * (index % 15)
    return image


def write_video(
    path: Path,
    ticks: Sequence[int],
    *,
    size: tuple[int, int] = (64, 48),
    rotation: float | None = None,
    pixel_ratio: Fraction | None = None,
    sound: str | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Write frames at `ticks` of 1/90000 s; `sound` names the codec of a 440 Hz tone."""
    width, height = size
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream("libx264", rate=30, options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = stream.codec_context.time_base = CLOCK
        if pixel_ratio is not None:
            stream.codec_context.sample_aspect_ratio = pixel_ratio
        if rotation is not None:
            stream.set_display_rotation(rotation)
        tone = container.add_stream(sound, rate=48000) if sound else None
        if tone is not None:
            tone.codec_context.layout = "mono"
        for index, tick in enumerate(ticks):
            frame = av.VideoFrame.from_ndarray(frame_image(index, width, height), format="rgb24")
            frame.pts, frame.time_base = tick, CLOCK
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if tone is not None:
            seconds = ticks[-1] / 90_000 + 1.0  # one second longer than the images
            samples = np.sin(2 * np.pi * 440 * np.arange(int(seconds * 48000)) / 48000)
            resampler = av.AudioResampler(tone.codec_context.format, "mono", 48000)
            for start in range(0, len(samples), 1024):
                part = (samples[start : start + 1024] * 20000).astype(np.int16)[None]
                frame = av.AudioFrame.from_ndarray(part, format="s16", layout="mono")
                frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
                for resampled in resampler.resample(frame):
                    container.mux(tone.encode(resampled))
            container.mux(tone.encode(None))
    return path


def steady(count: int, rate: int = 30) -> list[int]:
    """Return the ticks of a video with a constant rate."""
    return [90_000 // rate * k for k in range(count)]
