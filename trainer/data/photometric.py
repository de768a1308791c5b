"""Photometric augmentation: blur, light, colour, sensor noise, compression."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from pymaf_live.types import Array, Image
from trainer.data.augmentation import Augmentation

_REFERENCE = 256
"""Crop side in pixels that the lengths refer to."""
_LEVELS = np.arange(256) / 255.0


def augment_photometric(image: Image, random: np.random.Generator, options: Augmentation) -> Image:
    """Return a crop (S, S, 3) with random camera effects, of the same size."""
    size = image.shape[0]
    if random.random() < options.blur:
        image = _as_uint8(
            cv2.GaussianBlur(image, (0, 0), random.uniform(0.5, 2.0) * size / _REFERENCE)
        )
    if random.random() < options.motion_blur:
        length = random.uniform(4, 16) * size / _REFERENCE
        image = motion_blur(image, length, random.uniform(0, np.pi))
    dark = random.random() < options.dark
    grey = random.random() < options.grey
    table = _tone(random, options, dark=dark)
    image = _as_uint8(cv2.LUT(image, table))
    if grey:
        image = _as_uint8(cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB))
    if random.random() < options.coarse:
        fewer = max(8, round(size * random.uniform(0.3, 0.8)))
        image = _as_uint8(cv2.resize(image, (fewer, fewer), interpolation=cv2.INTER_AREA))
    if random.random() < options.noise or dark:
        strength = random.uniform(3, 12) if dark else random.uniform(1.5, 8)
        image = add_sensor_noise(image, strength, random, coloured=not grey)
    if random.random() < options.jpeg:
        image = compress_jpeg(image, int(random.integers(20, 81)))
    if image.shape[0] != size:
        image = _as_uint8(cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR))
    return image


def motion_blur(image: Image, length: float, angle: float) -> Image:
    """Apply motion blur: the mean (S, S, 3) over a path of `length` pixels at `angle` radians.

    The path is halved repeatedly, each time averaging two shifted copies, so the cost grows with
    the logarithm of the length.
    """
    steps, step = [], np.array([np.cos(angle), np.sin(angle)]) * length / 2
    while np.abs(step).max() >= 0.5:
        steps.append((round(float(step[0])), round(float(step[1]))))
        step = step / 2
    total = np.abs(np.array(steps, dtype=int).reshape(-1, 2)).sum(axis=0)
    margin = int(total.max(initial=0)) + 1
    around = (margin, margin, margin, margin)
    work = _as_uint8(cv2.copyMakeBorder(image, *around, cv2.BORDER_REPLICATE))
    for x, y in steps:
        first, second = (
            work[_overlap(y, True), _overlap(x, True)],
            work[_overlap(y, False), _overlap(x, False)],
        )
        work = _as_uint8(cv2.addWeighted(first, 0.5, second, 0.5, 0))
    left, top = margin - total // 2
    size = image.shape[0]
    return _as_uint8(work[top : top + size, left : left + size])


def _overlap(shift: int, first: bool) -> slice:
    """Return the part of an axis that overlaps with its copy shifted by `shift` pixels.

    `first` selects the slice of the unshifted axis, otherwise of the shifted one.
    """
    if (shift >= 0) == first:
        return slice(0, -abs(shift) or None)
    return slice(abs(shift), None)


def add_sensor_noise(
    image: Image, strength: float, random: np.random.Generator, *, coloured: bool = True
) -> Image:
    """Add shot noise, which grows with the square root of the light, and read noise.

    `strength` is the standard deviation at middle grey, in levels of 256.
    """
    height, width = image.shape[:2]
    bank = _grain(coarse=bool(random.random() < 0.4))
    top, left = (int(random.integers(0, bank.shape[i] - (height, width)[i] + 1)) for i in (0, 1))
    window = bank[top : top + height, left : left + width]
    if not coloured:
        window = np.repeat(window[..., :1], 3, axis=2)
    # variance: half read noise, half shot noise
    spread = (strength * np.sqrt(0.5 + _LEVELS)).astype(np.float32)
    noise = cv2.multiply(np.ascontiguousarray(window), cv2.LUT(image, spread))
    return _as_uint8(cv2.add(image, noise, dtype=cv2.CV_8U))


def compress_jpeg(image: Image, quality: int) -> Image:
    """Return an image after JPEG compression."""
    # JPEG treats the channels differently, so pass them in OpenCV's order
    encoded, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR) if encoded else None
    return image if decoded is None else _as_uint8(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB))


def _tone(random: np.random.Generator, options: Augmentation, *, dark: bool) -> Image:
    """Return a random tone curve per channel (1, 256, 3)."""
    gains = random.uniform(1 - options.colour, 1 + options.colour, 3)
    contrast = random.uniform(1 - options.contrast, 1 + options.contrast)
    curve = _LEVELS
    if dark:
        curve = curve ** random.uniform(1.0, 1.4) * random.uniform(0.3, 0.75)
    curve = (curve - 0.5) * contrast + 0.5 if not dark else curve * contrast
    return np.clip(curve[:, None] * gains * 255 + 0.5, 0, 255).astype(np.uint8)[None]


@cache
def _grain(*, coarse: bool) -> Array:
    """Return noise (H, W, 3) of unit deviation; coarse as smoothed by inexpensive cameras."""
    random = np.random.default_rng(20 + coarse)
    noise = random.standard_normal((640, 640, 3), dtype=np.float32)
    if coarse:
        noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), 0.9), dtype=np.float32)
        noise /= noise.std()
    return noise


def _as_uint8(image: object) -> Image:
    return np.asarray(image, dtype=np.uint8)
