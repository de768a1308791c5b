"""Random colours, periodic noise and cloth patterns; all colours are linear."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pymaf_live.types import Array, Image
from trainer.rendering.renderer import linear_from_srgb

Floats = npt.NDArray[np.float32]

TILE = 256
"""Pixels a side of noise and patterns."""
_GREY_SHARE = 0.42


def linear_colour(srgb: Array) -> Floats:
    """Return the linear colour of sRGB values 0..255 of any shape."""
    return np.asarray(linear_from_srgb(np.clip(srgb, 0, 255) / 255.0), dtype=np.float32)


def random_colour(rng: np.random.Generator) -> Floats:
    """Return a linear colour (3,) for cloth and furniture: grey and dark more often than bright."""
    if rng.random() < _GREY_SHARE:
        grey = rng.choice([rng.uniform(8, 70), rng.uniform(70, 190), rng.uniform(190, 252)])
        return linear_colour(grey + rng.normal(0, 5, 3))
    hue = rng.uniform(0, 6)
    saturation, value = rng.uniform(0.15, 0.95), rng.uniform(0.12, 0.95)
    offsets = np.abs((hue + np.array([0.0, 4.0, 2.0])) % 6 - 3) - 1
    return linear_colour(255 * value * (1 - saturation * (1 - np.clip(offsets, 0, 1))))


def muted_colour(rng: np.random.Generator) -> Floats:
    """Return a linear colour (3,) for rooms and furniture: white, grey, wood and pale tints."""
    draw = rng.random()
    if draw < 0.12:
        return random_colour(rng)
    if draw < 0.35:  # wood, leather, cardboard
        return linear_colour(np.array([150, 108, 70]) * np.exp(rng.normal(0, 0.4)))
    grey = rng.choice([rng.uniform(20, 80), rng.uniform(80, 170), rng.uniform(170, 245)])
    return linear_colour(grey * (1 + rng.normal(0, 0.06, 3)))


def smooth_tile(rng: np.random.Generator, roughness: float, size: int = TILE) -> Floats:
    """Return periodic noise (size, size) with mean 0 and standard deviation 1.

    Its spectrum falls with the frequency to the power `roughness`.
    """
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None])
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.standard_normal((size, size))) / frequency**roughness
    tile = np.fft.irfft2(spectrum)
    return np.asarray((tile - tile.mean()) / tile.std(), dtype=np.float32)


def random_pattern(rng: np.random.Generator, noise: Floats) -> Floats:
    """Return a periodic pattern (T, T), 0..1 between two colours: stripes, checks, dots, noise."""
    y, x = np.mgrid[0:TILE, 0:TILE] / TILE
    kind = int(rng.integers(6))
    n, duty = int(rng.integers(4, 20)), rng.uniform(-0.7, 0.7)
    if kind == 0:
        raw = np.sin(2 * np.pi * n * y) - duty
    elif kind == 1:
        raw = np.sin(2 * np.pi * n * x) - duty
    elif kind == 2:
        lines = np.stack([np.sin(2 * np.pi * n * x), np.sin(2 * np.pi * n * y)]) > duty
        return np.asarray(lines.mean(axis=0), dtype=np.float32)
    elif kind == 3:
        raw = np.sin(2 * np.pi * n * x) * np.sin(2 * np.pi * n * y) - abs(duty)
    elif kind == 4:
        raw = noise * 2 - duty
    else:
        raw = np.sin(2 * np.pi * n * (x + y)) - duty
    return np.asarray(np.clip(raw * 6 + 0.5, 0, 1), dtype=np.float32)


@dataclass(frozen=True)
class Cloth:
    """Two colours with a pattern between them, or a printed image."""

    first: Floats
    """(3,)"""
    second: Floats
    """(3,)"""
    pattern: Floats | None
    """(T, T) 0..1; None for plain cloth."""
    printed: Image | None
    """(h, w, 3) uint8 RGB in place of the pattern."""
    scale: float
    """Tiles a metre."""
    weave: float
    """Strength of the fine grain."""

    def colours(self, places: Floats, noise: Floats) -> Floats:
        """Return linear colours (N, 3) at places (N, 3) m on the rest body."""
        across, up = places[:, 0] + 0.7 * places[:, 2], places[:, 1]
        n = len(noise)
        rows, columns = (up * 3 * n).astype(np.int64) % n, (across * 3 * n).astype(np.int64) % n
        grain = (1 + self.weave * noise[rows, columns])[:, None]
        if self.printed is not None:
            h, w = self.printed.shape[:2]
            rows = (-up * self.scale * w).astype(np.int64) % h
            columns = (across * self.scale * w).astype(np.int64) % w
            colours = (self.printed[rows, columns].astype(np.float32) / 255) ** 2.2
            return np.asarray(colours * grain)
        if self.pattern is None:
            return np.asarray(self.first * grain)
        n = len(self.pattern)
        rows = (up * self.scale * n).astype(np.int64) % n
        columns = (across * self.scale * n).astype(np.int64) % n
        share = self.pattern[rows, columns][:, None]
        return np.asarray((self.first + (self.second - self.first) * share) * grain)
